using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>Reading decisions off an output.</summary>
internal static class Scores
{
    /// <summary>The output as floats; none for an empty one (nothing was found in this sample).</summary>
    public static float[] Of(Tensor output, string metric)
    {
        Check(output, metric);
        return output.ToFloats();
    }

    /// <summary>Refuses what is no output of numbers.</summary>
    /// <exception cref="CompressionException">COB1123 for an output that holds no numbers.</exception>
    public static void Check(Tensor output, string metric)
    {
        if (output.ElementType is ElementType.String or ElementType.Complex64 or ElementType.Complex128 || output.ElementType.Bits() < 8)
            throw new CompressionException(Codes.MetricDoesNotFit, $"the metric '{metric}' cannot score an output of {(output.ElementType == ElementType.Undefined ? "sequences or maps" : output)}. Valid are outputs of numbers. Name another output in evaluation.json ('output').");
    }

    /// <summary>What an empty output decides: nothing, but as two empty ones do the same it is a decision.</summary>
    private const long Empty = -2;

    /// <summary>Index of the largest score, the first of equals; -1 if any score is no number or there is none: such an output decides nothing.</summary>
    public static int ArgMax(ReadOnlySpan<float> scores)
    {
        var best = scores.Length > 0 ? 0 : -1;
        for (var i = 0; i < scores.Length; i++)
        {
            if (float.IsNaN(scores[i])) return -1;
            if (scores[i] > scores[best]) best = i;
        }
        return best;
    }

    /// <summary>
    /// The class an output decides for: the index of its largest score over all elements; of a single score, 1 if it is greater than the
    /// threshold, else 0; a single whole number is the class itself. -1: a score is no number; -2: there is no score.
    /// </summary>
    public static long Class(Tensor output, Decoding decoding, string metric)
    {
        Check(output, metric);
        var scores = output.AsFloats();
        if (scores.Length == 0) return Empty;
        if (scores.Length > 1) return ArgMax(scores);
        if (!output.ElementType.IsFloat() && decoding.Decode != Decode.Threshold) return (long)scores[0];
        return float.IsNaN(scores[0]) ? -1 : scores[0] > (float)decoding.Threshold ? 1 : 0;
    }

    /// <summary>Number of decisions in an output: all axes but the last; axes of length 1 at the end (a pooled picture's) are none.</summary>
    public static long Rows(Tensor output)
    {
        var rank = output.Rank;
        while (rank > 2 && output.Shape[rank - 1] == 1) rank--;
        long rows = 1;
        for (var d = 0; d < rank - 1; d++) rows *= output.Shape[d];
        return rows;
    }

    /// <summary>Share of the rows on which two outputs of equal shape decide the same (<see cref="Class"/> of each; whole numbers are decisions themselves).</summary>
    public static double SameRows(Tensor output, Tensor original, Decoding decoding, string metric)
    {
        var (a, b) = (Of(output, metric), Of(original, metric));
        if (a.Length != b.Length) return 0;
        var columns = output.ElementType.IsFloat() ? a.Length / (int)Rows(original) : 1;
        var same = 0;
        for (var at = 0; at < a.Length; at += columns)
        {
            if (!output.ElementType.IsFloat()) { same += a[at] == b[at] ? 1 : 0; continue; }
            var decision = Decide(b.AsSpan(at, columns));
            if (decision >= 0 && decision == Decide(a.AsSpan(at, columns))) same++;
        }
        return (double)same / (a.Length / columns);

        int Decide(ReadOnlySpan<float> scores) => scores.Length > 1 || float.IsNaN(scores[0]) ? ArgMax(scores) : scores[0] > (float)decoding.Threshold ? 1 : 0;
    }

    /// <summary>The scores of a metric that has one label for one decision.</summary>
    /// <exception cref="CompressionException">COB1123: the output holds several decisions, or the original's decides nothing.</exception>
    public static float[] OneRow(in Outcome outcome, string metric)
    {
        var scores = Of(outcome.Output, metric);
        if (scores.Length > 1 && Rows(outcome.Output) > 1)
            throw new CompressionException(Codes.MetricDoesNotFit, $"the metric '{metric}' has one label for sample '{outcome.SampleId}' but the output {outcome.Output} holds {Rows(outcome.Output)} rows of scores. Valid is one row. Name another output in evaluation.json ('output'), or a metric that compares with the original: agreement, cosine, sqnr.");
        CheckOriginal(outcome, Array.TrueForAll(scores, s => !float.IsNaN(s)), metric);
        return scores;
    }

    /// <summary>Nothing can be measured against an original that decides nothing: it and a ruined model would look equally wrong.</summary>
    /// <exception cref="CompressionException">COB1123.</exception>
    public static void CheckOriginal(in Outcome outcome, bool decides, string metric)
    {
        if (!decides && ReferenceEquals(outcome.Output, outcome.Original))
            throw new CompressionException(Codes.MetricDoesNotFit, $"the original model's output on sample '{outcome.SampleId}' holds NaN, so the metric '{metric}' has no decision to compare with. Valid are outputs of numbers. Remove the sample, correct how it is preprocessed, or name another output in evaluation.json ('output').");
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
            throw new CompressionException(Codes.LabelOutOfRange, $"sample '{outcome.SampleId}' has the label {label} but the output has {scores} scores (0 to {scores - 1}). Classes count from 0. Correct the labels, or name the output with the scores in evaluation.json ('output'); numbers to predict are \"labelKind\": \"values\" there.");
    }
}
