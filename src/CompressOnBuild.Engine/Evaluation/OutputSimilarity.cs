using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// How close an output that no metric scores stays to the original's. <paramref name="IsCosine"/>: cosine similarity (float outputs), else
/// the share of equal elements. <paramref name="Mean"/> and <paramref name="Worst"/> are over the <paramref name="Samples"/> on which the
/// original's output says something.
/// </summary>
internal sealed record OutputSimilarity(string Output, bool IsCosine, double Mean, double Worst, int Samples)
{
    // What is left of a float output below this is another signal; of integers (decisions, lengths) a near tie may flip some.
    private const double MostLostCosine = 0.01, MostLostShare = 0.1;

    /// <summary>How far the mean may be below 1.</summary>
    public double Limit => IsCosine ? MostLostCosine : MostLostShare;
    public bool IsGood => Mean >= 1 - Limit;

    /// <summary>As a line of the reports; without a limit where evaluation.json says that another output is the one that matters.</summary>
    public MetricResult ToMetric(bool judged) => new($"{(IsCosine ? "cosine" : "equal")}:{Output}", 1, Mean, 1 - Mean, judged ? Limit : null, Samples, null, !judged || IsGood);
}

/// <summary>Adds up similarities sample by sample, in the order of the samples.</summary>
internal sealed class OutputSimilarities(IReadOnlyList<(string Name, bool IsFloat)> outputs)
{
    private readonly (double Sum, double Worst, int Samples)[] totals = new (double, double, int)[outputs.Count];

    /// <summary>One figure per output; null where there is nothing to compare: the scored outputs, sequences and maps, an original of zeros.</summary>
    public static double?[] Compare(Tensor[] original, Tensor[] compressed, params ReadOnlySpan<int> scored)
    {
        var figures = new double?[original.Length];
        for (var i = 0; i < figures.Length; i++) if (!scored.Contains(i) && i < compressed.Length) figures[i] = Compare(original[i], compressed[i]);
        return figures;
    }

    public void Add(double?[] figures)
    {
        for (var i = 0; i < figures.Length; i++)
        {
            if (figures[i] is not { } figure) continue;
            ref var total = ref totals[i];
            total = (total.Sum + figure, total.Samples == 0 ? figure : Math.Min(total.Worst, figure), total.Samples + 1);
        }
    }

    public IReadOnlyList<OutputSimilarity> Results() =>
        [.. outputs.Select((port, i) => (Port: port, Index: i)).Where(o => totals[o.Index].Samples > 0)
            .Select(o => new OutputSimilarity(o.Port.Name, o.Port.IsFloat, totals[o.Index].Sum / totals[o.Index].Samples, totals[o.Index].Worst, totals[o.Index].Samples))];

    private static double? Compare(Tensor original, Tensor compressed)
    {
        if (original.Count == 0) return original.ElementType == ElementType.Undefined ? null : compressed.Count == 0 ? 1 : 0;
        if (original.ElementType != compressed.ElementType || original.Count != compressed.Count) return 0;
        if (!original.ElementType.IsFloat()) return EqualShare(original, compressed);
        var before = original.ToFloats();
        var after = compressed.ToFloats();
        // Zeros have no direction to keep, but nothing may become no number.
        return Array.Exists(before, v => v != 0 && float.IsFinite(v)) || !before.Zip(after).All(p => float.IsFinite(p.Second) || OutputPair.Same(p.Second, p.First))
            ? Cosine.Similarity(after, before) : null;
    }

    private static double EqualShare(Tensor original, Tensor compressed)
    {
        if (original.Strings is { } strings) return (double)strings.Where((s, i) => s == compressed.Strings![i]).Count() / strings.Count;
        var size = original.ElementType.Bits() / 8;
        ReadOnlySpan<byte> a = original.Data.Span, b = compressed.Data.Span;
        if (size == 0) return a.SequenceEqual(b) ? 1 : 0; // packed types as a whole
        var equal = 0;
        for (var at = 0; at < a.Length; at += size) if (a.Slice(at, size).SequenceEqual(b.Slice(at, size))) equal++;
        return (double)equal / original.Count;
    }
}
