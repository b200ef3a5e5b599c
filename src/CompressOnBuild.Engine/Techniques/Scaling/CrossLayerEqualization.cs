namespace CompressOnBuild.Techniques.Scaling;

/// <summary>
/// Cross-layer equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.1 and equation 11).
/// Symbols: r1_i = max|W1_i| over the weights that make channel i, r2_i the same of those that sum over it.
/// 1. s_i = sqrt(r1_i r2_i) / r2_i: W1_i / s_i and W2_i s_i then have the same range, sqrt(r1_i r2_i), and the product of the ranges over all channels is largest.
/// 2. One pair of layers after the other, again and again until no factor moves: a layer stands in two pairs.
/// Departure: a channel without weights on one side keeps its factor 1.
/// </summary>
internal static class CrossLayerEqualization
{
    /// <summary>Step 1 for one pair.</summary>
    /// <param name="made">r1, one a channel.</param>
    /// <param name="read">r2, one a channel.</param>
    public static double[] Factors(ReadOnlySpan<double> made, ReadOnlySpan<double> read)
    {
        var factors = new double[made.Length];
        for (var i = 0; i < factors.Length; i++) factors[i] = made[i] > 0 && read[i] > 0 ? Math.Sqrt(made[i] * read[i]) / read[i] : 1;
        return factors;
    }
}
