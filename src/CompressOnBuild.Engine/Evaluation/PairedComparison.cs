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
    private const int Resamples = 1000;
    // Resamples of fewer hardly ever hold the rare bad one: their interval is far too narrow.
    private const int FewestForBootstrap = 10;
    // Two-sided 95 % quantile of the normal distribution.
    private const double Z = 1.959963984540054;

    /// <summary>
    /// Compares two series that were given the same samples in the same order. Shares: b samples got worse, c better; the interval is
    /// Wald's for paired proportions after 1/2 is added to each of the four cells (Agresti and Min 2005, "Simple improved confidence
    /// intervals for comparing matched proportions"): close to (b - c) / n ± 1.96 sqrt(b + c) / n, but not of width 0 where few samples
    /// show no change. Others: percentile bootstrap of the paired difference (Efron and Tibshirani 1993, chapter 13), 1000 resamples of
    /// the samples, drawn by <see cref="Pcg32"/> from <paramref name="seed"/>; below 10 samples only where no sample changed.
    /// </summary>
    public static PairedComparison Compare(MetricSeries original, MetricSeries compressed, int seed)
    {
        if (original.Count != compressed.Count || original.Count == 0 || original.Metric.Name != compressed.Metric.Name)
            throw new ArgumentException($"{original.Count} samples of {original.Metric.Name} and {compressed.Count} of {compressed.Metric.Name} are no pairs.", nameof(compressed));
        var metric = original.Metric;
        double before = original.Value(), after = compressed.Value();
        var drop = metric.HigherIsBetter ? before - after : after - before;
        int n = original.Count;
        if (!metric.IsShare || !Counted(original) || !Counted(compressed)) return new(before, after, drop, n < FewestForBootstrap ? Unchanged(original, compressed) : Bootstrap(original, compressed, seed), n, null, null);

        int b = 0, c = 0;
        for (var i = 0; i < n; i++)
        {
            var change = compressed.Contribution(i)[0] - original.Contribution(i)[0];
            if (change < 0) b++;
            else if (change > 0) c++;
        }
        // The counts give the drop without the rounding of two means.
        drop = (double)(b - c) / n;
        return new(before, after, drop, n < 2 ? null : Paired(b, c, n), n, b, c);
    }

    // A model that computes the same loses nothing, however few samples there are.
    private static Interval? Unchanged(MetricSeries original, MetricSeries compressed)
    {
        for (var i = 0; i < original.Count; i++)
            if (!original.Contribution(i).SequenceEqual(compressed.Contribution(i))) return null;
        return new(0, 0);
    }

    // An output of several decisions contributes the share of them.
    private static bool Counted(MetricSeries series)
    {
        for (var i = 0; i < series.Count; i++)
            if (series.Contribution(i)[0] is not (0 or 1)) return false;
        return true;
    }

    private static Interval Paired(int b, int c, int n)
    {
        double size = n + 2, worse = b + 0.5, better = c + 0.5;
        var center = (worse - better) / size;
        var half = Z * Math.Sqrt(worse + better - (worse - better) * (worse - better) / size) / size;
        return new(Math.Max(center - half, -1), Math.Min(center + half, 1));
    }

    private static Interval? Bootstrap(MetricSeries original, MetricSeries compressed, int seed)
    {
        var random = new Pcg32((ulong)(uint)seed);
        var indices = new int[original.Count];
        var drops = new List<double>(Resamples);
        for (var r = 0; r < Resamples; r++)
        {
            for (var i = 0; i < indices.Length; i++) indices[i] = random.Below(indices.Length);
            double before = original.Value(indices), after = compressed.Value(indices);
            var drop = original.Metric.HigherIsBetter ? before - after : after - before;
            // A resample on which the metric is not defined (one class only) says nothing.
            if (double.IsFinite(drop)) drops.Add(drop);
        }
        if (drops.Count < Resamples / 2) return null;
        drops.Sort();
        return new(Quantile(drops, 0.025), Quantile(drops, 0.975));
    }

    private static double Quantile(List<double> sorted, double p)
    {
        var at = p * (sorted.Count - 1);
        var below = (int)at;
        return below + 1 < sorted.Count ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }
}
