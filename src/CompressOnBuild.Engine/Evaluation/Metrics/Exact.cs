using CompressOnBuild.Onnx;

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

    /// <summary>Of a sequence that ends where an end id says so, what comes behind decides nothing.</summary>
    public DecisionMargin? Margin(in Outcome outcome)
    {
        var (output, whole) = (outcome.Output, outcome);
        if (!output.ElementType.IsFloat() || output.Rank == 0 || output.Shape[^1] < 2) return null;
        var rows = (int)(output.Count / output.Shape[^1]);
        if (decoding.End is { } end && decoding.Decode != Decode.Ctc)
            for (var r = 0; r < rows; r++)
                if (Scores.ArgMax(output.ToFloats().AsSpan(r * (int)output.Shape[^1], (int)output.Shape[^1])) == end) rows = r + 1;
        return DecisionMargin.Of(output, rows, decided =>
        {
            var (truth, decoded) = SequencePair.Of(whole with { Output = Tensor.Create(Array.ConvertAll(decided, d => (long)d), decided.Length) }, decoding, Name);
            return truth.AsSpan().SequenceEqual(decoded);
        });
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.Of(contributions);
}
