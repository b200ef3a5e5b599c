using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// Collects how the scored outputs of both models differ, sample by sample and in their order: 8 bytes per sample, the samples that changed
/// most, and one counter per pair of classes that the decisions went between.
/// </summary>
/// <param name="decoding">How outputs become decisions.</param>
/// <param name="decides">Whether outputs are decisions at all; those of a regression are none.</param>
internal sealed class SampleChanges(Decoding decoding, bool decides)
{
    private const int MostBins = 24;

    private readonly List<double> ratios = [];
    private readonly Dictionary<(long Original, long Compressed), (int Samples, int RightToWrong, int WrongToRight)> pairs = [];
    // The worst first.
    private readonly List<(int Rank, double Ratio, int Index, string Id, Change Change)> worst = [];
    private int samples, decided, changed, rightToWrong, wrongToRight;

    /// <summary>The difference on one sample: signal-to-noise ratio in dB (null: the output is not of floats), and the decisions.</summary>
    public sealed record Change(double? Ratio, SampleDecision? Decision);

    /// <summary>Compares both outputs of one sample; may be called from several threads.</summary>
    public Change Compare(in Outcome outcome) => new(Ratio(outcome), decides ? SampleDecision.Of(outcome, decoding) : null);

    /// <summary>Adds sample number <paramref name="index"/>; samples come in their order.</summary>
    public void Add(int index, string id, Change change)
    {
        samples++;
        if (change.Ratio is { } ratio) ratios.Add(ratio);
        var (decision, rank) = (change.Decision, 2);
        if (decision is not null) decided++;
        if (decision is { Changed: true })
        {
            changed++;
            if (decision.WasRight) rightToWrong++;
            if (decision.IsRight) wrongToRight++;
            rank = decision.WasRight ? 0 : decision.IsRight ? 2 : 1;
            if (decision.IsClass)
            {
                var key = (decision.Original[0], decision.Compressed[0]);
                var counts = pairs.GetValueOrDefault(key);
                pairs[key] = (counts.Samples + 1, counts.RightToWrong + (decision.WasRight ? 1 : 0), counts.WrongToRight + (decision.IsRight ? 1 : 0));
            }
        }
        else if (change.Ratio is null or double.PositiveInfinity) return;
        var entry = (rank, change.Ratio ?? 0, index, id, change);
        var at = worst.FindIndex(w => (w.Rank, w.Ratio).CompareTo((entry.rank, entry.Item2)) > 0);
        worst.Insert(at < 0 ? worst.Count : at, entry);
        if (worst.Count > OutputChanges.MostWorst) worst.RemoveAt(worst.Count - 1);
    }

    /// <summary>What was found. <paramref name="picture"/>: the picture of sample number i, null for none.</summary>
    public OutputChanges Result(IReadOnlyList<string>? classNames, Func<int, ReadOnlyMemory<byte>?> picture) => new()
    {
        Samples = samples,
        Equal = ratios.Count(double.IsPositiveInfinity),
        Histogram = Histogram(),
        MedianSignalToNoise = Median(),
        Decided = decided,
        Changed = changed,
        RightToWrong = rightToWrong,
        WrongToRight = wrongToRight,
        Pairs = [.. pairs.OrderByDescending(p => p.Value.Samples).ThenByDescending(p => p.Value.RightToWrong).ThenBy(p => p.Key).Take(OutputChanges.MostPairs)
            .Select(p => new DecisionChange(SampleDecision.ClassText(p.Key.Original, classNames), SampleDecision.ClassText(p.Key.Compressed, classNames), p.Value.Samples, p.Value.RightToWrong, p.Value.WrongToRight))],
        Worst = [.. worst.Select(w => new SampleChange(w.Id, w.Change.Ratio, Text(w.Change.Decision, d => d.Label, classNames), Text(w.Change.Decision, d => d.Original, classNames), Text(w.Change.Decision, d => d.Compressed, classNames), picture(w.Index)))],
    };

    /// <summary>10 log10(sum of original² / sum of difference²) of one sample: infinite for equal outputs, negative infinity where a number became none.</summary>
    private static double? Ratio(in Outcome outcome)
    {
        if (!outcome.Original.ElementType.IsFloat() || !outcome.Output.ElementType.IsFloat()) return null;
        float[] before = outcome.Original.ToFloats(), after = outcome.Output.ToFloats();
        double signal = 0, noise = 0;
        for (var i = 0; i < Math.Max(before.Length, after.Length); i++)
        {
            // Where one output is longer, the other counts as 0.
            var (b, a) = (i < before.Length ? before[i] : 0f, i < after.Length ? after[i] : 0f);
            if (OutputPair.Same(a, b) && !float.IsFinite(b)) continue;
            if (!float.IsFinite(a) || !float.IsFinite(b)) return double.NegativeInfinity;
            var difference = (double)a - b;
            signal += (double)b * b;
            noise += difference * difference;
        }
        return noise == 0 ? double.PositiveInfinity : signal == 0 ? double.NegativeInfinity : 10 * Math.Log10(signal / noise);
    }

    private List<SignalToNoiseBin> Histogram()
    {
        var differing = ratios.Where(r => !double.IsPositiveInfinity(r)).Select(r => Math.Clamp(r, OutputChanges.LeastSignalToNoise, Math.BitDecrement(OutputChanges.MostSignalToNoise))).ToList();
        if (differing.Count == 0) return [];
        // Round bounds, and as fine as a reader can tell apart.
        var width = ((double[])[1, 2, 5]).First(w => Math.Floor(differing.Max() / w) - Math.Floor(differing.Min() / w) < MostBins);
        var counts = differing.GroupBy(r => Math.Floor(r / width)).ToDictionary(g => g.Key, g => g.Count());
        var bins = new List<SignalToNoiseBin>();
        for (var bin = counts.Keys.Min(); bin <= counts.Keys.Max(); bin++) bins.Add(new(bin * width, (bin + 1) * width, counts.GetValueOrDefault(bin)));
        return bins;
    }

    private double? Median()
    {
        if (ratios.Count == 0) return null;
        var sorted = ratios.Order().ToList();
        var (below, above) = (sorted[(sorted.Count - 1) / 2], sorted[sorted.Count / 2]);
        return below.Equals(above) ? below : (below + above) / 2; // two infinities have no mean
    }

    private static string? Text(SampleDecision? decision, Func<SampleDecision, long[]?> what, IReadOnlyList<string>? classNames) =>
        decision is not null && what(decision) is { } value ? decision.Text(value, classNames) : null;
}
