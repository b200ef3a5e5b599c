namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Macro-averaged F1: mean over classes of 2 TP / (2 TP + FP + FN), each class of the labels or decisions counting the same (van Rijsbergen 1979;
/// scikit-learn's <c>f1_score(average="macro")</c>). Decisions as in <see cref="Top1"/>; an output with a NaN decides for no class.
/// </summary>
internal sealed class F1(Decoding decoding) : IMetric
{
    public string Name => "f1";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => true;
    public bool IsShare => false;

    public double[] Contribute(in Outcome outcome)
    {
        var label = Scores.ClassOf(outcome, Name);
        Scores.OneRow(outcome, Name);
        Scores.CheckRange(outcome, label, (int)outcome.Output.Count);
        return [label, Math.Max(Scores.Class(outcome.Output, decoding, Name), -1)];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions)
    {
        var classes = contributions.SelectMany(c => c).Where(c => c >= 0).Distinct().Order().ToList();
        var index = classes.Select((c, i) => (c, i)).ToDictionary(p => p.c, p => p.i);
        var pairs = contributions.Select(c => (Label: index[c[0]], Decision: c[1] < 0 ? -1 : index[c[1]])).ToArray();
        return weights =>
        {
            double[] right = new double[classes.Count], labelled = new double[classes.Count], decided = new double[classes.Count];
            for (var i = 0; i < pairs.Length; i++)
            {
                var (label, decision) = pairs[i];
                labelled[label] += weights[i];
                if (decision >= 0) decided[decision] += weights[i];
                if (decision == label) right[label] += weights[i];
            }
            double sum = 0;
            var seen = 0;
            for (var c = 0; c < classes.Count; c++)
            {
                if (labelled[c] + decided[c] == 0) continue;
                seen++;
                sum += 2 * right[c] / (labelled[c] + decided[c]);
            }
            return sum / seen;
        };
    }

    public (double[] Right, double[] Wrong)? Extremes(double[] contribution) => ([contribution[0], contribution[0]], [contribution[0], -1]);
}
