using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>Reading decisions off an output.</summary>
internal static class Scores
{
    /// <summary>The output as floats.</summary>
    public static float[] Of(Tensor output, string metric)
    {
        if (output.ElementType is ElementType.String or ElementType.Complex64 or ElementType.Complex128 || output.ElementType.Bits() < 8 || output.Count == 0)
            throw new CompressionException(Codes.MetricDoesNotFit, $"the metric '{metric}' cannot score an output of {output}. Valid are outputs of numbers. Name another output in evaluation.json ('output').");
        return output.ToFloats();
    }

    /// <summary>Index of the largest score, the first of equals; -1 if any score is no number: such an output decides nothing.</summary>
    public static int ArgMax(ReadOnlySpan<float> scores)
    {
        var best = 0;
        for (var i = 0; i < scores.Length; i++)
        {
            if (float.IsNaN(scores[i])) return -1;
            if (scores[i] > scores[best]) best = i;
        }
        return best;
    }

    /// <summary>
    /// The class an output decides for: the index of its largest score over all elements; of a single score, 1 if it is greater than the
    /// threshold, else 0; a single whole number is the class itself. -1: none.
    /// </summary>
    public static long Class(Tensor output, Decoding decoding, string metric)
    {
        var scores = Of(output, metric);
        if (scores.Length > 1) return ArgMax(scores);
        if (!output.ElementType.IsFloat() && decoding.Decode != Decode.Threshold) return (long)scores[0];
        return float.IsNaN(scores[0]) ? -1 : scores[0] > (float)decoding.Threshold ? 1 : 0;
    }

    /// <summary>
    /// The ids an output decides for: argmax over the last axis, all other axes being steps in row-major order (whole numbers are ids
    /// themselves); then CTC's collapsing, or the cut before the first end id.
    /// </summary>
    public static List<long> Sequence(Tensor output, Decoding decoding, string metric)
    {
        var ids = new List<long>();
        if (output.ElementType.IsFloat())
        {
            var scores = Of(output, metric);
            var classes = output.Rank == 0 ? 1 : (int)output.Shape[^1];
            for (var step = 0; step < scores.Length; step += classes) ids.Add(ArgMax(scores.AsSpan(step, classes)));
        }
        else foreach (var id in Of(output, metric)) ids.Add((long)id);
        if (decoding.Decode == Decode.Ctc)
        {
            var collapsed = new List<long>();
            for (var i = 0; i < ids.Count; i++)
                if (ids[i] != decoding.Blank && (i == 0 || ids[i] != ids[i - 1])) collapsed.Add(ids[i]);
            return collapsed;
        }
        var end = decoding.End is { } e ? ids.IndexOf(e) : -1;
        return end < 0 ? ids : ids[..end];
    }

    /// <summary>The class label of a sample.</summary>
    public static long ClassOf(in Outcome outcome, string metric) => outcome.Label is ClassLabel label ? label.Id : throw WrongLabel(outcome, metric, "class labels");

    public static CompressionException WrongLabel(in Outcome outcome, string metric, string needed) => new(Codes.MetricDoesNotFit,
        $"the metric '{metric}' needs {needed} and sample '{outcome.SampleId}' has {(outcome.Label is null ? "no label" : $"a label of the kind {outcome.Label.Kind}")}. Choose a metric that fits: {Metric.Advice(outcome.Label?.Kind ?? LabelKind.None)}.");

    /// <exception cref="CompressionException">COB1124: the label is not the index of a score.</exception>
    public static void CheckRange(in Outcome outcome, long label, int scores)
    {
        if (label >= scores && scores > 1)
            throw new CompressionException(Codes.LabelOutOfRange, $"sample '{outcome.SampleId}' has the label {label} but the output has {scores} scores (0 to {scores - 1}). Classes count from 0. Correct the labels, or name the output with the scores in evaluation.json ('output').");
    }
}
