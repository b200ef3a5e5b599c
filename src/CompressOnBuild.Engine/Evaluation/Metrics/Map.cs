using CompressOnBuild.Evaluation.Datasets;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Mean average precision as COCO defines it (Lin et al. 2014, "Microsoft COCO"; its detection evaluation with maxDets 100 and all areas): mean over
/// classes that occur in the labels and over the IoU thresholds 0.5, 0.55, … 0.95 of the precision, interpolated from the right, at the recalls 0, 0.01, … 1.
/// <para>In each picture and class the 100 detections of the highest scores are taken from the highest on; each is matched with the free label
/// of the largest IoU at or above the threshold. Ignored labels (crowds) take what no other label does, any number of times, their IoU being the
/// intersection over the detection's own area; what they take counts neither way.</para>
/// </summary>
internal sealed class Map(DetectedBoxes boxes) : IMetric
{
    private const int Thresholds = 10, Recalls = 101, MostPerClass = 100;

    public string Name => "map";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => false;
    public bool IsWithinOne => true;
    public bool ReadsAllOutputs => true;
    public string Needs => "labels with at least one object that is not ignored";

    /// <summary>
    /// Four numbers for each class of the labels: the class, NaN, its objects less the ignored ones, 0; and for each detection: the class, the
    /// score, a bit for each threshold at which it is right, and one for each at which it counts neither way.
    /// </summary>
    public double[] Contribute(in Outcome outcome)
    {
        if (outcome.Label is not BoxesLabel label) throw Scores.WrongLabel(outcome, Name, "boxes as labels");
        var found = boxes.Of(outcome, Name).ToLookup(d => d.Box.Class);
        var truth = label.Boxes.ToLookup(b => b.Class);
        var result = new List<double>();
        foreach (var id in found.Select(f => f.Key).Concat(truth.Select(t => t.Key)).Distinct().Order())
        {
            Box[] labels = [.. truth[id].OrderBy(b => b.Ignored)];
            DetectedBox[] detections = [.. found[id].OrderByDescending(d => d.Score).Take(MostPerClass)];
            if (labels.Length > 0) result.AddRange([id, double.NaN, labels.Count(b => !b.Ignored), 0]);
            var (right, ignored) = Match(labels, detections);
            for (var d = 0; d < detections.Length; d++) result.AddRange([id, detections[d].Score, right[d], ignored[d]]);
        }
        return [.. result];
    }

    private static (int[] Right, int[] Ignored) Match(Box[] labels, DetectedBox[] detections)
    {
        int[] right = new int[detections.Length], ignored = new int[detections.Length];
        var overlaps = detections.Select(d => labels.Select(l => Overlap(d.Box, l)).ToArray()).ToArray();
        for (var t = 0; t < Thresholds; t++)
        {
            var taken = new bool[labels.Length];
            for (var d = 0; d < detections.Length; d++)
            {
                var (best, match) = (Math.Min(0.5 + t * 0.05, 1 - 1e-10), -1);
                for (var l = 0; l < labels.Length; l++)
                {
                    if (taken[l] && !labels[l].Ignored) continue;
                    // The ignored ones come last, and only for what matches no other.
                    if (match >= 0 && !labels[match].Ignored && labels[l].Ignored) break;
                    if (overlaps[d][l] < best) continue;
                    (best, match) = (overlaps[d][l], l);
                }
                if (match < 0) continue;
                taken[match] = true;
                if (labels[match].Ignored) ignored[d] |= 1 << t;
                else right[d] |= 1 << t;
            }
        }
        return (right, ignored);
    }

    private static double Overlap(Box found, Box label)
    {
        double width = Math.Min(found.X2, label.X2) - Math.Max(found.X1, label.X1), height = Math.Min(found.Y2, label.Y2) - Math.Max(found.Y1, label.Y1);
        if (width <= 0 || height <= 0) return 0;
        double both = width * height, own = (found.X2 - found.X1) * (found.Y2 - found.Y1);
        return both / (label.Ignored ? own : own + (label.X2 - label.X1) * (label.Y2 - label.Y1) - both);
    }

    private sealed record Class(List<(int Sample, double Objects)> Labels, List<(int Sample, double Score, int Right, int Ignored)> Detections);

    public WeightedValue Over(IReadOnlyList<double[]> contributions)
    {
        var byClass = new SortedDictionary<double, Class>();
        for (var sample = 0; sample < contributions.Count; sample++)
        {
            var c = contributions[sample];
            for (var at = 0; at < c.Length; at += 4)
            {
                if (!byClass.TryGetValue(c[at], out var entry)) byClass.Add(c[at], entry = new([], []));
                if (double.IsNaN(c[at + 1])) entry.Labels.Add((sample, c[at + 2]));
                else entry.Detections.Add((sample, c[at + 1], (int)c[at + 2], (int)c[at + 3]));
            }
        }
        // Of equal scores the earlier sample comes first.
        var classes = byClass.Values.Where(c => c.Labels.Any(l => l.Objects > 0)).Select(c => (c.Labels, Detections: c.Detections.OrderByDescending(d => d.Score).ToArray())).ToArray();
        return weights =>
        {
            double sum = 0;
            var seen = 0;
            foreach (var (labels, detections) in classes)
            {
                double objects = 0;
                foreach (var (sample, count) in labels) objects += weights[sample] * count;
                if (objects == 0) continue;
                seen++;
                for (var t = 0; t < Thresholds; t++) sum += AveragePrecision(detections, objects, 1 << t, weights) / Thresholds;
            }
            return sum / seen;
        };
    }

    private static double AveragePrecision((int Sample, double Score, int Right, int Ignored)[] detections, double objects, int threshold, ReadOnlySpan<double> weights)
    {
        double[] recall = new double[detections.Length], precision = new double[detections.Length];
        double right = 0, wrong = 0;
        for (var d = 0; d < detections.Length; d++)
        {
            var weight = weights[detections[d].Sample];
            if ((detections[d].Right & threshold) != 0) right += weight;
            else if ((detections[d].Ignored & threshold) == 0) wrong += weight;
            recall[d] = right / objects;
            precision[d] = right + wrong > 0 ? right / (right + wrong) : 0;
        }
        for (var d = detections.Length - 2; d >= 0; d--) precision[d] = Math.Max(precision[d], precision[d + 1]);
        double sum = 0;
        var at = 0;
        for (var r = 0; r < Recalls; r++)
        {
            while (at < recall.Length && recall[at] < r * 0.01) at++;
            if (at == recall.Length) break;
            sum += precision[at];
        }
        return sum / Recalls;
    }
}
