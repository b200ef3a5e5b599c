namespace CompressOnBuild.Kernels;

/// <summary>What rounding to 16-bit floats (IEEE 754 binary16) loses.</summary>
internal static class HalfRounding
{
    /// <summary>
    /// Sum of (w - half(w))^2 over the sum of w^2, accumulated in double in the order of the values; 0 when all are zero. About 1e-7 where
    /// the format's 11 significant bits count; up to 1 where values are below its smallest steps (6e-8) and become 0.
    /// </summary>
    /// <param name="values">Finite values, at most 65504 in magnitude.</param>
    public static double RelativeError(ReadOnlySpan<float> values)
    {
        double noise = 0, signal = 0;
        foreach (var value in values)
        {
            var error = (double)value - (float)(Half)value;
            noise += error * error;
            signal += (double)value * value;
        }
        return signal == 0 ? 0 : noise / signal;
    }
}
