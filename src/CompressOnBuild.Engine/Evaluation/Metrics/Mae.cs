namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>Mean absolute error: mean over samples of the mean over a sample's values of |prediction - value|, in the unit of the values (Willmott and
/// Matsuura 2005). A prediction that is no number is off by <see cref="Residuals.Ruined"/>.</summary>
internal sealed class Mae : IMetric
{
    public string Name => "mae";
    public bool HigherIsBetter => false;
    public bool NeedsLabels => true;
    public bool IsShare => false;
    public bool ShowsEveryChange => true;

    public double[] Contribute(in Outcome outcome) => [Residuals.Of(outcome, Name).Errors.Average(Math.Abs)];

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.Of(contributions);
}
