using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Evaluation;

/// <summary>One comparison for each metric, in their order (in a search only of the primary one), and how close the outputs stayed that no metric scores (none of them when not asked for).</summary>
/// <param name="Metrics">Of each metric, in their order; in a search only of the primary one.</param>
/// <param name="OtherOutputs">Those that no metric scores.</param>
/// <param name="Expected">In a search, of decisions: what the noise does to margins as they are.</param>
internal sealed record Comparison(IReadOnlyList<PairedComparison> Metrics, IReadOnlyList<OutputSimilarity> OtherOutputs, ExpectedChanges? Expected = null);

/// <summary>
/// Measures models on a split against the original on the same samples. A sample is one run, or a sequence of runs in which each model carries
/// its own states. Samples are read, run and scored side by side on one session, one thread each (side by side needs no batches: the
/// runtime is busy on every thread, and each sample's figures are those of the app); contributions are added in the order of the samples, so
/// the number of threads never changes a figure.
/// </summary>
internal sealed class Evaluator
{
    /// <summary>Decoded samples and original outputs are kept up to this many bytes: a search reads the selection split many times.</summary>
    private const long CacheBytes = 512L << 20;
    /// <summary>Of one sequence that is still running; what is longer is read and run again.</summary>
    private const long SequenceBytes = CacheBytes / 8;

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
        /// <summary>The runs of each sample; null where they are read again.</summary>
        internal List<Sample>?[] Runs { get; init; } = [];
        /// <summary>The original's outputs in them; null where it is run again.</summary>
        internal List<Tensor[]>?[] Outputs { get; init; } = [];
        /// <summary>How clearly the original decides each sample; null where it is no single decision.</summary>
        internal DecisionMargin?[] Margins { get; init; } = [];

