using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// How clearly the original decides one sample: in nats (differences of logits, or of probabilities' logarithms), how far its class is ahead of all
/// others. Not for sequences: where a symbol begins moves by a step without changing the text.
/// </summary>
internal sealed class DecisionMargin
{
    // Of a probability that is 0 in single precision.
    private const double LeastProbability = 1e-38;

    private readonly int decided;
    private readonly bool given;

    private DecisionMargin(int decided, bool given, double nats) => (this.decided, this.given, Nats) = (decided, given, nats);

    /// <summary>How far the decision is ahead; not below 0.</summary>
    public double Nats { get; }
    /// <summary>Whether it is the label.</summary>
    public bool IsRight { get; private init; }
    /// <summary>Whether the next best is.</summary>
    public bool NextIsRight { get; private init; }

    /// <summary>Null where an output is no row of at least two scores.</summary>
    /// <param name="output">The original's output, scores of one decision.</param>
    /// <param name="label">The class that is right.</param>
    public static DecisionMargin? Of(Tensor output, long label)
    {
        if (!output.ElementType.IsFloat() || output.Count < 2) return null;
        var (scores, given) = (output.ToFloats(), Probabilities.AreGiven(output));
        if (Scores.ArgMax(scores) is not (>= 0 and var first)) return null;
        var (nats, next) = Ahead(scores, first, given);
        return double.IsFinite(nats) ? new DecisionMargin(first, given, nats) { IsRight = first == label, NextIsRight = next == label } : null;
    }

    /// <summary>How far the same class is ahead in another model's output; below 0 where it is behind.</summary>
    public double Under(Tensor output)
    {
        if (!output.ElementType.IsFloat() || output.Count <= Math.Max(1, decided)) return double.NegativeInfinity;
        var ahead = Ahead(output.ToFloats(), decided, given).Nats;
        return double.IsNaN(ahead) ? double.NegativeInfinity : ahead;
    }

    private static (double Nats, int Next) Ahead(ReadOnlySpan<float> scores, int first, bool given)
    {
        var next = first == 0 ? 1 : 0;
        for (var i = 0; i < scores.Length; i++)
            if (i != first && scores[i] > scores[next]) next = i;
        return (given ? Math.Log(Math.Max(scores[first], LeastProbability)) - Math.Log(Math.Max(scores[next], LeastProbability)) : (double)scores[first] - scores[next], next);
    }
}

/// <summary>Shares of samples that are expected to go from right to wrong or back (<paramref name="Changed"/>), and to be lost by it (<paramref name="Lost"/>, the former less the latter).</summary>
internal sealed record ExpectedChanges(double Changed, double Lost)
{
    // Of fewer the noise is not known.
    private const int Fewest = 20;

    /// <summary>
    /// What noise as it was seen does to margins as they are. Of a good model a handful of samples change, and how many of few samples do is mostly
    /// chance; but every sample says how far the model moves a margin, and every one has a margin that may be crossed.
    /// <para>Symbols: m_i margin of sample i in the original, d_i what the other model added to it.</para>
    /// <para>1. Noise is that of the closer half of the decisions: where a class is far ahead, scores are large, and move by more.</para>
    /// <para>2. changed = mean over i of the share of that half's d_j with m_i + d_j below 0, the mean over all pairs instead of only i = j, of samples
    /// where the original or its next best is right: from wrong to wrong nothing is lost; lost = the same with the weight -1 where the next best is right.</para>
    /// </summary>
    /// <param name="margins">Of the original.</param>
    /// <param name="after">The same margins in the other model.</param>
    public static ExpectedChanges? Of(IReadOnlyList<DecisionMargin> margins, IReadOnlyList<double> after)
    {
        if (margins.Count < Fewest) return null;
        var closer = margins.Select((m, i) => (m.Nats, Noise: after[i] - m.Nats)).OrderBy(p => p.Nats).Take((margins.Count + 1) / 2).Select(p => p.Noise).Order().ToArray();
        double changed = 0, lost = 0;
        foreach (var m in margins)
        {
            var below = Array.BinarySearch(closer, -m.Nats);
            // The first that does not cross.
            if (below < 0) below = ~below;
            while (below > 0 && closer[below - 1] == -m.Nats) below--;
            var share = (double)below / closer.Length;
            if (m.IsRight || m.NextIsRight) changed += share;
            lost += m.IsRight ? share : m.NextIsRight ? -share : 0;
        }
        return new(changed / margins.Count, lost / margins.Count);
    }
}
