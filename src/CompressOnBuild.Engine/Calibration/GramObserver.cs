using System.Numerics.Tensors;

namespace CompressOnBuild.Calibration;

/// <summary>
/// Gathers the Gram matrices of one weight's inputs (one for each group of a convolution) from a fixed number of rows of each sample, spread
/// evenly over its positions. Accumulated in double in the order of the samples; every element is one fixed sequence of additions.
/// </summary>
internal sealed class GramObserver
{
    private const int Block = 16;

    private readonly GramRequest request;
    private readonly int rowsPerSample;
    private readonly double[][] grams;
    /// <summary>Rows that wait, [<see cref="Block"/>, K]: a large matrix is walked through once for all of them, not once for each.</summary>
    private readonly double[] rows;
    private readonly int[] groupOfRow = new int[Block];
    private int waiting;
    private int samples;
    private bool unusable;

    /// <param name="request">What to gather.</param>
    /// <param name="rowsPerSample">Rows taken from each sample, at most.</param>
    public GramObserver(GramRequest request, int rowsPerSample)
    {
        (this.request, this.rowsPerSample) = (request, Math.Max(1, rowsPerSample));
        grams = [.. Enumerable.Range(0, request.Patches?.Groups ?? 1).Select(_ => new double[request.Width * request.Width])];
        rows = new double[Block * request.Width];
    }

    /// <summary>Reads one sample of the value. A shape that does not fit, or an element that is no number, spoils the whole.</summary>
    public void Read(ReadOnlySpan<float> values, ReadOnlySpan<long> shape)
    {
        var sample = samples++;
        if (unusable || values.IsEmpty) return;
        if (request.Patches is { } patches) ReadPatches(values, shape, patches, sample);
        else ReadRows(values, shape, sample);
    }

    /// <summary>The matrices, [K, K] row-major and symmetric; null when nothing could be gathered.</summary>
    public IReadOnlyList<double[]>? Finish()
    {
        Flush();
        var k = request.Width;
        foreach (var gram in grams)
        {
            for (var i = 0; i < k; i++)
            {
                if (!double.IsFinite(gram[i * k + i])) unusable = true;
                for (var j = 0; j < i; j++) gram[i * k + j] = gram[j * k + i];
            }
        }
        return unusable || samples == 0 ? null : grams;
    }

    private void ReadRows(ReadOnlySpan<float> values, ReadOnlySpan<long> shape, int sample)
    {
        if (shape.Length == 0 || shape[^1] != request.Inputs) { unusable = true; return; }
        foreach (var position in Positions(values.Length / request.Inputs, sample))
        {
            var row = Next(0);
            for (var i = 0; i < request.Inputs; i++) row[i] = values[position * request.Inputs + i];
        }
    }

    private void ReadPatches(ReadOnlySpan<float> values, ReadOnlySpan<long> shape, PatchGeometry patches, int sample)
    {
        var axes = patches.Kernel.Length;
        if (shape.Length != axes + 2 || shape[1] % patches.Groups != 0) { unusable = true; return; }
        var channels = (int)shape[1] / patches.Groups;
        // One axis is two, the first of length 1.
        int Of(int[] list, int axis, int absent) => axes == 2 ? list[axis] : axis == 0 ? absent : list[0];
        int kernelY = Of(patches.Kernel, 0, 1), kernelX = Of(patches.Kernel, 1, 1);
        if (channels * kernelY * kernelX != request.Inputs) { unusable = true; return; }
        int height = axes == 2 ? (int)shape[2] : 1, width = (int)shape[^1];
        var (outY, padY) = Extent(height, kernelY, Of(patches.Strides, 0, 1), Of(patches.Dilations, 0, 1), patches, axes == 2 ? 0 : -1, axes);
        var (outX, padX) = Extent(width, kernelX, Of(patches.Strides, 1, 1), Of(patches.Dilations, 1, 1), patches, axes - 1, axes);
        if (outY <= 0 || outX <= 0) { unusable = true; return; }
        int strideY = Of(patches.Strides, 0, 1), strideX = Of(patches.Strides, 1, 1), stepY = Of(patches.Dilations, 0, 1), stepX = Of(patches.Dilations, 1, 1);
        var batch = (int)shape[0];
        foreach (var position in Positions(batch * outY * outX, sample))
        {
            var image = position / (outY * outX);
            var top = position / outX % outY * strideY - padY;
            var left = position % outX * strideX - padX;
            for (var g = 0; g < patches.Groups; g++)
            {
                var at = 0;
                var row = Next(g);
                for (var c = 0; c < channels; c++)
                {
                    var plane = values.Slice(((image * patches.Groups + g) * channels + c) * height * width, height * width);
                    for (var y = 0; y < kernelY; y++)
                        for (var x = 0; x < kernelX; x++)
                        {
                            int py = top + y * stepY, px = left + x * stepX;
                            row[at++] = (uint)py < (uint)height && (uint)px < (uint)width ? plane[py * width + px] : 0;
                        }
                }
            }
        }
    }

    // Output positions along an axis and the zeros before it (ONNX Conv, auto_pad).
    private static (int Outputs, int Before) Extent(int size, int kernel, int stride, int dilation, PatchGeometry patches, int axis, int axes)
    {
        var reach = (kernel - 1) * dilation + 1;
        if (axis < 0) return (1, 0);
        if (patches.Pads is { } pads) return ((size + pads[axis] + pads[axis + axes] - reach) / stride + 1, pads[axis]);
        if (patches.AutoPad is not ("SAME_UPPER" or "SAME_LOWER")) return ((size - reach) / stride + 1, 0);
        var outputs = (size + stride - 1) / stride;
        var zeros = Math.Max(0, (outputs - 1) * stride + reach - size);
        return (outputs, patches.AutoPad == "SAME_UPPER" ? zeros / 2 : zeros - zeros / 2);
    }

    // Evenly spread, from another start in every sample.
    private IEnumerable<int> Positions(int count, int sample)
    {
        var taken = Math.Min(count, rowsPerSample);
        var start = (int)((uint)sample * 2654435761u % (uint)Math.Max(1, count));
        for (var i = 0; i < taken; i++) yield return (int)((start + (long)i * count / taken) % count);
    }

    private Span<double> Next(int group)
    {
        if (waiting == Block) Flush();
        groupOfRow[waiting] = group;
        var row = rows.AsSpan(waiting++ * request.Width, request.Width);
        if (request.WithOne) row[^1] = 1;
        return row;
    }

    // Every element still grows row by row: in the order in which the rows came.
    private void Flush()
    {
        var k = request.Width;
        for (var i = 0; i < k; i++)
            for (var r = 0; r < waiting; r++)
            {
                var factor = rows[r * k + i];
                if (factor == 0) continue;
                var sums = grams[groupOfRow[r]].AsSpan(i * k + i, k - i);
                TensorPrimitives.MultiplyAdd(rows.AsSpan(r * k + i, k - i), factor, sums, sums);
            }
        waiting = 0;
    }
}
