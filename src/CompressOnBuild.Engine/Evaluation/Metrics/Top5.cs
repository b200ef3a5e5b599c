namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Top-5 accuracy: share of samples whose label is among the five largest scores (of equal scores the lower index is larger). Source:
/// ILSVRC (Russakovsky et al. 2015). An output with a NaN is wrong, an empty one too.
/// </summary>
internal sealed class Top5 : IMetric
{
    public string Name => "top5";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => true;

    public double[] Contribute(in Outcome outcome)
    {
        var label = Scores.ClassOf(outcome, Name);
        var scores = Scores.OneRow(outcome, Name);
        Scores.CheckRange(outcome, label, Math.Max(scores.Length, 2));
        return [Scores.ArgMax(scores) >= 0 && label < scores.Length && Rank(scores, (int)label) < 5 ? 1 : 0];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.Of(contributions);

    /// <summary>Number of scores that come before <paramref name="label"/>'s.</summary>
    private static int Rank(float[] scores, int label)
    {
        var rank = 0;
        for (var i = 0; i < scores.Length; i++)
            if (scores[i] > scores[label] || scores[i] == scores[label] && i < label) rank++;
        return rank;
    }
}
