namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Bias correction by calibration data (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
/// section 4.2, with measured instead of derived means).
/// Symbols: W weights, Q(W) what they are rounded to, E[x] mean of each input channel.
/// 1. The rounded layer is off by E[y - y_q] = (W - Q(W)) E[x] for each output channel, the padding taken as mean too.
/// 2. That constant is added to the bias.
/// Departure: a correction larger than twice the bias' own spread is a sign of a channel that is dead or saturated and is left out.
/// </summary>
internal static class BiasCorrection
{
    private const int GridBits = 12;

    /// <summary>No correction has more steps, to either side.</summary>
    public const int MostSteps = 4 << GridBits;

    /// <summary>Step 1: (W - Q) E[x], one figure a row, accumulated in double in the order of the weights.</summary>
    /// <param name="w">Weights of a convolution [rows, columns, kernel...], row-major.</param>
    /// <param name="q">What they are rounded to, same layout.</param>
    /// <param name="means">E[x] of the <paramref name="columns"/> * <paramref name="groups"/> input channels.</param>
    /// <param name="rows">Output channels, a multiple of <paramref name="groups"/>.</param>
    /// <param name="columns">Input channels of one group.</param>
    /// <param name="groups">Groups; row m reads the channels of group m / (rows / groups).</param>
    public static double[] Correction(ReadOnlySpan<float> w, ReadOnlySpan<float> q, ReadOnlySpan<float> means, int rows, int columns, int groups)
    {
        var kernel = w.Length / (rows * columns);
        var result = new double[rows];
        for (var m = 0; m < rows; m++)
        {
            var first = m / (rows / groups) * columns;
            double sum = 0;
            for (var c = 0; c < columns; c++)
            {
                double difference = 0;
                var at = (m * columns + c) * kernel;
                for (var i = at; i < at + kernel; i++) difference += (double)w[i] - q[i];
                sum += difference * means[first + c];
            }
            result[m] = sum;
        }
        return result;
    }

    /// <summary>
    /// Step 2: the bias with the correction added, but for rows where it exceeds twice the largest magnitude of the bias.
    /// </summary>
    public static float[] Corrected(ReadOnlySpan<float> bias, ReadOnlySpan<double> correction) => Corrected(bias, Steps(bias, correction));

    /// <summary>
    /// The corrections of step 2 in whole steps of 2^-12 of the bias' largest magnitude, 0 where a row keeps its bias. Measured means differ
    /// in their last bits between processors; their steps mostly do not, and can be stored exactly.
    /// </summary>
    public static int[] Steps(ReadOnlySpan<float> bias, ReadOnlySpan<double> correction)
    {
        var result = new int[bias.Length];
        var spread = Spread(bias);
        if (spread == 0) return result;
        var unit = Unit(spread);
        for (var m = 0; m < result.Length; m++)
            if (Math.Abs(correction[m]) <= 2 * spread) result[m] = (int)Math.Round(correction[m] / unit);
        return result;
    }

    /// <summary>The bias with <paramref name="steps"/> of <see cref="Steps"/> added.</summary>
    public static float[] Corrected(ReadOnlySpan<float> bias, ReadOnlySpan<int> steps)
    {
        var result = bias.ToArray();
        var spread = Spread(bias);
        if (spread == 0) return result;
        var unit = Unit(spread);
        for (var m = 0; m < result.Length; m++)
            if (steps[m] != 0) result[m] += (float)(steps[m] * unit);
        return result;
    }

    /// <summary>The largest magnitude of the bias.</summary>
    public static double Spread(ReadOnlySpan<float> bias)
    {
        var spread = 0.0;
        foreach (var b in bias) spread = Math.Max(spread, Math.Abs(b));
        return spread;
    }

    private static double Unit(double spread) => Math.ScaleB(1, Math.ILogB(spread) - GridBits);
}