        /// <summary>Number of samples.</summary>
        public int Count => Split.Count;
    }

    /// <summary>What one sample gives: for each metric its contributions, one for each run that it judges, and the similarities of the runs.</summary>
    private sealed class Scored(int metrics)
    {
        public List<double[]>[] Contributions { get; } = [.. Enumerable.Range(0, metrics).Select(_ => new List<double[]>(1))];
        public List<double?[]> Similarities { get; } = [];
        public List<(string Id, SampleChanges.Change Change)> Changes { get; } = [];
    }

    /// <summary>Runs the original on <paramref name="split"/>, for a search, which looks at the primary metric alone.</summary>
    public Reference Measure(Split split, Action<double>? progress, CancellationToken cancel)
    {
        var reference = new Reference
        {
            Split = split, Series = Series(1), Runs = new List<Sample>?[split.Count], Outputs = new List<Tensor[]>?[split.Count], Margins = new DecisionMargin?[split.Count],
        };
        long kept = 0;
        ForEach(split, i =>
        {
            var (scored, walk) = (new Scored(1), new Walk(original, split.Recurrence));
            List<Sample>? runs = [];
            List<Tensor[]>? outputs = NeedsOriginal ? [] : null;
            long bytes = 0;
            DecisionMargin? margin = null;
            foreach (var run in split.Runs(i))
            {
                var result = walk.Run(run, cancel);
                Score(scored, run, result, result);
                margin = run.IsStep ? null : metrics[0].Margin(new Outcome(run.Id, run.Label, result[output], result[output]));
                result = Needed(result);
                bytes += run.ByteCount + result.Sum(t => t.ByteCount);
                if (runs?.Count > 0 && bytes > SequenceBytes) (runs, outputs) = (null, null);
                runs?.Add(run);
                outputs?.Add(result);
            }
            return (Scored: scored, Runs: runs, Outputs: outputs, Bytes: bytes, Margin: margin);
        }, (i, result) =>
        {
            Add(reference.Series, result.Scored);
            reference.Margins[i] = result.Margin;
            if (result.Runs is null || kept + result.Bytes > CacheBytes) return;
            kept += result.Bytes;
            (reference.Runs[i], reference.Outputs[i]) = (result.Runs, result.Outputs);
        }, progress, cancel);
        return reference;
    }

    /// <summary>Runs <paramref name="compressed"/> on the same samples.</summary>
    public Comparison Compare(Session compressed, Reference reference, Action<double>? progress, CancellationToken cancel)
    {
        var (series, others, split) = (Series(1), Others(), reference.Split);
        var after = new double[split.Count];
        ForEach(split, i =>
        {
            var (scored, walk, originals) = (new Scored(1), new Walk(compressed, split.Recurrence), new Walk(original, split.Recurrence));
            var step = 0;
            foreach (var run in reference.Runs[i] ?? split.Runs(i))
            {
                var result = walk.Run(run, cancel);
                var before = !NeedsOriginal ? null : reference.Outputs[i] is { } known ? known[step++] : originals.Run(run, cancel);
                Score(scored, run, result, before);
                if (reference.Margins[i] is { } margin) after[i] = margin.Under(result[output]);
                if (judgesOthers) scored.Similarities.Add(Similarities(before!, result, split));
            }
            return scored;
        }, (i, scored) =>
        {
            Add(series, scored);
            foreach (var figures in scored.Similarities) others.Add(figures);
        }, progress, cancel);
        var expected = Array.TrueForAll(reference.Margins, m => m is not null) ? ExpectedChanges.Of([.. reference.Margins.OfType<DecisionMargin>()], after) : null;
        return Result(reference.Series, series, others) with { Expected = expected };
    }

    /// <summary>Runs both models once on each sample of a split that is looked at once: nothing is kept but what <paramref name="changes"/> collects.</summary>
    public Comparison CompareOnce(Session compressed, Split split, SampleChanges? changes, Action<double>? progress, CancellationToken cancel) =>
        CompareOnce(inputs => compressed.Run(inputs, cancel), split, changes, progress, cancel);

    /// <inheritdoc cref="CompareOnce(Session, Split, SampleChanges?, Action{double}?, CancellationToken)"/>
    public Comparison CompareOnce(Runner compressed, Split split, SampleChanges? changes, Action<double>? progress, CancellationToken cancel)
    {
        var (before, after, others) = (Series(metrics.Count), Series(metrics.Count), Others());
        ForEach(split, i =>
        {
            var (first, second) = (new Scored(metrics.Count), new Scored(metrics.Count));
            var (originals, walk) = (new Walk(original, split.Recurrence), new Walk(compressed, split.Recurrence));
            // Metrics that read inputs may be the user's, who may keep them.
            foreach (var run in readsAll ? split.Runs(i) : split.PassingRuns(i))
            {
                Tensor[] expected = originals.Run(run, cancel), actual = walk.Run(run, cancel);
                Score(first, run, expected, expected);
                Score(second, run, actual, expected);
                second.Similarities.Add(Similarities(expected, actual, split));
                if (changes is not null) second.Changes.Add((run.Id, changes.Compare(new Outcome(run.Id, run.Label, actual[output], expected[output]))));
            }
            return (First: first, Second: second);
        }, (i, result) =>
        {
            Add(before, result.First);
            Add(after, result.Second);
            foreach (var figures in result.Second.Similarities) others.Add(figures);
            foreach (var (id, change) in result.Second.Changes) changes!.Add(i, id, change);
        }, progress, cancel);
        return Result(before, after, others);
    }

    // A metric knows its sample and not where the label is written.
    private void ForEach<T>(Split split, Func<int, T> run, Action<int, T> add, Action<double>? progress, CancellationToken cancel) => InOrder.ForEach(split.Count, threads, i =>
    {
        try { return run(i); }
        catch (CompressionException e) when (e.Diagnostic is { Code: Codes.LabelOutOfRange, File: null })
        {
            var (file, line) = split.Dataset.LabelPlace(split.Indices[i]);
            throw new CompressionException(e.Diagnostic with { File = file, Line = line }, e);
        }
    }, add, progress, cancel);

    private bool NeedsOriginal => judgesOthers || metrics[0].ReadsOriginal;

    // What no one will look at is let go.
    private Tensor[] Needed(Tensor[] outputs) =>
        [.. outputs.Select((o, i) => NeedsOriginal && (i == output || judgesOthers || readsAll) ? o : Unread)];

    private void Score(Scored scored, Sample run, Tensor[] outputs, Tensor[]? originals)
    {
        var outcome = new Outcome(run.Id, run.Label, outputs[output], originals?[output] ?? Unread);
        if (readsAll) outcome = outcome with { Inputs = run.Inputs, Outputs = outputs, Originals = originals ?? [] };
        for (var m = 0; m < scored.Contributions.Length; m++)
            // A sequence of one label has it at its last run.
            if (!run.IsStep || run.Label is not null || !metrics[m].NeedsLabels) scored.Contributions[m].Add(metrics[m].Contribute(outcome));
    }

    /// <summary>States are left out: what happens to them shows in the outputs of the runs that follow.</summary>
    private double?[] Similarities(Tensor[] before, Tensor[] after, Split split) =>
        OutputSimilarities.Compare(before, after, [output, .. split.Recurrence?.States.Select(s => s.Output) ?? []]);

    private MetricSeries[] Series(int count) => [.. metrics.Take(count).Select(m => new MetricSeries(m))];

    private static void Add(MetricSeries[] series, Scored scored)
    {
        for (var m = 0; m < series.Length; m++) series[m].Add(scored.Contributions[m]);
    }

    private OutputSimilarities Others() => new([.. original.Outputs.Select(o => (o.Name, o.ElementType.IsFloat()))]);

    private Comparison Result(MetricSeries[] before, MetricSeries[] after, OutputSimilarities others) =>
        new([.. before.Select((b, i) => PairedComparison.Compare(b, after[i], seed))], others.Results());
}
