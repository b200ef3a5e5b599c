namespace CompressOnBuild.Samples.Train;

/// <summary>Convolution without bias, padded to keep the size at stride 1, as a product with the unfolded input; groups = channels makes it depthwise.</summary>
internal sealed class Conv : Layer
{
    private readonly string name;
    private readonly int kernel, stride, groups, pad;
    private readonly bool first;
    private readonly Parameter weight;
    private float[]? columns, y, columnGradient, gradient, transposed;

    /// <param name="first">Nothing lies before this layer, so the gradient by its input is not wanted.</param>
    public Conv(string name, Shape input, int channels, int kernel, int stride, int groups, Random random, bool first = false)
        : base(input, new Shape(channels, (input.Height - 1) / stride + 1, (input.Width - 1) / stride + 1))
    {
        (this.name, this.kernel, this.stride, this.groups, this.first) = (name, kernel, stride, groups, first);
        pad = kernel / 2;
        weight = new Parameter(name + ".weight", [channels, input.Channels / groups, kernel, kernel], decays: true);
        // He et al. 2015: variance 2 / fan-in before a ReLU.
        var bound = Math.Sqrt(6.0 / Rows);
        foreach (ref var w in weight.Value.AsSpan()) w = (float)((2 * random.NextDouble() - 1) * bound);
    }

    /// <summary>Rows of the unfolded input of one group = inputs of one output.</summary>
    private int Rows => In.Channels / groups * kernel * kernel;

    private bool IsPointwise => kernel == 1 && stride == 1;

    public override IEnumerable<Parameter> Parameters => [weight];

    public override float[] Forward(float[] x, int batch, bool training)
    {
        var width = batch * Out.Plane;
        if (IsPointwise) columns = x;
        else Unfold(x, Room(ref columns, groups * Rows * width), batch);
        Room(ref y, Out.Channels * width);
        var channels = Out.Channels / groups;
        for (var g = 0; g < groups; g++)
            Gemm.Multiply(weight.Value, g * channels * Rows, columns!, g * Rows * width, y!, g * channels * width, channels, Rows, width);
        return y!;
    }

    public override float[] Backward(float[] dy, int batch)
    {
        int width = batch * Out.Plane, channels = Out.Channels / groups;
        for (var g = 0; g < groups; g++)
            Gemm.MultiplyByTransposed(dy, g * channels * width, columns!, g * Rows * width, weight.Gradient, g * channels * Rows, channels, Rows, width);
        if (first) return [];

        Room(ref columnGradient, groups * Rows * width);
        Room(ref transposed, channels * Rows);
        for (var g = 0; g < groups; g++)
        {
            Gemm.Transpose(weight.Value, g * channels * Rows, transposed!, channels, Rows);
            Gemm.Multiply(transposed!, 0, dy, g * channels * width, columnGradient!, g * Rows * width, Rows, channels, width);
        }
        if (IsPointwise) return columnGradient!;
        Fold(columnGradient!, Room(ref gradient, In.Channels * batch * In.Plane), batch);
        return gradient!;
    }

    /// <summary>columns[(c, ky, kx), (n, oy, ox)] = x[c, n, oy*stride + ky - pad, ox*stride + kx - pad], 0 outside.</summary>
    private void Unfold(float[] x, float[] result, int batch) => Parallel.For(0, In.Channels * kernel * kernel, row =>
    {
        int c = row / (kernel * kernel), ky = row / kernel % kernel - pad, kx = row % kernel - pad;
        var target = result.AsSpan(row * batch * Out.Plane, batch * Out.Plane);
        target.Clear();
        for (var line = 0; line < batch * Out.Height; line++)
        {
            int n = line / Out.Height, sy = line % Out.Height * stride + ky;
            if (sy < 0 || sy >= In.Height) continue;
            var source = x.AsSpan((c * batch + n) * In.Plane + sy * In.Width, In.Width);
            var to = target.Slice(line * Out.Width, Out.Width);
            var (start, end) = Inside(kx);
            if (stride == 1) source[(start + kx)..(end + kx)].CopyTo(to[start..]);
            else
                for (var o = start; o < end; o++) to[o] = source[o * stride + kx];
        }
    });

    /// <summary>The transpose of Unfold.</summary>
    private void Fold(float[] source, float[] dx, int batch) => Parallel.For(0, In.Channels, c =>
    {
        var target = dx.AsSpan(c * batch * In.Plane, batch * In.Plane);
        target.Clear();
        for (var k = 0; k < kernel * kernel; k++)
        {
            int ky = k / kernel - pad, kx = k % kernel - pad;
            var (start, end) = Inside(kx);
            var row = source.AsSpan((c * kernel * kernel + k) * batch * Out.Plane, batch * Out.Plane);
            for (var line = 0; line < batch * Out.Height; line++)
            {
                int n = line / Out.Height, sy = line % Out.Height * stride + ky;
                if (sy < 0 || sy >= In.Height) continue;
                var to = target.Slice(n * In.Plane + sy * In.Width, In.Width);
                for (var o = start; o < end; o++) to[o * stride + kx] += row[line * Out.Width + o];
            }
        }
    });

    /// <summary>The output columns whose input column lies inside the picture.</summary>
    private (int Start, int End) Inside(int kx)
    {
        var start = kx < 0 ? (-kx + stride - 1) / stride : 0;
        return (start, Math.Min(Out.Width, (In.Width - 1 - kx) / stride + 1));
    }

    public override string Export(OnnxExport export, string input) => export.Node("Conv", name, [input, export.Initializer(weight)],
        ("group", [groups]), ("kernel_shape", [kernel, kernel]), ("pads", [pad, pad, pad, pad]), ("strides", [stride, stride]));
}
