using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>True and predicted values of one sample.</summary>
internal static class Residuals
{
    /// <summary>What an output that is no number is off by: so much that no model is worse, and finite even when it is squared.</summary>
    public const double Ruined = 1e30;

    /// <summary>The label's values and prediction - value of each.</summary>
    /// <exception cref="CompressionException">COB1123: other labels, or the original's output is no number. COB1150: the output has not one element for each value.</exception>
    public static (IReadOnlyList<double> Values, double[] Errors) Of(in Outcome outcome, string metric)
    {
        if (outcome.Label is not ValueLabel label) throw Scores.WrongLabel(outcome, metric, "values as labels");
        var predictions = Scores.Of(outcome.Output, metric);
        Scores.CheckOriginal(outcome, Array.TrueForAll(predictions, float.IsFinite), metric);
        if (predictions.Length != label.Values.Count)
            throw new CompressionException(Codes.OutputDoesNotFitLabel, $"sample '{outcome.SampleId}' has {label.Values.Count} values as its label but the output {outcome.Output} has {predictions.Length} elements. Valid is one element for each value. Name another output in evaluation.json ('output'), or correct the labels.");
        return (label.Values, [.. label.Values.Select((v, i) => float.IsFinite(predictions[i]) ? predictions[i] - v : Ruined)]);
    }
}
