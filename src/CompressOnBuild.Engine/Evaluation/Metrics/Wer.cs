using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Numerics;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Word error rate: sum of Levenshtein distances in words between decoded text and label / sum of the labels' words (the speech community's
/// measure, NIST's <c>sclite</c>). Words are what white space separates; case and punctuation count. 0 is perfect, values above 1 are possible.
/// Only empty labels: 0 if everything decoded is empty too, else 1.
/// </summary>
internal sealed class Wer(Decoding decoding) : IMetric
{
    public string Name => "wer";
    public bool HigherIsBetter => false;
    public bool NeedsLabels => true;
    public bool IsShare => false;

    public double[] Contribute(in Outcome outcome)
    {
        if (outcome.Label is not TextLabel) throw Scores.WrongLabel(outcome, Name, "texts as labels");
        // Spaces part words here, so they are never left out.
        var (truth, decoded) = SequencePair.Of(outcome, decoding with { IgnoreSpaces = false }, Name);
        var numbers = new Dictionary<string, long>(StringComparer.Ordinal);
        long[] expected = Words(truth), found = Words(decoded);
        return [EditDistance.Of<long>(expected, found), expected.Length];

        long[] Words(long[] points) => [.. string.Concat(points.Select(p => char.ConvertFromUtf32((int)p))).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(w => numbers.TryGetValue(w, out var number) ? number : numbers[w] = numbers.Count)];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.OfSums(contributions, Cer.Rate);

    public (double[] Right, double[] Wrong)? Extremes(double[] contribution) => ([0, contribution[1]], [contribution[1], contribution[1]]);
}
