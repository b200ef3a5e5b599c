namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Coefficient of determination: 1 - sum (prediction - value)² / sum (value - mean of the values)²; of several values per sample the mean over
/// them (scikit-learn's <c>r2_score</c> with its default <c>uniform_average</c>). 1 is perfect, 0 as good as the mean, below 0 worse.
/// It has no unit, so a limit on its drop means the same for every model. Not defined where all labels are equal.
/// </summary>
internal sealed class R2 : IMetric
{
    public string Name => "r2";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => false;
    public bool ShowsEveryChange => true;
    public string Needs => "two samples or more whose labels differ, and as many values in each label";

    /// <summary>All values, then the squared errors.</summary>
    public double[] Contribute(in Outcome outcome)
    {
        var (values, errors) = Residuals.Of(outcome, Name);
        return [.. values, .. errors.Select(e => e * e)];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions)
    {
        var columns = contributions[0].Length / 2;
        if (contributions.Any(c => c.Length != 2 * columns)) return _ => double.NaN;
        return weights =>
        {
            double sum = 0;
            for (var column = 0; column < columns; column++)
            {
                double total = 0, mean = 0, spread = 0, residual = 0;
                for (var i = 0; i < weights.Length; i++)
                {
                    total += weights[i];
                    mean += weights[i] * contributions[i][column];
                    residual += weights[i] * contributions[i][columns + column];
                }
                mean /= total;
                for (var i = 0; i < weights.Length; i++) spread += weights[i] * (contributions[i][column] - mean) * (contributions[i][column] - mean);
                sum += spread > 0 ? 1 - residual / spread : double.NaN;
            }
            return sum / columns;
        };
    }
}
