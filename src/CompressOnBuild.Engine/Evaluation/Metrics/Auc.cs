using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Area under the ROC curve by ranks (Mann-Whitney; Hanley and McNeil 1982), ties at mean rank: (R+ - p (p + 1) / 2) / (p n) with p positive
/// and n other samples and R+ the sum of the positives' ranks. A single score is ranked itself; of several, the one of
/// <see cref="Decoding.PositiveClass"/>. Positive = the label is that class. NaN where one kind of sample is missing.
/// </summary>
internal sealed class Auc(Decoding decoding) : IMetric
{
    public string Name => "auc";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => false;
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

    public double Value(ReadOnlySpan<double[]> contributions)
    {
        var count = contributions.Length;
        var scores = new double[count];
        var positives = new double[count];
        double p = 0, rankSum = 0;
        for (var i = 0; i < count; i++)
        {
            (scores[i], positives[i]) = (contributions[i][0], contributions[i][1]);
            p += positives[i];
        }
        if (p == 0 || p == count) return double.NaN;
        Array.Sort(scores, positives);
        for (int from = 0, to; from < count; from = to)
        {
            double tied = 0;
            for (to = from; to < count && scores[to] == scores[from]; to++) tied += positives[to];
            rankSum += tied * ((from + 1 + to) / 2.0);
        }
        return (rankSum - p * (p + 1) / 2) / (p * (count - p));
    }
}
