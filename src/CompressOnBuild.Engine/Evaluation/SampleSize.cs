using CompressOnBuild.Numerics;

namespace CompressOnBuild.Evaluation;

/// <summary>How many samples would decide what these leave open.</summary>
internal static class SampleSize
{
    private const double Most = 1e9;
    /// <summary>At the limit itself half of all gates would be inconclusive, this far from it one of three.</summary>
    private const double RoomForChance = 0.5;

    /// <summary>
    /// The number of samples, to two digits, at which the interval would lie on one side of <paramref name="limit"/> if the drop stayed what it is; null
    /// where it does so now, where there is no interval, or where the drop is the limit. Shares: by their own interval, with as many changes per
    /// sample; others: its half shrinks with the root of the number.
    /// </summary>
    public static long? ToDecide(PairedComparison measured, double limit)
    {
        if (measured.Confidence is not { } interval || interval.High <= limit || interval.Low > limit) return null;
        var distance = limit - measured.Drop;
        if (!(Math.Abs(distance) > 1e-6)) return null;
        if (measured is not { Worse: { } worse, Better: { } better })
        {
            var half = distance > 0 ? interval.High - measured.Drop : measured.Drop - interval.Low;
            return Rounded(measured.Samples * (half / distance) * (half / distance));
        }
        double below = measured.Samples, enough = below;
        while (!Decides(enough *= 2)) if (enough > Most) return null;
        below = enough / 2;
        while (enough > below * 1.01)
        {
            var middle = (below + enough) / 2;
            if (Decides(middle)) enough = middle;
            else below = middle;
        }
        return Rounded(enough);

        bool Decides(double samples)
        {
            var scale = samples / measured.Samples;
            var i = MatchedShares.Difference(worse * scale, better * scale, samples);
            return distance > 0 ? i.High <= limit : i.Low > limit;
        }
    }

    /// <summary>
    /// The upper end of the interval of the primary metric's drop that <paramref name="samples"/> others would give. From margins where they are known: then the loss is
    /// taken <see cref="RoomForChance"/> standard deviations (the root of the number of changes) above what is expected.
    /// </summary>
    public static double ExpectedHigh(Comparison measured, int samples)
    {
        if (measured.Expected is not { } expected) return ExpectedHigh(measured.Metrics[0], samples);
        var changes = expected.Changed * samples;
        return MatchedShares.High(changes, Math.Clamp(expected.Lost * samples + RoomForChance * Math.Sqrt(changes), 0, changes), samples);
    }

    /// <summary>
    /// The upper end of the interval of the drop that <paramref name="samples"/> others would give: half of the drop counts, and a gain not at
    /// all, because chance moves the drop of few samples both ways. 0 where there is no interval.
    /// </summary>
    public static double ExpectedHigh(PairedComparison measured, int samples)
    {
        if (measured.Confidence is not { } interval) return 0;
        var scale = (double)samples / measured.Samples;
        if (measured is not { Worse: { } worse, Better: { } better })
            return Math.Max(0, measured.Drop) / 2 + (interval.High - interval.Low) / 2 / Math.Sqrt(scale);
        var changes = (worse + better) * scale;
        var lost = Math.Max(0, worse - better) * scale / 2;
        return MatchedShares.High(changes, lost, samples);
    }

    private static long? Rounded(double samples)
    {
        if (!(samples < Most)) return null;
        var unit = Math.Pow(10, Math.Max(0, Math.Floor(Math.Log10(samples)) - 1));
        return (long)(Math.Ceiling(samples / unit) * unit);
    }
}
