namespace CompressOnBuild.Calibration;

/// <summary>A quantization range. It always includes zero: padding and ReLU make exact zeros, which must stay exact.</summary>
internal readonly record struct ActivationRange
{
    /// <summary>The range [min, max], widened to include zero.</summary>
    public ActivationRange(float min, float max) => (Min, Max) = (Math.Min(min, 0f) + 0f, Math.Max(max, 0f) + 0f); // + 0: never -0

    public float Min { get; }
    public float Max { get; }

    /// <summary>Scale and zero point for uint8.</summary>
    public QuantizationParameters ToUInt8() => QuantizationParameters.ForUInt8(Min, Max);
}

/// <summary>real = <paramref name="Scale"/> * (quantized - <paramref name="ZeroPoint"/>), quantized in 0 to 255.</summary>
internal readonly record struct QuantizationParameters(float Scale, byte ZeroPoint)
{
    private const int Levels = 255;
    /// <summary>
    /// Bits of a scale's mantissa. Float activations differ in their last bits between processors; on this grid their scales mostly do
    /// not. The price is a range wider by at most 1/2048, an eighth of a step.
    /// </summary>
    private const int ScaleBits = 12;
    /// <summary>Smaller scales have no reciprocal or meet flushing to zero.</summary>
    private const double SmallestScale = 1e-30;

    /// <summary>Smallest representable value.</summary>
    public double Min => 0 - (double)Scale * ZeroPoint;
    /// <summary>Largest representable value.</summary>
    public double Max => (double)Scale * (Levels - ZeroPoint);

    /// <summary>
    /// Parameters whose grid spans at least <paramref name="max"/> - <paramref name="min"/>: the scale is rounded up. Rounding the zero
    /// point moves the grid by up to half a step. Of a range without extent, [0, 0], the scale is 1.
    /// </summary>
    internal static QuantizationParameters ForUInt8(double min, double max)
    {
        min = Math.Min(min, 0);
        max = Math.Max(max, 0);
        if (max - min == 0) return new QuantizationParameters(1, 0);
        var scale = RoundScale((max - min) / Levels);
        return new QuantizationParameters(scale, (byte)Math.Clamp(Math.Round(-min / scale, MidpointRounding.ToEven), 0, Levels));
    }

    /// <summary>The next scale of 12 bits, upwards.</summary>
    internal static float RoundScale(double exact)
    {
        exact = Math.Max(exact, SmallestScale);
        var unit = Math.ScaleB(1, Math.ILogB(exact) - (ScaleBits - 1));
        return (float)(Math.Ceiling(exact / unit) * unit);
    }
}
