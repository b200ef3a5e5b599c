using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Cosine similarity to the original: mean over samples of &lt;a, b&gt; / (|a| |b|), a = this model's output, b = the original's, flattened.
/// A quiet sample counts as much as a loud one. Two zero outputs give 1, one gives 0, and so for empty ones. Elements that are not finite in the
/// original (a logarithm of 0) have to be the same here and are left out of the sums; any other that is not finite, here or there, gives -1.
/// </summary>
internal sealed class Cosine : IMetric
{
    public string Name => "cosine";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => false;
    public bool IsShare => false;
    public bool ShowsEveryChange => true;

    public double[] Contribute(in Outcome outcome)
    {
        var (a, b) = OutputPair.Of(outcome, Name);
        return [(outcome.Output.Count == 0) != (outcome.Original.Count == 0) ? 0 : Similarity(a, b)];
    }

    /// <summary>Of two outputs of equal length.</summary>
    public static double Similarity(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double dot = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++)
        {
            if (!float.IsFinite(b[i]) && OutputPair.Same(a[i], b[i])) continue;
            if (!float.IsFinite(a[i]) || !float.IsFinite(b[i])) return -1;
            dot += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }
        // sqrt(aa * bb) rather than sqrt(aa) * sqrt(bb): a model against itself gives exactly 1.
        return aa == 0 && bb == 0 ? 1 : aa == 0 || bb == 0 ? 0
            : Math.Clamp(dot / (aa == bb ? aa : Math.Sqrt(aa) * Math.Sqrt(bb)), -1, 1);
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.Of(contributions);
}

/// <summary>The outputs of both models on one sample.</summary>
internal static class OutputPair
{
    /// <summary>Both as floats, of equal length. Fewer or more elements than the original (an output whose shape depends on values) are
    /// compared as far as both reach, the rest against 0.</summary>
    /// <exception cref="CompressionException">COB1123: no element of the original's output is finite, so nothing can be compared.</exception>
    public static (float[] Output, float[] Original) Of(in Outcome outcome, string metric)
    {
        var a = Scores.Of(outcome.Output, metric);
        var b = ReferenceEquals(outcome.Output, outcome.Original) ? a : Scores.Of(outcome.Original, metric);
        if (b.Length > 0 && !Array.Exists(b, float.IsFinite))
            throw new CompressionException(Codes.MetricDoesNotFit, $"the original model's output on sample '{outcome.SampleId}' is {outcome.Original} without a finite number, so the metric '{metric}' has nothing to compare with. Valid are outputs of numbers. Remove the sample, correct how it is preprocessed, or name another output in evaluation.json ('output').");
        if (a.Length < b.Length) Array.Resize(ref a, b.Length);
        else if (b.Length < a.Length) Array.Resize(ref b, a.Length);
        return (a, b);
    }

    /// <summary>Equal, where NaN equals NaN.</summary>
    public static bool Same(float a, float b) => a == b || float.IsNaN(a) && float.IsNaN(b);
}
