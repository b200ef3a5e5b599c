using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Numerics;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// One metric of two models on the same samples. <paramref name="Drop"/>: the worsening in the metric's own direction (positive = worse).
/// <paramref name="Confidence"/>: 95 % interval of the drop; null where the samples are too few for one. <paramref name="Worse"/> and <paramref name="Better"/>:
/// samples that went from right to wrong and back, for metrics that are shares, else null.
/// </summary>
internal sealed record PairedComparison(double Original, double Compressed, double Drop, Interval? Confidence, int Samples, int? Worse, int? Better)
{
    // The spread of fewer says hardly anything about a rare bad one.
    private const int FewestForBootstrap = 10;

    /// <summary>
    /// Compares two series that were given the same samples in the same order. The interval of shares is <see cref="MatchedShares"/>, of all
    /// others <see cref="BayesianBootstrap"/>; below 10 samples those have one only where every sample gives the very same numbers.
    /// </summary>
    public static PairedComparison Compare(MetricSeries original, MetricSeries compressed, int seed)
    {
        if (original.Count != compressed.Count || original.Count == 0 || original.Metric.Name != compressed.Metric.Name)
            throw new ArgumentException($"{original.Count} samples of {original.Metric.Name} and {compressed.Count} of {compressed.Metric.Name} are no pairs.", nameof(compressed));
        var metric = original.Metric;
        double before = original.Value(), after = compressed.Value();
        var drop = metric.HigherIsBetter ? before - after : after - before;
        var n = original.Count;
        if (!metric.IsShare || !Counted(original) || !Counted(compressed))
            return new(before, after, drop, ByDraws(original, compressed, drop, seed), n, null, null);

        int b = 0, c = 0;
        for (var i = 0; i < n; i++)
        {
            var change = compressed.Contributions[i][0] - original.Contributions[i][0];
            if (change < 0) b++;
            else if (change > 0) c++;
        }
        // The counts give the drop without the rounding of two means.
        return new(before, after, (double)(b - c) / n, n < 2 ? null : MatchedShares.Difference(b, c, n), n, b, c);
    }

    private static Interval? ByDraws(MetricSeries original, MetricSeries compressed, double drop, int seed)
    {
        var (metric, n) = (original.Metric, original.Count);
        var isSame = original.IsSameAs(compressed);
        // A model that computes the same loses nothing, however few samples there are.
        if (isSame && metric.ShowsEveryChange) return new(0, 0);
        if (isSame && original.Contributions.All(c => metric.Extremes(c) is null)) return Spared(original);
        if (n < FewestForBootstrap) return null;
        var drawn = BayesianBootstrap.Interval(original, compressed, drop, seed);
        return drop == 0 && drawn is { } interval && interval.High == interval.Low ? Spared(original) : drawn;
    }

    // Equal decisions do not show that a model computes the same: they have the interval of shares of which none changed. A sample that is
    // lost is taken to cost at most its share of the value.
    private static Interval? Spared(MetricSeries original)
    {
        if (original.Count < 2) return null;
        var scale = original.Metric.IsWithinOne ? 1 : Math.Max(1, Math.Abs(original.Value()));
        var share = MatchedShares.Difference(0, 0, original.Count);
        return new(scale * share.Low, scale * share.High);
    }

    // An output of several decisions contributes the share of them, a sequence several shares.
    private static bool Counted(MetricSeries series) => !series.HasSequences && series.Contributions.All(c => c[0] is 0 or 1);
}
