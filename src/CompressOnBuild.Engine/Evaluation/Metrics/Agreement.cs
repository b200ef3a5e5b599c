using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Agreement with the original: share of samples on which both models decide the same: the same class (<see cref="Scores.Class"/>), or the
/// same ids where evaluation.json decodes sequences. Of an output with several rows of scores (a detector's boxes, a picture's points), the
/// share of rows on which both decide the same. The original's own value is 1, so drop = 1 - agreement; where it decides nothing (NaN) no
/// other model agrees with it.
/// </summary>
internal sealed class Agreement(Decoding decoding) : IMetric
{
    public string Name => "agreement";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => false;
    public bool IsShare => true;

    public double[] Contribute(in Outcome outcome) => [ReferenceEquals(outcome.Output, outcome.Original) ? 1 : Same(outcome)];

    private double Same(in Outcome outcome)
    {
        if (decoding.Decode is Decode.Ctc or Decode.ArgmaxSequence)
        {
            var ids = Scores.Sequence(outcome.Original, decoding, Name);
            return !(outcome.Original.ElementType.IsFloat() && ids.Contains(-1)) && ids.SequenceEqual(Scores.Sequence(outcome.Output, decoding, Name)) ? 1 : 0;
        }
        if (outcome.Original.Count > 0 && Scores.Rows(outcome.Original) > 1) return Scores.SameRows(outcome.Output, outcome.Original, decoding, Name);
        var decision = Scores.Class(outcome.Original, decoding, Name);
        return decision != -1 && decision == Scores.Class(outcome.Output, decoding, Name) ? 1 : 0;
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.Of(contributions);
}
