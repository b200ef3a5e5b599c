namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Agreement with the original: share of samples on which both models decide the same: the same class (<see cref="Scores.Class"/>), or the
/// same ids where evaluation.json decodes sequences. The original's own value is 1 (unless its outputs hold NaN), so drop = 1 - agreement.
/// </summary>
internal sealed class Agreement(Decoding decoding) : IMetric
{
    public string Name => "agreement";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => false;
    public bool IsShare => true;
    public int Width => 1;

    public void Contribute(in Outcome outcome, Span<double> contribution) => contribution[0] = Same(outcome) ? 1 : 0;

    private bool Same(in Outcome outcome)
    {
        if (decoding.Decode is Decode.Ctc or Decode.ArgmaxSequence)
            return Scores.Sequence(outcome.Output, decoding, Name).SequenceEqual(Scores.Sequence(outcome.Original, decoding, Name));
        var decision = Scores.Class(outcome.Original, decoding, Name);
        return decision >= 0 && decision == Scores.Class(outcome.Output, decoding, Name);
    }

    public double Value(ReadOnlySpan<double> contributions) => Mean.Of(contributions);
}
