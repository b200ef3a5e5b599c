using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Area under the ROC curve (Mann-Whitney; Hanley and McNeil 1982): the share of pairs of a positive and another sample in which the positive
/// has the higher score, ties being worth half. A single score is ranked itself; of several, the one of
/// <see cref="Decoding.PositiveClass"/>. Positive = the label is that class. NaN where one kind of sample is missing.
/// </summary>
internal sealed class Auc(Decoding decoding) : IMetric
{
    public string Name => "auc";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => false;
    public bool ShowsEveryChange => true;
    public bool IsWithinOne => true;
    public string Needs => "samples of both classes ('positiveClass' in evaluation.json says which one is ranked), each with a score that is a number";

    public double[] Contribute(in Outcome outcome)
    {
        var positive = Scores.ClassOf(outcome, Name) == decoding.PositiveClass;
        var scores = Scores.OneRow(outcome, Name);
        if (scores.Length > 1 && decoding.PositiveClass >= scores.Length)
            throw new CompressionException(Codes.MetricDoesNotFit, $"the metric 'auc' ranks the score of class {decoding.PositiveClass} but the output has {scores.Length} scores. Correct 'positiveClass' in evaluation.json.");
        double score = scores.Length == 0 ? double.NaN : scores.Length == 1 ? scores[0] : scores[decoding.PositiveClass];
        // No number is the worst score a sample can have.
        return [double.IsNaN(score) ? positive ? double.NegativeInfinity : double.PositiveInfinity : score, positive ? 1 : 0];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions)
    {
        var order = Enumerable.Range(0, contributions.Count).OrderBy(i => contributions[i][0]).ToArray();
        return weights =>
        {
            double positives = 0, negatives = 0, won = 0;
            for (int from = 0, to; from < order.Length; from = to)
            {
                double tiedPositives = 0, tiedNegatives = 0;
                for (to = from; to < order.Length && contributions[order[to]][0] == contributions[order[from]][0]; to++)
                {
                    var (weight, isPositive) = (weights[order[to]], contributions[order[to]][1] == 1);
                    if (isPositive) tiedPositives += weight;
                    else tiedNegatives += weight;
                }
                // Against every negative below; ties are worth half.
                won += tiedPositives * (negatives + tiedNegatives / 2);
                positives += tiedPositives;
                negatives += tiedNegatives;
            }
            return won / (positives * negatives);
        };
    }
}
