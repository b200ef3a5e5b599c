using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Numerics;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// Confidence interval of the drop of any metric between two models on the same samples: the Bayesian bootstrap (Rubin 1981, "The Bayesian
/// Bootstrap", Annals of Statistics 9, 130-134) of the paired difference.
/// <para>1. A draw gives every sample a weight from the exponential distribution (instead of the number of times that a resample holds it), the
/// same for both models; a rare class never drops out of a draw. A sequence is one sample: all its runs have one weight, because they depend on each other.
/// 2. Where a sample is one decision (<see cref="IMetric.Extremes"/>), the draw for the upper bound holds one sample more, of a random one's
/// kind, which the original answers and the compressed model does not, the draw for the lower bound one that is answered the other way
/// round. The weights of b equal changes add up to a Gamma(b), with that one to a Gamma(b + 1): the interval is then that of
/// <see cref="MatchedShares"/>, and never of width 0 because no sample happened to change.
/// 3. The bounds are the 2.5 % and 97.5 % quantiles of <see cref="Draws"/> draws, moved away from the point by
/// t(n - 1) / z * sqrt((n + 1) / (n - 1)): quantiles of few samples are too near (Hesterberg 2015, "What Teachers Should Know About the Bootstrap",
/// The American Statistician 69, 371-386, section 4.1: expanded percentile).
/// 4. Quantiles are only about a third as lopsided as skewed samples need (Hesterberg 2015: the bootstrap t interval is three times as asymmetric). Without
/// step 2 the longer side is lengthened by twice its excess over the shorter one, which stays.</para>
/// The seed decides the draws.
/// </summary>
internal static class BayesianBootstrap
{
    private const int Draws = 1000;
    // Two-sided 95 % quantile of the normal distribution.
    private const double Z = 1.959963984540054;

    /// <summary>The 95 % interval; null where the metric is not defined in most draws.</summary>
    /// <param name="original">The original's series.</param>
    /// <param name="compressed">The other model's, on the same samples in the same order.</param>
    /// <param name="drop">The drop over all samples.</param>
    /// <param name="seed">Seed of the draws.</param>
    public static Interval? Interval(MetricSeries original, MetricSeries compressed, double drop, int seed)
    {
        var n = original.Count;
        var extremes = original.HasSequences ? [] : original.Contributions.Select(original.Metric.Extremes).ToArray();
        var allows = extremes.Length > 0 && Array.TrueForAll(extremes, e => e is not null);
        var lost = allows ? new Pair(original, compressed, extremes.Select(e => e!.Value.Right), extremes.Select(e => e!.Value.Wrong)) : new Pair(original, compressed, [], []);
        var won = allows ? new Pair(original, compressed, extremes.Select(e => e!.Value.Wrong), extremes.Select(e => e!.Value.Right)) : lost;
        var random = new Pcg32((ulong)(uint)seed);
        var weights = new double[allows ? 2 * n : n];
        List<double> upper = new(Draws), lower = new(Draws);
        for (var draw = 0; draw < Draws; draw++)
        {
            for (var i = 0; i < n; i++) weights[i] = Exponential(random);
            if (!allows)
            {
                Add(upper, lost.Drop(weights));
                continue;
            }
            var extra = n + random.Below(n);
            weights[extra] = Exponential(random);
            Add(upper, lost.Drop(weights));
            Add(lower, won.Drop(weights));
            weights[extra] = 0;
        }
        if (!allows) lower = upper;
        if (upper.Count < Draws / 2 || lower.Count < Draws / 2) return null;
        var stretch = BetaDistribution.TwoSidedT(0.05, n - 1) / Z * Math.Sqrt((n + 1.0) / (n - 1));
        double below = stretch * (drop - Quantile(lower, 0.025)), above = stretch * (Quantile(upper, 0.975) - drop);
        var excess = allows ? 0 : 2 * (above - below);
        return new(drop - below - Math.Max(0, -excess), drop + above + Math.Max(0, excess));
    }

    // A draw on which the metric is not defined says nothing.
    private static void Add(List<double> drops, double drop)
    {
        if (double.IsFinite(drop)) drops.Add(drop);
    }

    private static double Exponential(Pcg32 random) => -Math.Log(1 - random.NextDouble());

    private static double Quantile(List<double> values, double p)
    {
        values.Sort();
        var at = p * (values.Count - 1);
        var below = (int)at;
        return below + 1 < values.Count ? values[below] + (at - below) * (values[below + 1] - values[below]) : values[below];
    }

    private sealed class Pair(MetricSeries original, MetricSeries compressed, IEnumerable<double[]> before, IEnumerable<double[]> after)
    {
        private readonly WeightedValue original = original.Over([.. before]);
        private readonly WeightedValue compressed = compressed.Over([.. after]);
        private readonly bool higherIsBetter = original.Metric.HigherIsBetter;

        public double Drop(double[] weights) => higherIsBetter ? original(weights) - compressed(weights) : compressed(weights) - original(weights);
    }
}
