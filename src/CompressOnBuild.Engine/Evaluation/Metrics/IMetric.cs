using System.Runtime.InteropServices;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>What a metric sees of one sample: the label, the scored output of the model that is measured, and that of the original model
/// on the same sample (the same tensor where the original itself is measured).</summary>
internal readonly record struct Outcome(string SampleId, Label? Label, Tensor Output, Tensor Original);

/// <summary>
/// A metric: one sample gives a few numbers (its contribution), any set of contributions gives the value. That makes every metric
/// comparable sample by sample (<see cref="PairedComparison"/>). Metrics hold no state.
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
    /// <summary>Numbers in one contribution.</summary>
    int Width { get; }

    /// <summary>Writes the <see cref="Width"/> numbers of one sample.</summary>
    /// <exception cref="CompressionException">The label or output is none that this metric can judge.</exception>
    void Contribute(in Outcome outcome, Span<double> contribution);

    /// <summary>The value over concatenated contributions (at least one); finite, or NaN where it is not defined.</summary>
    double Value(ReadOnlySpan<double> contributions);
}

/// <summary>The contributions of one model's samples, in the order they were added.</summary>
internal sealed class MetricSeries(IMetric metric)
{
    private readonly List<double> contributions = [];

    public IMetric Metric { get; } = metric;
    /// <summary>Samples added.</summary>
    public int Count { get; private set; }

    public void Add(in Outcome outcome)
    {
        Span<double> contribution = stackalloc double[8];
        contribution = contribution[..Metric.Width];
        Metric.Contribute(outcome, contribution);
        contributions.AddRange(contribution);
        Count++;
    }

    /// <summary>The value over all samples.</summary>
    /// <exception cref="CompressionException">The metric is not defined on these samples.</exception>
    public double Value()
    {
        var value = Metric.Value(CollectionsMarshal.AsSpan(contributions));
        return double.IsFinite(value) ? value : throw new CompressionException(Codes.MetricDoesNotFit,
            $"the metric '{Metric.Name}' is not defined on these {Count} samples: it needs samples of both classes, each with a score that is a number. Use another metric, correct 'positiveClass' in evaluation.json, or add samples.");
    }

    /// <summary>The value over the samples at <paramref name="indices"/> (repetitions count); NaN where it is not defined.</summary>
    public double Value(ReadOnlySpan<int> indices)
    {
        var gathered = new double[indices.Length * Metric.Width];
        for (var i = 0; i < indices.Length; i++) Contribution(indices[i]).CopyTo(gathered.AsSpan(i * Metric.Width));
        return Metric.Value(gathered);
    }

    /// <summary>The contribution of the sample that was added as number <paramref name="index"/>.</summary>
    public ReadOnlySpan<double> Contribution(int index) =>
        CollectionsMarshal.AsSpan(contributions).Slice(index * Metric.Width, Metric.Width);
}
