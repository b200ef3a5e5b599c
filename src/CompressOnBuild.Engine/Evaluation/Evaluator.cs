using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Evaluation;

/// <summary>One comparison for each metric, in their order, and how close the outputs stayed that no metric scores (none of them when not asked for).</summary>
internal sealed record Comparison(IReadOnlyList<PairedComparison> Metrics, IReadOnlyList<OutputSimilarity> OtherOutputs);

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
    private readonly bool judgesOthers;
    private readonly bool readsAll;
    private readonly int seed;
    private readonly int threads;

    /// <param name="original">The original model, one thread.</param>
    /// <param name="metrics">At least one; the first is the primary one.</param>
    /// <param name="output">Index of the scored output.</param>
    /// <param name="judgesOthers">Whether a search looks at the other outputs too.</param>
    /// <param name="seed">Seed of the bootstrap.</param>
    /// <param name="threads">Samples run at once.</param>
    public Evaluator(Session original, IReadOnlyList<IMetric> metrics, int output, bool judgesOthers, int seed, int threads)
    {
        (this.original, this.metrics, this.output, this.seed) = (original, metrics, output, seed);
        this.judgesOthers = judgesOthers && original.Outputs.Count > 1;
        readsAll = metrics.Any(m => m.ReadsAllOutputs);
        this.threads = Math.Max(1, threads);
    }

    /// <summary>The original's results on one split, and what is kept of the samples for the models that follow.</summary>
    public sealed class Reference
    {
        internal Split Split { get; init; } = null!;
        internal MetricSeries[] Series { get; init; } = [];
        internal Sample?[] Samples { get; init; } = [];
        internal Tensor[]?[] Outputs { get; init; } = [];

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
            Outputs = new Tensor[]?[split.Count],
        };
        long sampleBytes = 0, outputBytes = 0;
        ForEach(split.Count, (i, slot) => (Sample: split.Dataset.Read(split.Indices[i]), Outputs: Array.Empty<Tensor>()), (i, item) =>
        {
            return (item.Sample, Outputs: original.Run(item.Sample.Inputs, cancel));
        }, (i, item) =>
        {
            foreach (var series in reference.Series) series.Add(new Outcome(item.Sample.Id, item.Sample.Label, item.Outputs[output], item.Outputs[output]) { Outputs = item.Outputs });
            item.Outputs = Needed(item.Outputs);
            sampleBytes += item.Sample.Inputs.Values.Sum(t => t.ByteCount) + (item.Sample.Label?.ByteCount ?? 0);
            if (sampleBytes <= CacheBytes) reference.Samples[i] = item.Sample;
            if (NeedsOriginal && (outputBytes += item.Outputs.Sum(t => t.ByteCount)) <= CacheBytes) reference.Outputs[i] = item.Outputs;
        }, progress, cancel);
        return reference;
    }

    private bool NeedsOriginal => judgesOthers || metrics.Any(m => !m.NeedsLabels);

    private Tensor[] All(Tensor[] outputs) => readsAll ? outputs : [];

    // What no one will look at is let go.
    private Tensor[] Needed(Tensor[] outputs)
    {
        if (!judgesOthers) for (var i = 0; i < outputs.Length; i++) if (i != output) outputs[i] = Unread;
        return outputs;
    }

    /// <summary>Runs <paramref name="compressed"/> on the same samples.</summary>
    public Comparison Compare(Session compressed, Reference reference, Action<double>? progress, CancellationToken cancel)
    {
        var series = metrics.Select(m => new MetricSeries(m)).ToArray();
        var others = Others();
        ForEach(reference.Count, (i, slot) => reference.Samples[i] ?? reference.Split.Dataset.Read(reference.Split.Indices[i]), (i, sample) =>
        {
            var result = compressed.Run(sample.Inputs, cancel);
            var before = NeedsOriginal ? reference.Outputs[i] ?? original.Run(sample.Inputs, cancel) : null;
            return (Outcome: new Outcome(sample.Id, sample.Label, result[output], before?[output] ?? Unread) { Outputs = All(result) },
                Similarities: judgesOthers ? OutputSimilarities.Compare(before!, result, output) : []);
        }, (i, result) =>
        {
            foreach (var s in series) s.Add(result.Outcome);
            others.Add(result.Similarities);
        }, progress, cancel);
        return new([.. series.Select((s, i) => PairedComparison.Compare(reference.Series[i], s, seed))], others.Results());
    }

    /// <summary>Runs both models once on each sample of a split that is looked at once: nothing is kept but what <paramref name="changes"/> collects.</summary>
    public Comparison CompareOnce(Session compressed, Split split, SampleChanges? changes, Action<double>? progress, CancellationToken cancel)
    {
        var before = metrics.Select(m => new MetricSeries(m)).ToArray();
        var others = Others();
        var after = metrics.Select(m => new MetricSeries(m)).ToArray();
        ForEach(split.Count, (i, slot) => split.Dataset.Read(split.Indices[i]),
            (i, sample) =>
            {
                Tensor[] expected = original.Run(sample.Inputs, cancel), actual = compressed.Run(sample.Inputs, cancel);
                return (sample.Id, sample.Label, Original: expected[output], Compressed: actual[output], AllOriginal: All(expected), AllCompressed: All(actual), Similarities: OutputSimilarities.Compare(expected, actual, output),
                    Change: changes?.Compare(new Outcome(sample.Id, sample.Label, actual[output], expected[output])));
            },
            (i, result) =>
            {
                others.Add(result.Similarities);
                foreach (var series in before) series.Add(new Outcome(result.Id, result.Label, result.Original, result.Original) { Outputs = result.AllOriginal });
                foreach (var series in after) series.Add(new Outcome(result.Id, result.Label, result.Compressed, result.Original) { Outputs = result.AllCompressed });
                if (result.Change is { } change) changes!.Add(i, result.Id, change);
            }, progress, cancel);
        return new([.. before.Select((b, i) => PairedComparison.Compare(b, after[i], seed))], others.Results());
    }

    private OutputSimilarities Others() => new([.. original.Outputs.Select(o => (o.Name, o.ElementType.IsFloat()))]);

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
