using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>What a metric sees of one sample: the label, the scored output of the model that is measured, and that of the original model
/// on the same sample (the same tensor where the original itself is measured).</summary>
internal readonly record struct Outcome(string SampleId, Label? Label, Tensor Output, Tensor Original)
{
    /// <summary>All outputs of the model that is measured, in the model's order; only there for metrics of <see cref="IMetric.ReadsAllOutputs"/>.</summary>
    public IReadOnlyList<Tensor> Outputs { get; init; } = [];
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
    /// <summary>Looks at more outputs than the scored one (<see cref="Outcome.Outputs"/>).</summary>
    bool ReadsAllOutputs => false;
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
}

/// <summary>The contributions of one model's samples, in the order they were added.</summary>
internal sealed class MetricSeries(IMetric metric)
{
    private readonly List<double[]> contributions = [];

    public IMetric Metric { get; } = metric;
    /// <summary>Samples added.</summary>
    public int Count => contributions.Count;

    public void Add(in Outcome outcome) => contributions.Add(Metric.Contribute(outcome));

    /// <summary>The contributions, in the order of the samples.</summary>
    public IReadOnlyList<double[]> Contributions => contributions;

    /// <summary>The value over all samples.</summary>
    /// <exception cref="CompressionException">The metric is not defined on these samples.</exception>
    public double Value()
    {
        var weights = new double[Count];
        Array.Fill(weights, 1);
        var value = Metric.Over(contributions)(weights);
        return double.IsFinite(value) ? value : throw new CompressionException(Codes.MetricDoesNotFit,
            $"the metric '{Metric.Name}' is not defined on these {Count} samples: it needs {Metric.Needs}. Correct the data or evaluation.json, add samples, or use another metric.");
    }
}
