using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// How clearly the original decides one sample: in nats (differences of logits, or of probabilities' logarithms), how far its class is ahead of all
/// others; of a sequence, at the step where that is least.
/// </summary>
internal sealed class DecisionMargin
{
    // Of a probability that is 0 in single precision.
    private const double LeastProbability = 1e-38;

    private readonly int[] decided;
    private readonly int classes;
    private readonly bool given;

    private DecisionMargin(int[] decided, int classes, bool given, double nats) => (this.decided, this.classes, this.given, Nats) = (decided, classes, given, nats);

    /// <summary>How far the decision is ahead; not below 0.</summary>
    public double Nats { get; }
    /// <summary>Whether it is the label.</summary>
    public bool IsRight { get; private init; }
    /// <summary>Whether the next best would be, at the step where it is nearest.</summary>
    public bool NextIsRight { get; private init; }

    /// <summary>Null where an output is no rows of at least two scores.</summary>
    /// <param name="output">The original's output.</param>
    /// <param name="rows">Rows of it that matter; of one decision 1.</param>
    /// <param name="isRight">Whether the classes of the rows, as one decision, are the label.</param>
    public static DecisionMargin? Of(Tensor output, int rows, Func<int[], bool> isRight)
    {
        if (!output.ElementType.IsFloat() || rows < 1 || output.Count / rows < 2) return null;
        var (scores, classes, given) = (output.ToFloats(), (int)(output.Rank > 0 && rows > 1 ? output.Shape[^1] : output.Count / rows), Probabilities.AreGiven(output));
        var decided = new int[rows];
        var (nearest, next, nats) = (-1, -1, double.PositiveInfinity);
        for (var r = 0; r < rows; r++)
        {
            var row = scores.AsSpan(r * classes, classes);
            if (Scores.ArgMax(row) is not (>= 0 and var first)) return null;
            decided[r] = first;
            var (ahead, other) = Ahead(row, first, given);
            if (ahead < nats) (nearest, next, nats) = (r, other, ahead);
        }
        if (!double.IsFinite(nats)) return null;
        int[] otherwise = [.. decided];
        otherwise[nearest] = next;
        return new DecisionMargin(decided, classes, given, nats) { IsRight = isRight(decided), NextIsRight = isRight(otherwise) };
    }

    /// <summary>How far the same decision is ahead in another model's output; below 0 where it is behind.</summary>
    public double Under(Tensor output)
    {
        if (!output.ElementType.IsFloat() || output.Count < (long)decided.Length * classes) return double.NegativeInfinity;
        var scores = output.ToFloats();
        var least = double.PositiveInfinity;
        for (var r = 0; r < decided.Length; r++)
        {
            var ahead = Ahead(scores.AsSpan(r * classes, classes), decided[r], given).Nats;
            least = double.IsNaN(ahead) ? double.NegativeInfinity : Math.Min(least, ahead);
        }
        return least;
    }

    private static (double Nats, int Other) Ahead(ReadOnlySpan<float> row, int first, bool given)
    {
        var second = first == 0 ? 1 : 0;
        for (var i = 0; i < row.Length; i++)
            if (i != first && row[i] > row[second]) second = i;
        return (given ? Math.Log(Math.Max(row[first], LeastProbability)) - Math.Log(Math.Max(row[second], LeastProbability)) : (double)row[first] - row[second], second);
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
