using CompressOnBuild.Onnx;

namespace CompressOnBuild.Runtime;

/// <summary>How close the outputs of two models are: 10 log10 of the sum of squares over the sum of squared differences, over all float outputs.</summary>
internal static class Fidelity
{
    /// <summary>Two models that compute the same apart from rounding reach this many dB.</summary>
    public const double Equal = 50;

    // A saturated output (a sigmoid next to 0) is all rounding: this far apart says nothing.
    private const float Negligible = 1e-5f;

    /// <summary>The decibels of the output that differs most: a loud output must not hide a quiet one.</summary>
    public static double WorstOutput(IReadOnlyList<Tensor[]> expected, IReadOnlyList<Tensor[]> actual)
    {
        var worst = double.PositiveInfinity;
        for (var o = 0; o < expected[0].Length; o++)
        {
            if (LargestDifference(expected, actual, o) <= Negligible) continue;
            var decibels = Decibels([.. expected.Select(e => new[] { e[o] })], actual.Select(a => new[] { a[o] }));
            // An output that is all zero has no signal to compare with.
            if (!double.IsNegativeInfinity(decibels)) worst = Math.Min(worst, decibels);
        }
        return worst;
    }

    private static float LargestDifference(IReadOnlyList<Tensor[]> expected, IReadOnlyList<Tensor[]> actual, int output)
    {
        float largest = 0;
        for (var i = 0; i < expected.Count; i++)
        {
            var (a, b) = (expected[i][output], actual[i][output]);
            if (!a.ElementType.IsFloat()) continue;
            if (a.Count != b.Count) return float.PositiveInfinity;
            foreach (var (x, y) in a.ToFloats().Zip(b.ToFloats()))
                if (!x.Equals(y)) largest = Math.Max(largest, float.IsNaN(x - y) ? float.PositiveInfinity : Math.Abs(x - y));
        }
        return largest;
    }

    /// <summary>Positive infinity for equal outputs. An output whose shape changed counts as all noise.</summary>
    public static double Decibels(IReadOnlyList<Tensor[]> expected, IEnumerable<Tensor[]> actual)
    {
        double signal = 0, noise = 0;
        var i = 0;
        foreach (var outputs in actual)
        {
            foreach (var (a, b) in expected[i++].Zip(outputs))
            {
                if (!a.ElementType.IsFloat()) continue;
                var x = a.ToFloats();
                var y = b.Count == a.Count ? b.ToFloats() : new float[x.Length];
                for (var k = 0; k < x.Length; k++)
                {
                    if (!float.IsFinite(x[k])) continue;
                    double d = (double)x[k] - y[k];
                    signal += (double)x[k] * x[k];
                    noise += double.IsFinite(d) ? d * d : (double)x[k] * x[k] + 1;
                }
            }
        }
        return noise == 0 ? double.PositiveInfinity : signal == 0 ? double.NegativeInfinity : 10 * Math.Log10(signal / noise);
    }

    /// <summary>
    /// Decibels of the noise as each sample hears it: the mean over samples and float outputs of noise over signal, so that a quiet sample counts
    /// as much as a loud one, as it does in most metrics. Positive infinity for equal outputs.
    /// </summary>
    public static double MeanDecibels(IReadOnlyList<Tensor[]> expected, IReadOnlyList<Tensor[]> actual)
    {
        double sum = 0;
        var count = 0;
        foreach (var (before, after) in expected.Zip(actual))
        {
            for (var o = 0; o < before.Length; o++)
            {
                if (!before[o].ElementType.IsFloat()) continue;
                // Beyond all noise nothing gets worse: one ruined sample must not hide the others.
                var decibels = Decibels([[before[o]]], [[after[o]]]);
                sum += Math.Min(1, Math.Pow(10, -decibels / 10));
                count++;
            }
        }
        return sum == 0 ? double.PositiveInfinity : -10 * Math.Log10(sum / count);
    }
}
