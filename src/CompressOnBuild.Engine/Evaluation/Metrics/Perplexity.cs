using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Perplexity (Jelinek et al. 1977): exp of the mean over all labelled steps of -ln p(id), p = the model's probability of the label's id at
/// that step. The output holds a row of scores over the vocabulary for each step ([1, steps, vocabulary]), the label the id that each step
/// ought to give: shift it by one where the model predicts the next token. Scores are logits (softmax is applied) unless the original's
/// first output is a distribution. Ids below 0 (padding, a prompt) are left out. 1 is perfect. A step counts at most -ln 1e-12.
/// </summary>
internal sealed class Perplexity(bool given) : IMetric
{
    private const double Most = 27.631021115928547; // -ln 1e-12

    public string Name => "perplexity";
    public bool HigherIsBetter => false;
    public bool NeedsLabels => true;
    public bool IsShare => false;
    public bool ShowsEveryChange => true;
    public string Needs => "one step at least whose label is an id";

    public double[] Contribute(in Outcome outcome)
    {
        if (outcome.Label is not SequenceLabel label) throw Scores.WrongLabel(outcome, Name, "sequences of ids as labels");
        var scores = Scores.Of(outcome.Output, Name);
        Scores.CheckOriginal(outcome, !Array.Exists(scores, float.IsNaN), Name);
        var vocabulary = outcome.Output.Rank == 0 ? 1 : (int)outcome.Output.Shape[^1];
        if (!outcome.Output.ElementType.IsFloat() || vocabulary < 2 || label.Ids.Count > scores.Length / vocabulary)
            throw new CompressionException(Codes.OutputDoesNotFitLabel, $"sample '{outcome.SampleId}' has a label of {label.Ids.Count} steps but the output is {outcome.Output}. Valid is a row of scores over the vocabulary for each step of the label. Name another output in evaluation.json ('output'), or correct the labels.");
        double sum = 0;
        var steps = 0;
        for (var step = 0; step < label.Ids.Count; step++)
        {
            var id = label.Ids[step];
            if (id < 0) continue;
            Scores.CheckRange(outcome, id, vocabulary);
            var surprise = -Probabilities.Logarithms(scores.AsSpan(step * vocabulary, vocabulary), given)[(int)id];
            sum += double.IsNaN(surprise) ? Most : Math.Clamp(surprise, 0, Most);
            steps++;
        }
        return [sum, steps];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.OfSums(contributions, (surprise, steps) => Math.Exp(surprise / steps));
}
