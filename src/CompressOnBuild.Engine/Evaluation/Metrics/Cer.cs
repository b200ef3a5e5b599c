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
    public int Width => 2;

    public void Contribute(in Outcome outcome, Span<double> contribution)
    {
        var (truth, decoded) = SequencePair.Of(outcome, decoding, Name);
        contribution[0] = EditDistance.Of<long>(truth, decoded);
        contribution[1] = truth.Length;
    }

    public double Value(ReadOnlySpan<double> contributions)
    {
        double distance = 0, length = 0;
        for (var i = 0; i < contributions.Length; i += 2)
        {
            distance += contributions[i];
            length += contributions[i + 1];
        }
        return length > 0 ? distance / length : distance == 0 ? 0 : 1;
    }
}
