namespace CompressOnBuild.Calibration;

/// <summary>How a convolution cuts its input into patches. Spatial lists have one entry an axis (1 or 2 axes), <paramref name="Pads"/> begins before ends.</summary>
/// <param name="Kernel">Extent of the kernel.</param>
/// <param name="Strides">Steps between patches.</param>
/// <param name="Pads">Zeros around the input; null: as <paramref name="AutoPad"/> says.</param>
/// <param name="AutoPad">VALID, SAME_UPPER or SAME_LOWER; NOTSET with explicit pads.</param>
/// <param name="Dilations">Steps inside the kernel.</param>
/// <param name="Groups">Groups of channels, which patches do not mix.</param>
internal sealed record PatchGeometry(int[] Kernel, int[] Strides, int[]? Pads, string AutoPad, int[] Dilations, int Groups);

/// <summary>
/// Asks for the Gram matrix of a weight's inputs: the sum of x x^T over rows x [K] that the weight is multiplied with, in the order of
/// its own elements.
/// </summary>
/// <param name="Site">The weight, the key of the result.</param>
/// <param name="Value">The activation it is multiplied with.</param>
/// <param name="Width">K; for a convolution, input channels of one group times the kernel.</param>
/// <param name="Patches">Null for a matrix product, whose rows are the value's last axis.</param>
/// <param name="WithOne">Whether every row ends with a 1, which counts in <paramref name="Width"/>: the matrix then holds the sums and the number of rows, too.</param>
internal sealed record GramRequest(string Site, string Value, int Width, PatchGeometry? Patches, bool WithOne = false)
{
    /// <summary>Elements of a row that come from the value.</summary>
    public int Inputs => WithOne ? Width - 1 : Width;

    /// <summary>Equal for requests of the same rows.</summary>
    public string Rows { get; } = Patches is null ? $"{Width} {WithOne} {Value}"
        : $"{Width} {WithOne} {string.Join(',', Patches.Kernel)} {string.Join(',', Patches.Strides)} {string.Join(',', Patches.Pads ?? [])} {Patches.AutoPad} {string.Join(',', Patches.Dilations)} {Patches.Groups} {Value}";

    /// <summary>Memory of its matrices.</summary>
    public long Bytes => (long)Width * Width * sizeof(double) * (Patches?.Groups ?? 1);
}
