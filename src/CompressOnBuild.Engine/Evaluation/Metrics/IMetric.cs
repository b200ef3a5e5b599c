using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>What a metric sees of one sample: the label, the scored output of the model that is measured, and that of the original model
/// on the same sample (the same tensor where the original itself is measured).</summary>
internal readonly record struct Outcome(string SampleId, Label? Label, Tensor Output, Tensor Original)
{
    /// <summary>All outputs of the model that is measured, in the model's order; this and what follows is only there for metrics of <see cref="IMetric.ReadsAllOutputs"/>.</summary>
    public IReadOnlyList<Tensor> Outputs { get; init; } = [];
    /// <summary>All outputs of the original model, where a metric of <see cref="IMetric.ReadsOriginal"/> asks for them.</summary>
    public IReadOnlyList<Tensor> Originals { get; init; } = [];
    /// <summary>What the data feed, by the model's names.</summary>
    public IReadOnlyDictionary<string, Tensor> Inputs { get; init; } = new Dictionary<string, Tensor>();
}

/// <summary>
/// The value of a metric over some samples as a function of their weights: one of 0 or more for each, not all 0. All 1: the plain value; a weight
/// of 2 counts a sample twice. Finite, or NaN where the value is not defined.
/// </summary>
internal delegate double WeightedValue(ReadOnlySpan<double> weights);

/// <summary>
/// A metric: one sample gives some numbers (its contribution, of any length), any set of weighted contributions gives the value. That makes
/// every metric comparable sample by sample (<see cref="PairedComparison"/>). Metrics hold no state.
/// </summary>
internal interface IMetric
{
    /// <summary>The name in <c>Metric</c>, <c>Require</c> and the reports.</summary>
    string Name { get; }
    bool HigherIsBetter { get; }
    /// <summary>Compares with labels; otherwise with the original's output.</summary>
    bool NeedsLabels { get; }
    /// <summary>The value is a mean of shares; where every contribution is 0 or 1, changes are counted sample by sample.</summary>
    bool IsShare { get; }
    /// <summary>Whether any change of an output changes the contribution: then equal contributions are equal outputs. Decisions stay where outputs move a little.</summary>
    bool ShowsEveryChange => false;
    /// <summary>Whether the value of every sample lies within 0 and 1, so that one more sample moves the value by at most its share.</summary>
    bool IsWithinOne => IsShare;
    /// <summary>Looks at more outputs than the scored one (<see cref="Outcome.Outputs"/>).</summary>
    bool ReadsAllOutputs => false;
    /// <summary>Looks at the original's output (<see cref="Outcome.Original"/>).</summary>
    bool ReadsOriginal => !NeedsLabels;
    /// <summary>What the samples have to hold for the value to be defined, for messages.</summary>
    string Needs => "outputs that are numbers";

    /// <summary>The numbers that one sample gives.</summary>
    /// <exception cref="CompressionException">The label or output is none that this metric can judge.</exception>
    double[] Contribute(in Outcome outcome);

    /// <summary>The value over the contributions of some samples, at least one. What does not depend on the weights (an order by score) is done once, here.</summary>
    WeightedValue Over(IReadOnlyList<double[]> contributions);

    /// <summary>
    /// The contributions that the sample of <paramref name="contribution"/> would give if it were answered perfectly and not at all, where
    /// a sample is one decision; null where outputs change by degrees. Few samples may all have been spared by chance: an interval allows
    /// for one more that was not.
    /// </summary>
    (double[] Right, double[] Wrong)? Extremes(double[] contribution) => null;

    /// <summary>How clearly the original decides a sample, where the metric is about one decision between scores; else null.</summary>
    DecisionMargin? Margin(in Outcome outcome) => null;
}

/// <summary>
/// The contributions of one model's samples, in the order they were added. A sample that is a sequence has one for each run that the
/// metric judges; they belong together and have one weight.
/// </summary>
internal sealed class MetricSeries(IMetric metric)
{
    private readonly List<double[]> contributions = [];
    private readonly List<int> ends = [];

    public IMetric Metric { get; } = metric;
    /// <summary>Samples added.</summary>
    public int Count => ends.Count;
    /// <summary>Not every sample has exactly one contribution.</summary>
    public bool HasSequences { get; private set; }

    public void Add(in Outcome outcome) => Add([Metric.Contribute(outcome)]);

    /// <summary>Adds one sample.</summary>
    public void Add(IReadOnlyList<double[]> sample)
    {
        contributions.AddRange(sample);
        ends.Add(contributions.Count);
        HasSequences |= sample.Count != 1;
    }

    /// <summary>The contributions, in the order of the samples.</summary>
    public IReadOnlyList<double[]> Contributions => contributions;

    /// <summary>The value as a function of the weights of the samples and of <paramref name="more"/> contributions behind them.</summary>
    public WeightedValue Over(params double[][] more)
    {
        double[][] all = [.. contributions, .. more];
        if (all.Length == 0) return _ => double.NaN;
        var value = Metric.Over(all);
        if (!HasSequences) return value;
        var spread = new double[all.Length];
        return weights =>
        {
            var at = 0;
            for (var sample = 0; sample < ends.Count; sample++) for (; at < ends[sample]; at++) spread[at] = weights[sample];
            weights[ends.Count..].CopyTo(spread.AsSpan(at));
            return value(spread);
        };
    }

    /// <summary>The value over all samples.</summary>
    /// <exception cref="CompressionException">The metric is not defined on these samples.</exception>
    public double Value()
    {
        var weights = new double[Count];
        Array.Fill(weights, 1);
        var value = Over()(weights);
        return double.IsFinite(value) ? value : throw new CompressionException(Codes.MetricDoesNotFit,
            $"the metric '{Metric.Name}' is not defined on these {Count} samples: it needs {Metric.Needs}. Correct the data or evaluation.json, add samples, or use another metric.");
    }

    /// <summary>Whether both series have the very same numbers.</summary>
    public bool IsSameAs(MetricSeries other) => ends.SequenceEqual(other.ends) && contributions.Zip(other.contributions).All(c => c.First.AsSpan().SequenceEqual(c.Second));
}
