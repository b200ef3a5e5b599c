using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Mean intersection over union: for each class, elements that label and decision both give it / elements that either does, added up over all
/// samples; the mean over classes that occur in labels or decisions (PASCAL VOC, Everingham et al. 2010). Elements whose label is below 0 or
/// <see cref="Decoding.Ignore"/> do not count. An output with scores of several classes, before or behind the axes of the mask, decides for the
/// largest; of one score, for 1 above <see cref="Decoding.Threshold"/>, else 0; whole numbers are decisions. A score that is no number decides for no class.
/// </summary>
internal sealed class Miou(Decoding decoding) : IMetric
{
    private const int MostClasses = 1 << 16;

    public string Name => "miou";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => false;
    public bool IsWithinOne => true;
    public string Needs => "labels with an element that counts";

    /// <summary>For each class that occurs in the sample: its number, and the elements of intersection, label and decision.</summary>
    public double[] Contribute(in Outcome outcome)
    {
        if (outcome.Label is not MaskLabel mask) throw Scores.WrongLabel(outcome, Name, "masks as labels");
        var decisions = Decisions(outcome, mask);
        var counts = new SortedDictionary<long, (long Both, long Labelled, long Decided)>();
        for (var i = 0; i < mask.Ids.Length; i++)
        {
            long label = mask.Ids[i], decision = decisions[i];
            if (label < 0 || label == decoding.Ignore) continue;
            if (label == decision)
            {
                var (both, labelled, decided) = counts.GetValueOrDefault(label);
                counts[label] = (both + 1, labelled + 1, decided + 1);
                continue;
            }
            var missed = counts.GetValueOrDefault(label);
            counts[label] = missed with { Labelled = missed.Labelled + 1 };
            if (decision < 0) continue;
            var wrong = counts.GetValueOrDefault(decision);
            counts[decision] = wrong with { Decided = wrong.Decided + 1 };
        }
        if (counts.Count > MostClasses) throw Misfit(outcome, mask, $"and both together {counts.Count} classes, more than {MostClasses}");
        return [.. counts.SelectMany(c => new double[] { c.Key, c.Value.Both, c.Value.Labelled, c.Value.Decided })];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions)
    {
        var classes = contributions.SelectMany(c => c.Where((_, i) => i % 4 == 0)).Distinct().Order().Select((c, i) => (c, i)).ToDictionary(p => p.c, p => p.i);
        return weights =>
        {
            double[] both = new double[classes.Count], either = new double[classes.Count];
            for (var i = 0; i < weights.Length; i++)
            {
                var c = contributions[i];
                for (var at = 0; at < c.Length; at += 4)
                {
                    var index = classes[c[at]];
                    both[index] += weights[i] * c[at + 1];
                    either[index] += weights[i] * (c[at + 2] + c[at + 3] - c[at + 1]);
                }
            }
            double sum = 0;
            var seen = 0;
            for (var c = 0; c < both.Length; c++)
                if (either[c] > 0) (sum, seen) = (sum + both[c] / either[c], seen + 1);
            return sum / seen;
        };
    }

    private long[] Decisions(in Outcome outcome, MaskLabel mask)
    {
        var (output, elements) = (outcome.Output, mask.Ids.Length);
        var scores = Scores.Of(output, Name);
        Scores.CheckOriginal(outcome, !Array.Exists(scores, float.IsNaN), Name);
        // Axes of length 1 (the batch, the channel of a single score) say nothing.
        long[] shape = [.. output.Shape.ToArray().Where(d => d != 1)], wanted = [.. mask.Shape.Where(d => d != 1)];
        if (shape.AsSpan().SequenceEqual(wanted))
            return Array.ConvertAll<float, long>(scores, output.ElementType.IsFloat() ? s => float.IsNaN(s) ? -1 : s > (float)decoding.Threshold ? 1 : 0 : s => (long)s);
        if (!output.ElementType.IsFloat() || shape.Length != wanted.Length + 1 || elements == 0) throw Misfit(outcome, mask, "");
        var classes = scores.Length / elements;
        var first = shape.AsSpan(1).SequenceEqual(wanted);
        if (!first && !shape.AsSpan(0, wanted.Length).SequenceEqual(wanted)) throw Misfit(outcome, mask, "");
        if (Array.Find(mask.Ids, id => id >= classes && id != decoding.Ignore) is > 0 and var beyond) Scores.CheckRange(outcome, beyond, classes);
        var (step, next) = first ? (elements, 1) : (1, classes);
        var decisions = new long[elements];
        for (var e = 0; e < elements; e++)
        {
            var best = 0;
            for (var c = 0; c < classes && best >= 0; c++)
            {
                var score = scores[e * next + c * step];
                best = float.IsNaN(score) ? -1 : score > scores[e * next + best * step] ? c : best;
            }
            decisions[e] = best;
        }
        return decisions;
    }

    private static CompressionException Misfit(in Outcome outcome, MaskLabel mask, string why) => new(Codes.OutputDoesNotFitLabel,
        $"sample '{outcome.SampleId}' has a mask of [{string.Join(",", mask.Shape)}] but the output is {outcome.Output}{(why.Length > 0 ? " " : "")}{why}. Valid is an output of the mask's shape, or with one axis of classes more before or behind it. Store masks in the output's size, or name another output in evaluation.json ('output').");
}
