namespace CompressOnBuild.Techniques.Scaling;

/// <summary>
/// Scale migration from activations to weights (Xiao et al. 2023, "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models",
/// equation 4).
/// Symbols: X the input of a layer, W its weight, j an input channel, alpha how much of the difficulty moves.
/// 1. s_j = max|X_j|^alpha / max|W_j|^(1 - alpha); X_j / s_j and W_j s_j give the same product.
/// Departures: max|X_j| and max|W_j| are at least a 32nd of the largest of all j, so that a channel that calibration hardly saw is not blown up, and one that
/// nobody listens to takes no part of the range; alpha is chosen by measured error for each layer.
/// </summary>
internal static class ScaleMigration
{
    private const double Span = 32;

    /// <summary>Step 1.</summary>
    /// <param name="inputs">max|X_j|.</param>
    /// <param name="weights">max|W_j|.</param>
    /// <param name="alpha">0 to 1.</param>
    public static double[] Factors(ReadOnlySpan<double> inputs, ReadOnlySpan<double> weights, double alpha)
    {
        var factors = new double[inputs.Length];
        double leastInput = 0, leastWeight = 0;
        foreach (var x in inputs) leastInput = Math.Max(leastInput, x / Span);
        foreach (var w in weights) leastWeight = Math.Max(leastWeight, w / Span);
        for (var j = 0; j < factors.Length; j++)
            factors[j] = leastInput > 0 && leastWeight > 0 ? Math.Pow(Math.Max(inputs[j], leastInput), alpha) / Math.Pow(Math.Max(weights[j], leastWeight), 1 - alpha) : 1;
        return factors;
    }
}
