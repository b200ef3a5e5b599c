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
    /// <param name="given">The scores are probabilities, not logits.</param>
    public static DecisionMargin? Of(Tensor output, long label, bool given)
    {
        if (!output.ElementType.IsFloat() || output.Count < 2) return null;
        var scores = output.ToFloats();
        if (Scores.ArgMax(scores) is not (>= 0 and var first)) return null;
        var (nats, next) = Ahead(scores, first, given);
        return double.IsFinite(nats) ? new DecisionMargin(first, given, nats) { IsRight = first == label, NextIsRight = next == label } : null;
    }

    /// <summary>How far the same class is ahead in another model's output; below 0 where it is behind.</summary>
    public double Under(Tensor output)
    {
        if (!output.ElementType.IsFloat() || output.Count <= Math.Max(1, decided)) return double.NegativeInfinity;
        var scores = output.ToFloats();
        return Array.Exists(scores, float.IsNaN) ? double.NegativeInfinity : Ahead(scores, decided, given).Nats;
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
    // Margins lie the denser the nearer to 0; of fewer than this the density is not known.
    private const int ShareOfNearest = 20, FewestNearest = 10;
    // Who is right among them does not follow from so few.
    private const int ShareOfNear = 8;

    /// <summary>
    /// What noise as it was seen does to margins as they are. Of a good model a handful of samples change, and how many of few samples do is mostly
    /// chance; but every sample says how far the model moves a margin, and many have a margin that tells how densely they lie around 0.
    /// <para>Symbols: m_i margin of sample i in the original, in ascending order; d_i what the other model added to it; c_i 1 where the original or its next best is
    /// right (from wrong to wrong nothing is lost), else 0; l_i 1 where the original is, -1 where the next best is, else 0; k a twentieth of the samples, at least 10.</para>
    /// <para>1. Noise is that of the closer half of the decisions: where a class is far ahead, scores are large, and move by more.</para>
    /// <para>2. C(x), the share of samples that noise -x changes, is the mean of c_i over all i, counted where m_i is below x. Below m_k, few margins are so small as the
    /// noise: there it is a line from 0 to k/n, times the mean of c_i over the nearest eighth of all samples. L(x) is the same with l_i.</para>
    /// <para>3. changed = mean of C(-d_j) over the noise, the mean over all pairs instead of only i = j; lost = mean of L(-d_j).</para>
    /// </summary>
    /// <param name="margins">Of the original.</param>
    /// <param name="after">The same margins in the other model.</param>
    public static ExpectedChanges? Of(IReadOnlyList<DecisionMargin> margins, IReadOnlyList<double> after)
    {
        if (margins.Count < Fewest) return null;
        var sorted = margins.Select((m, i) => (Margin: m, Noise: after[i] - m.Nats)).OrderBy(p => p.Margin.Nats).ToArray();
        double[] nats = [.. sorted.Select(p => p.Margin.Nats)];
        var n = sorted.Length;
        int k = Math.Max(FewestNearest, n / ShareOfNearest), near = Math.Max(FewestNearest, n / ShareOfNear);
        double[] changes = new double[n + 1], losses = new double[n + 1];
        for (var i = 0; i < n; i++)
        {
            var m = sorted[i].Margin;
            changes[i + 1] = changes[i] + (m.IsRight || m.NextIsRight ? 1.0 / n : 0);
            losses[i + 1] = losses[i] + (m.IsRight ? 1.0 : m.NextIsRight ? -1.0 : 0) / n;
        }
        double changed = 0, lost = 0;
        var half = (n + 1) / 2;
        foreach (var (_, noise) in sorted.AsSpan(0, half))
        {
            if (!(noise < 0)) continue;
            var within = -noise < nats[k - 1];
            var below = within ? near : Below(nats, -noise);
            var share = within ? -noise / nats[k - 1] * k / near : 1;
            changed += share * changes[below] / half;
            lost += share * losses[below] / half;
        }
        return new(changed, lost);
    }

    /// <summary>How many of ascending numbers are below <paramref name="limit"/>.</summary>
    private static int Below(double[] ascending, double limit)
    {
        var (low, high) = (0, ascending.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (ascending[middle] < limit) low = middle + 1; else high = middle;
        }
        return low;
    }
}
