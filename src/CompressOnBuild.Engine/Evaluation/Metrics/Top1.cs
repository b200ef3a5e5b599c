namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Top-1 accuracy: share of samples whose decision (<see cref="Scores.Class"/>: largest score; of a single score, above the threshold) is the
/// label. Source: ILSVRC (Russakovsky et al. 2015). An output with a NaN is wrong, an empty one too.
/// </summary>
/// <param name="decoding">Of a single score.</param>
/// <param name="given">The output is a distribution.</param>
internal sealed class Top1(Decoding decoding, bool given = false) : IMetric
{
    public string Name => "top1";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => true;

    public double[] Contribute(in Outcome outcome)
    {
        var label = Scores.ClassOf(outcome, Name);
        Scores.OneRow(outcome, Name);
        Scores.CheckRange(outcome, label, (int)outcome.Output.Count);
        return [Scores.Class(outcome.Output, decoding, Name) == label ? 1 : 0];
    }

    public DecisionMargin? Margin(in Outcome outcome) => DecisionMargin.Of(outcome.Output, Scores.ClassOf(outcome, Name), given);

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.Of(contributions);
}
