namespace CompressOnBuild.Calibration;

/// <summary>The patches that a convolution cuts out of one value, by the number of their place in the output (image, then rows, then columns).</summary>
internal sealed class PatchGrid
{
    private readonly int groups, channels, height, width, kernelY, kernelX, outX, strideY, strideX, stepY, stepX, padY, padX;

    private PatchGrid(ReadOnlySpan<long> shape, PatchGeometry patches)
    {
        var axes = patches.Kernel.Length;
        (groups, channels) = (patches.Groups, (int)shape[1] / patches.Groups);
        // One axis is two, the first of length 1.
        int Of(int[] list, int axis, int absent) => axes == 2 ? list[axis] : axis == 0 ? absent : list[0];
        (kernelY, kernelX) = (Of(patches.Kernel, 0, 1), Of(patches.Kernel, 1, 1));
        (height, width) = (axes == 2 ? (int)shape[2] : 1, (int)shape[^1]);
        (var outY, padY) = Extent(height, kernelY, Of(patches.Strides, 0, 1), Of(patches.Dilations, 0, 1), patches, axes == 2 ? 0 : -1, axes);
        (outX, padX) = Extent(width, kernelX, Of(patches.Strides, 1, 1), Of(patches.Dilations, 1, 1), patches, axes - 1, axes);
        (strideY, strideX, stepY, stepX) = (Of(patches.Strides, 0, 1), Of(patches.Strides, 1, 1), Of(patches.Dilations, 0, 1), Of(patches.Dilations, 1, 1));
        PerImage = outY > 0 && outX > 0 ? outY * outX : 0;
        Positions = (int)shape[0] * PerImage;
    }

    /// <summary>The grid over a value of this shape; null where the two do not fit.</summary>
    public static PatchGrid? Of(ReadOnlySpan<long> shape, PatchGeometry patches) =>
        shape.Length == patches.Kernel.Length + 2 && shape[1] % patches.Groups == 0 && new PatchGrid(shape, patches) is { PerImage: > 0 } grid ? grid : null;

    /// <summary>Patches of one image.</summary>
    public int PerImage { get; }
    /// <summary>Patches of all images.</summary>
    public int Positions { get; }
    /// <summary>Elements of one group in a patch.</summary>
    public int Width => channels * kernelY * kernelX;

    /// <summary>At most <paramref name="most"/> of <paramref name="count"/> positions, evenly spread, from another start in every sample.</summary>
    public static IEnumerable<int> Spread(int count, int most, int sample)
    {
        var taken = Math.Min(count, most);
        var start = (int)((uint)sample * 2654435761u % (uint)Math.Max(1, count));
        for (var i = 0; i < taken; i++) yield return (int)((start + (long)i * count / taken) % count);
    }

    /// <summary>Writes the elements of one group at a position, zeros where it lies outside, in the order of the weight's own.</summary>
    /// <param name="values">The value.</param>
    /// <param name="position">Which patch.</param>
    /// <param name="group">Which channels.</param>
    /// <param name="to">Where the first goes.</param>
    /// <param name="step">From one to the next.</param>
    public void Read(ReadOnlySpan<float> values, int position, int group, Span<double> to, int step = 1)
    {
        var image = position / PerImage;
        var top = position / outX % (PerImage / outX) * strideY - padY;
        var left = position % outX * strideX - padX;
        var at = 0;
        for (var c = 0; c < channels; c++)
        {
            var plane = values.Slice(((image * groups + group) * channels + c) * height * width, height * width);
            for (var y = 0; y < kernelY; y++)
                for (var x = 0; x < kernelX; x++, at += step)
                {
                    int py = top + y * stepY, px = left + x * stepX;
                    to[at] = (uint)py < (uint)height && (uint)px < (uint)width ? plane[py * width + px] : 0;
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
}
