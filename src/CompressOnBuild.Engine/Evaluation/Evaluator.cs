using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// Measures models on a split against the original on the same samples. Samples run side by side on one session, one thread each;
/// contributions are added in the order of the samples, so the number of threads never changes a figure.
/// </summary>
internal sealed class Evaluator
{
    /// <summary>Decoded samples and original outputs are kept up to this many bytes each: a search reads the selection split many times.</summary>
    private const long CacheBytes = 256L << 20;

    /// <summary>Stands for the original's output where no metric looks at it; never the same tensor as what is measured.</summary>
    private static readonly Tensor Unread = Tensor.Create<float>([], 0);

    private readonly Session original;
    private readonly IReadOnlyList<IMetric> metrics;
    private readonly int output;
    private readonly int seed;
    private readonly int threads;

    /// <param name="original">The original model, one thread.</param>
    /// <param name="metrics">At least one; the first is the primary one.</param>
    /// <param name="output">Index of the scored output.</param>
    /// <param name="seed">Seed of the bootstrap.</param>
    /// <param name="threads">Samples run at once.</param>
    public Evaluator(Session original, IReadOnlyList<IMetric> metrics, int output, int seed, int threads)
    {
        (this.original, this.metrics, this.output, this.seed) = (original, metrics, output, seed);
        this.threads = Math.Max(1, threads);
    }

    /// <summary>The original's results on one split, and what is kept of the samples for the models that follow.</summary>
    public sealed class Reference
    {
        internal Split Split { get; init; } = null!;
        internal MetricSeries[] Series { get; init; } = [];
        internal Sample?[] Samples { get; init; } = [];
        internal Tensor?[] Outputs { get; init; } = [];

        /// <summary>Number of samples.</summary>
        public int Count => Split.Count;
    }

    /// <summary>Runs the original on <paramref name="split"/>.</summary>
    public Reference Measure(Split split, Action<double>? progress, CancellationToken cancel)
    {
        var reference = new Reference
        {
            Split = split,
            Series = [.. metrics.Select(m => new MetricSeries(m))],
            Samples = new Sample?[split.Count],
            Outputs = new Tensor?[split.Count],
        };
        var keepsOutputs = metrics.Any(m => !m.NeedsLabels);
        long sampleBytes = 0, outputBytes = 0;
        ForEach(split.Count, (i, slot) => (Sample: split.Dataset.Read(split.Indices[i]), Output: default(Tensor)), (i, item) =>
        {
            var result = original.Run(item.Sample.Inputs, cancel)[output];
            return (item.Sample, Output: (Tensor?)result);
        }, (i, item) =>
        {
            foreach (var series in reference.Series) series.Add(new Outcome(item.Sample.Id, item.Sample.Label, item.Output!, item.Output!));
            sampleBytes += item.Sample.Inputs.Values.Sum(t => t.ByteCount);
            if (sampleBytes <= CacheBytes) reference.Samples[i] = item.Sample;
            if (keepsOutputs && (outputBytes += item.Output!.ByteCount) <= CacheBytes) reference.Outputs[i] = item.Output;
        }, progress, cancel);
        return reference;
    }

    /// <summary>Runs <paramref name="compressed"/> on the same samples; one comparison for each metric, in their order.</summary>
    public IReadOnlyList<PairedComparison> Compare(Session compressed, Reference reference, Action<double>? progress, CancellationToken cancel)
    {
        var series = metrics.Select(m => new MetricSeries(m)).ToArray();
        var needsOriginal = metrics.Any(m => !m.NeedsLabels);
        ForEach(reference.Count, (i, slot) => reference.Samples[i] ?? reference.Split.Dataset.Read(reference.Split.Indices[i]), (i, sample) =>
        {
            var result = compressed.Run(sample.Inputs, cancel)[output];
            var before = needsOriginal ? reference.Outputs[i] ?? original.Run(sample.Inputs, cancel)[output] : Unread;
            return new Outcome(sample.Id, sample.Label, result, before);
        }, (i, outcome) =>
        {
            foreach (var s in series) s.Add(outcome);
        }, progress, cancel);
        return [.. series.Select((s, i) => PairedComparison.Compare(reference.Series[i], s, seed))];
    }

    /// <summary>Runs both models once on each sample of a split that is looked at once: nothing is kept.</summary>
    public IReadOnlyList<PairedComparison> CompareOnce(Session compressed, Split split, Action<double>? progress, CancellationToken cancel)
    {
        var before = metrics.Select(m => new MetricSeries(m)).ToArray();
        var after = metrics.Select(m => new MetricSeries(m)).ToArray();
        ForEach(split.Count, (i, slot) => split.Dataset.Read(split.Indices[i]),
            (i, sample) => (sample.Id, sample.Label, Original: original.Run(sample.Inputs, cancel)[output], Compressed: compressed.Run(sample.Inputs, cancel)[output]),
            (i, result) =>
            {
                foreach (var series in before) series.Add(new Outcome(result.Id, result.Label, result.Original, result.Original));
                foreach (var series in after) series.Add(new Outcome(result.Id, result.Label, result.Compressed, result.Original));
            }, progress, cancel);
        return [.. before.Select((b, i) => PairedComparison.Compare(b, after[i], seed))];
    }

    private void ForEach<TIn, TOut>(int count, Func<int, int, TIn> read, Func<int, TIn, TOut> run, Action<int, TOut> add, Action<double>? progress, CancellationToken cancel)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancel };
        // Outputs wait for their turn to be added: as few as keep every thread busy, because one may be large.
        var results = new TOut[2 * threads];
        for (var start = 0; start < count; start += results.Length)
        {
            var length = Math.Min(results.Length, count - start);
            try { Parallel.For(0, length, options, k => results[k] = run(start + k, read(start + k, k))); }
            catch (AggregateException e) when (e.InnerExceptions.OfType<Diagnostics.CompressionException>().FirstOrDefault() is { } known) { throw known; }
            for (var k = 0; k < length; k++) { add(start + k, results[k]); results[k] = default!; }
            progress?.Invoke((double)(start + length) / count);
        }
    }
}
