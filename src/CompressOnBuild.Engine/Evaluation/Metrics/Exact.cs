namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Exact match: share of samples whose decoded sequence (greedy CTC, Graves et al. 2006, or argmax per step; see <see cref="Decoding"/>)
/// equals the label. Of lines of text this is line accuracy, of words word accuracy.
/// </summary>
internal sealed class Exact(Decoding decoding) : IMetric
{
    public string Name => "exact";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => true;

    public double[] Contribute(in Outcome outcome)
    {
        var (truth, decoded) = SequencePair.Of(outcome, decoding, Name);
        return [truth.AsSpan().SequenceEqual(decoded) ? 1 : 0];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.Of(contributions);
}
