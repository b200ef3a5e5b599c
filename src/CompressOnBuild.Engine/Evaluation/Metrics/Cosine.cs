namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Cosine similarity to the original: mean over samples of &lt;a, b&gt; / (|a| |b|), a = this model's output, b = the original's, flattened.
/// A quiet sample counts as much as a loud one. Two zero outputs give 1, one gives 0; an output that is not finite gives -1.
/// </summary>
internal sealed class Cosine : IMetric
{
    public string Name => "cosine";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => false;
    public bool IsShare => false;
    public int Width => 1;

    public void Contribute(in Outcome outcome, Span<double> contribution)
    {
        var (a, b) = OutputPair.Of(outcome, Name);
        double dot = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++)
        {
            dot += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }
        // sqrt(aa * bb) rather than sqrt(aa) * sqrt(bb): a model against itself gives exactly 1.
        contribution[0] = !double.IsFinite(dot) || !double.IsFinite(aa) ? -1 : aa == 0 && bb == 0 ? 1 : aa == 0 || bb == 0 ? 0
            : Math.Clamp(dot / (aa == bb ? aa : Math.Sqrt(aa) * Math.Sqrt(bb)), -1, 1);
    }

    public double Value(ReadOnlySpan<double> contributions) => Mean.Of(contributions);
}

/// <summary>The outputs of both models on one sample.</summary>
internal static class OutputPair
{
    /// <summary>Both as floats, of equal length. Fewer or more elements than the original (an output whose shape depends on values) are
    /// compared as far as both reach, the rest against 0.</summary>
    public static (float[] Output, float[] Original) Of(in Outcome outcome, string metric)
    {
        var a = Scores.Of(outcome.Output, metric);
        var b = ReferenceEquals(outcome.Output, outcome.Original) ? a : Scores.Of(outcome.Original, metric);
        if (a.Length < b.Length) Array.Resize(ref a, b.Length);
        else if (b.Length < a.Length) Array.Resize(ref b, a.Length);
        return (a, b);
    }
}
