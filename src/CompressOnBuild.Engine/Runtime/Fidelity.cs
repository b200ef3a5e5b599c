using CompressOnBuild.Onnx;

namespace CompressOnBuild.Runtime;

/// <summary>How close the outputs of two models are: 10 log10 of the sum of squares over the sum of squared differences, over all float outputs.</summary>
internal static class Fidelity
{
    /// <summary>Two models that compute the same apart from rounding reach this many dB.</summary>
    public const double Equal = 50;

    public static double Decibels(Session expected, Session actual, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, CancellationToken cancel)
    {
        var inputs = samples.ToArray();
        return Decibels([.. inputs.Select(s => expected.Run(s, cancel))], inputs.Select(s => actual.Run(s, cancel)));
    }

    /// <summary>The decibels of the output that differs most: a loud output must not hide a quiet one.</summary>
    public static double WorstOutput(IReadOnlyList<Tensor[]> expected, IReadOnlyList<Tensor[]> actual)
    {
        var worst = double.PositiveInfinity;
        for (var o = 0; o < expected[0].Length; o++)
        {
            var decibels = Decibels([.. expected.Select(e => new[] { e[o] })], actual.Select(a => new[] { a[o] }));
            // An output that is zero has no signal: only its noise would count, and a rounding of zero is none.
            if (!double.IsNegativeInfinity(decibels)) worst = Math.Min(worst, decibels);
        }
        return worst;
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
}
