using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>One object that a model found.</summary>
internal readonly record struct DetectedBox(Box Box, double Score);

/// <summary>The objects that a detector's outputs hold.</summary>
/// <param name="detections">How outputs are read.</param>
/// <param name="outputs">Names of all outputs, in the model's order.</param>
internal sealed class DetectedBoxes(Detections detections, IReadOnlyList<string> outputs)
{
    /// <summary>Rows whose class is below 0, or that hold a number that is none, are no objects.</summary>
    /// <exception cref="CompressionException">COB1150: the outputs are not laid out as evaluation.json says.</exception>
    public List<DetectedBox> Of(in Outcome outcome, string metric)
    {
        var boxes = Output(outcome, detections.Boxes);
        var columns = detections.Layout.Count;
        if (boxes.Rank < 1 || boxes.Shape[^1] != columns) throw Misfit(outcome, detections.Boxes, boxes, $"an output whose last axis has {columns} columns, '{string.Join(' ', detections.Layout)}'");
        var numbers = Scores.Of(boxes, metric);
        var rows = numbers.Length / columns;
        var scores = Rows(outcome, detections.Scores, rows, metric);
        var classes = Rows(outcome, detections.Classes, rows, metric);
        if (detections.Count is { } count && Scores.Of(Output(outcome, count), metric) is [var number, ..]) rows = Math.Clamp((int)number, 0, rows);
        var found = new List<DetectedBox>();
        for (var row = 0; row < rows; row++)
        {
            var values = numbers.AsSpan(row * columns, columns);
            var (x1, y1, x2, y2) = detections.Box(values);
            var own = scores.Length == 0 ? default : scores.AsSpan(row * (scores.Length / Math.Max(1, numbers.Length / columns)), scores.Length / Math.Max(1, numbers.Length / columns));
            var best = own.Length > 0 ? Scores.ArgMax(own) : -1;
            var score = detections.Column(values, "score") ?? (best < 0 ? double.NaN : own[best]);
            var id = detections.Column(values, "class") ?? (classes.Length > 0 ? classes[row] : Math.Max(best, 0));
            if (id >= 0 && id <= int.MaxValue && double.IsFinite(score) && double.IsFinite(x1 + y1 + x2 + y2)) found.Add(new(new Box((int)id, x1, y1, x2, y2), score));
        }
        return found;
    }

    private float[] Rows(in Outcome outcome, string? name, int rows, string metric)
    {
        if (name is null) return [];
        var output = Output(outcome, name);
        var values = Scores.Of(output, metric);
        if (rows == 0 ? values.Length > 0 && output.Shape.Length > 0 && output.Shape[0] > 1 : values.Length == 0 || values.Length % rows != 0)
            throw Misfit(outcome, name, output, $"one row for each of the {rows} boxes");
        return values;
    }

    private Tensor Output(in Outcome outcome, string name)
    {
        for (var i = 0; i < outputs.Count; i++) if (outputs[i] == name) return outcome.Outputs[i];
        throw new CompressionException(Codes.EvaluationConfigurationInvalid, $"'detections' names the output '{name}'. The model's outputs are {string.Join(", ", outputs.Select(o => $"'{o}'"))}. Name one of them.");
    }

    private static CompressionException Misfit(in Outcome outcome, string name, Tensor output, string valid) => new(Codes.OutputDoesNotFitLabel,
        $"the output '{name}' is {output} on sample '{outcome.SampleId}'. Valid is {valid}. Correct 'detections' in evaluation.json.");
}
