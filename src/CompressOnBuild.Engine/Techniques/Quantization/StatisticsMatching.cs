using CompressOnBuild.Numerics;

namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Each output channel of a quantized layer is moved and scaled to what the float layer gives (the statistics correction of Frantar and Alistarh 2022,
/// "Optimal Brain Compression", section 6 and its code, which does it with normalization layers; with means alone it is the empirical bias
/// correction of Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", appendix D).
/// Layer after layer in the order of the graph: what a layer reads was quantized and corrected before, so that errors from before are made up for, too.
/// Symbols: y output of the float layer on the float network's values, z of the quantized layer on the quantized network's, of one channel;
/// b bias, g gain of the channel's scale, d what is added to its bias; m, v, c mean, variance and covariance over samples and positions; n samples.
/// 1. g = c(y, z) / v(z), the gain with the smallest squared difference that is left.
/// 2. d = m(y) - b - g (m(z) - b): the means are equal.
/// 3. Both are estimates: each is shrunk by 1 - e^2 / t^2 (positive part; t the estimate, e its standard error), so that what could be chance is left out.
///    e of the gain is sqrt((v(y) - g c) / (n v(z))), of the mean the deviation between samples over sqrt(n): positions of one sample are no
///    independent witnesses.
/// Departures: least squares instead of equal deviations, which would make noise up to signal; gains in steps of 2^-10 and within a half and one and
/// a half; bias steps as in <see cref="BiasCorrection"/>. A channel whose bias would move by more than twice the spread is left as it is.
/// </summary>
internal static class StatisticsMatching
{
    private const int GridBits = 10;

    /// <summary>No gain has more steps, to either side.</summary>
    public const int MostSteps = 1 << (GridBits - 1);

    /// <summary>g of <paramref name="steps"/>.</summary>
    public static double Gain(int steps) => 1 + Math.ScaleB(steps, -GridBits);

    /// <summary>Gains and biases in steps, one of each a channel.</summary>
    /// <param name="moments">y and z.</param>
    /// <param name="bias">b.</param>
    /// <param name="scale">Step 1; false leaves every gain at 1.</param>
    public static (int[] Gains, int[] Biases) Match(PairedMoments moments, ReadOnlySpan<float> bias, bool scale = true)
    {
        var gains = new int[bias.Length];
        var shifts = new double[bias.Length];
        double n = moments.Samples, positions = moments.Positions;
        if (n < 2) return (gains, new int[bias.Length]);
        var most = 2 * BiasCorrection.Spread(bias);
        for (var c = 0; c < bias.Length; c++)
        {
            double my = moments.Y[c] / positions, mz = moments.Z[c] / positions;
            double vy = moments.YY[c] / positions - my * my, vz = moments.ZZ[c] / positions - mz * mz, cyz = moments.YZ[c] / positions - my * mz;
            if (!double.IsFinite(vy) || !double.IsFinite(vz)) continue;
            if (scale && vz > 1e-12 * (mz * mz + vy))
            {
                var g = cyz / vz; // step 1
                var shrunk = Shrunk(g - 1, Math.Max(0, vy - g * cyz) / (n * vz)); // step 3
                gains[c] = (int)Math.Clamp(Math.Round(Math.ScaleB(shrunk, GridBits)), -MostSteps, MostSteps);
            }
            // How far the means differ varies between samples as without the gain.
            var variance = (moments.SquaredMeans[c] - moments.Means[c] * moments.Means[c] / n) / (n - 1) / n;
            var shift = Shrunk(my - mz, variance);
            shifts[c] = shift - (Gain(gains[c]) - 1) * (mz - bias[c]); // step 2; what the gain moves is known exactly
            if (gains[c] != 0 && !(Math.Abs(shifts[c]) <= most)) (gains[c], shifts[c]) = (0, shift);
        }
        return (gains, BiasCorrection.Steps(bias, shifts));
    }

    private static double Shrunk(double estimate, double variance) => estimate == 0 ? 0 : estimate * Math.Max(0, 1 - Math.Max(0, variance) / (estimate * estimate));
}
