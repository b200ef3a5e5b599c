namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>Root mean squared error: square root of the mean over samples and values of (prediction - value)², in the unit of the values. A prediction
/// that is no number is off by <see cref="Residuals.Ruined"/>.</summary>
internal sealed class Rmse : IMetric
{
    public string Name => "rmse";
    public bool HigherIsBetter => false;
    public bool NeedsLabels => true;
    public bool IsShare => false;
    public bool ShowsEveryChange => true;

    public double[] Contribute(in Outcome outcome) => [Residuals.Of(outcome, Name).Errors.Average(e => e * e)];

    public WeightedValue Over(IReadOnlyList<double[]> contributions)
    {
        var mean = Mean.Of(contributions);
        return weights => Math.Sqrt(mean(weights));
    }
}
