using CompressOnBuild.Numerics;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Character error rate: sum of Levenshtein distances between decoded sequence and label / sum of the labels' lengths, over Unicode code
/// points; over ids where labels are ids (phoneme error rate). 0 is perfect, values above 1 are possible. Only empty labels: 0 if
/// everything decoded is empty too, else 1.
/// </summary>
internal sealed class Cer(Decoding decoding) : IMetric
{
    public string Name => "cer";
    public bool HigherIsBetter => false;
    public bool NeedsLabels => true;
    public bool IsShare => false;

    public double[] Contribute(in Outcome outcome)
    {
        var (truth, decoded) = SequencePair.Of(outcome, decoding, Name);
        return [EditDistance.Of<long>(truth, decoded), truth.Length];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) =>
        Mean.OfSums(contributions, Rate);

    /// <summary>Errors per symbol.</summary>
    public static double Rate(double distance, double length) => length > 0 ? distance / length : distance == 0 ? 0 : 1;

    public (double[] Right, double[] Wrong)? Extremes(double[] contribution) => ([0, contribution[1]], [contribution[1], contribution[1]]);
}
