using System.Diagnostics;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Reporting;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Rewrites.Opsets;
using CompressOnBuild.Runtime;

namespace CompressOnBuild;

/// <summary>
/// The whole way of one model: load, prepare, calibrate, plan, transform, check, gate, write, report.
/// </summary>
public sealed class Compressor
{
    /// <summary>Samples whose outputs rank the sites of a search: a finer ruler than a metric needs few.</summary>
    private const int FidelitySamples = 8;
    /// <summary>Operator set that brought scales per channel.</summary>
    private const int WorkingOpset = 13;

    /// <summary>
    /// Called, from another thread, when a call into the runtime broke its bound of time or memory and does not return. Nothing but the
    /// end of the process can stop it then. The default ends it at once.
    /// </summary>
    public static Action<CompressionException> OnBreach { get; set; } = e => Environment.FailFast(e.Message);

    private readonly CompressionRequest request;
    private readonly ICompressionLog log;
    private readonly CancellationToken cancel;
    private readonly int threads;
    private readonly List<Diagnostic> warnings = [];
    private readonly List<string> steps = [];
    private readonly List<InputFile> inputFiles = [];
    private Watchdog watchdog = null!;
    private Model original = null!;
    private byte[] originalBytes = [];
    private InputFile[] originalFiles = [];

    private Compressor(CompressionRequest request, ICompressionLog log, CancellationToken cancel)
    {
        (this.request, this.log, this.cancel) = (request, log, cancel);
        threads = request.Threads > 0 ? request.Threads : Environment.ProcessorCount;
    }

    /// <summary>Compresses, measures and judges one model, and writes the output folder.</summary>
    /// <exception cref="CompressionException">Any coded error; after a failed gate the reports of the failed attempt are in <c>failed/</c> of the output folder.</exception>
    public static CompressionResult Run(CompressionRequest request, ICompressionLog log, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(log);
        return new Compressor(request, log, cancel).Run();
    }

    private CompressionResult Run()
    {
        var started = Stopwatch.GetTimestamp();
        var recipe = Recipe.Load(request.Recipe);
        OutputFolder.Prepare(request);

        Load();
        using var session = new Session(original, Settings("original"));
        using var data = EvaluationData.Open(request, original, session);
        Note(data);
        var prepared = Prepare(session, data, recipe);
        var statistics = Calibrate(prepared, data, recipe);

        var planner = new Planner(prepared, recipe, statistics, request.Target);
        var transformer = new Transformer(prepared, recipe.BiasCorrection ? Means(statistics) : new Dictionary<string, float[]>());
        var evaluator = data is null ? null : new Evaluator(session, data.Metrics, data.Output, !data.IsOutputNamed, request.Seed, threads);
        var (plan, candidates) = MakePlan(planner, transformer, recipe, evaluator, data);
        var (compressed, bytes) = Transform(transformer, plan);

        using var candidate = new Session(bytes, Settings("compressed"));
        Check(compressed, data);
        var measurements = Measure(candidate, compressed, evaluator, data);
        var multiplyAdds = ResultFacts.MultiplyAdds(planner);
        var before = ResultFacts.Original(original, originalFiles, multiplyAdds);
        var after = ResultFacts.Compressed(compressed, bytes, multiplyAdds);
        var gate = Gate.Judge(request, new GateInput(measurements.Metrics, before, after, measurements.Latency, SmallerExpected: compressed != original));
        foreach (var warning in gate.Warnings) Warn(warning);

        var folder = gate.Errors.Count == 0 ? request.Output : request.FailedOutput;
        var result = new CompressionResult
        {
            Request = request,
            Verdict = gate.Verdict,
            Original = before,
            Compressed = after,
            Weights = [.. ResultFacts.Weights(planner, transformer, plan)],
            Skipped = [.. ResultFacts.Skipped(planner, plan)],
            Steps = steps,
            Warnings = warnings,
            Provenance = new Provenance(before.Sha256, recipe.Name, recipe.Sha256, data?.Splits.Calibration.Sha256, data?.Splits.Selection.Sha256, data?.Splits.Gate.Sha256,
                ToolVersion, Session.RuntimeVersion, request.Seed, request.Target.ToString().ToLowerInvariant()),
            Measurements = measurements with
            {
                PeakMemoryBytes = ProcessMemory.PeakWorkingSet(),
                Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
                Processor = Processor.Name,
                InstructionSets = Processor.InstructionSets,
                OnnxRuntime = Session.RuntimeVersion,
                Candidates = candidates,
            },
            OutputModel = Path.Combine(folder, request.Name + ".onnx"),
            InputNames = [.. session.Inputs.Select(p => p.Name)],
            OutputNames = [.. session.Outputs.Select(p => p.Name)],
            InputFiles = inputFiles,
            AbsentFiles = data is null ? [] : [.. data.Absent],
            InputFolders = data is null ? [] : [.. data.Folders],
        };
        Write(result, bytes, folder);
        if (gate.Errors.Count > 0) throw new GateException(gate.Errors, result);
        OutputFolder.RemoveFailed(request);
        return result;
    }

    /// <summary>Version of this engine, the package's version.</summary>
    public static string ToolVersion { get; } = typeof(Compressor).Assembly.GetName().Version!.ToString(3);

    /// <summary>Reads the model and hashes what was read; from here on the runtime is watched.</summary>
    private void Load()
    {
        log.Stage("loading");
        var file = InputFile.Of(request.Model, OnnxReader.ReadFile, out originalBytes);
        original = OnnxReader.Read(originalBytes, request.Model);
        originalFiles = [file, .. original.ExternalFiles.Select(InputFile.Of)];
        inputFiles.AddRange(originalFiles);
        if (File.Exists(request.Recipe)) inputFiles.Add(InputFile.Of(request.Recipe));
        watchdog = new Watchdog(request.RunTimeout ?? TimeSpan.FromMinutes(30), Watchdog.MemoryFor(originalFiles.Sum(f => f.Size)), request.Model, OnBreach);
    }

    private void Note(EvaluationData? data)
    {
        if (data is null) Warn(new Diagnostic(Severity.Warning, Codes.NoData, "there is neither EvaluationData nor CalibrationData: only data-free techniques are used and nothing is measured. Give EvaluationData, labelled where possible.", request.Model));
        foreach (var warning in data?.Warnings ?? []) Warn(warning);
        inputFiles.AddRange(Hash(data?.Files ?? []));
    }

    private Model Prepare(Session session, EvaluationData? data, Recipe recipe)
    {
        log.Stage("preparing");
        if (recipe.LeavesEverything) return original.Clone();
        var prepared = original.Clone();
        foreach (var step in StandardRewrites.Run(prepared, Fold)) steps.Add(step.Sentence);
        if (prepared.Opset() is > 0 and < WorkingOpset)
        {
            var raised = OpsetConversion.Raise(prepared, WorkingOpset);
            steps.Add(raised.Refusal ?? $"raised operator set {prepared.Opset()} to {WorkingOpset}, {raised.Changed} nodes written the new way");
            prepared = raised.Model ?? prepared;
        }
        return Verified(session, prepared, data);
    }

    private IReadOnlyList<Tensor> Fold(Model constants)
    {
        using var session = new Session(constants, Settings("folded"));
        return session.Run(new Dictionary<string, Tensor>(), cancel);
    }

    /// <summary>
    /// A rewrite must not change what the model computes: shown on a few samples, before anything is built on it. A model that differs from
    /// itself (it draws random numbers) cannot be compared; one that a rewrite changed goes on as it was.
    /// </summary>
    private Model Verified(Session session, Model prepared, EvaluationData? data)
    {
        using var rewritten = new Session(prepared, Settings("prepared"));
        if (data is null) return prepared;
        var samples = Samples(data).Take(2).ToArray();
        var expected = samples.Select(s => session.Run(s, cancel)).ToArray();
        var worst = Fidelity.WorstOutput(expected, [.. samples.Select(s => rewritten.Run(s, cancel))]);
        if (worst >= Fidelity.Equal) return prepared;
        if (Fidelity.WorstOutput(expected, [.. samples.Select(s => session.Run(s, cancel))]) < Fidelity.Equal)
        {
            Warn(new Diagnostic(Severity.Warning, Codes.NotDeterministic, "two runs of the original on the same sample give different outputs: the model draws random numbers. What is measured below contains that chance. Give the random operators a seed, or judge by a metric that chance does not move.", request.Model));
            return prepared;
        }
        Warn(new Diagnostic(Severity.Warning, Codes.RewriteRejected, FormattableString.Invariant($"the graph after folding and opset conversion differs from the original ({worst:0.0} dB, at least {Fidelity.Equal} dB are expected), so the original graph is compressed as it is. Please report it with the model."), request.Model));
        steps.Clear();
        return original.Clone();
    }

    private Statistics? Calibrate(Model prepared, EvaluationData? data, Recipe recipe)
    {
        if (data is null) return null;
        log.Stage("calibrating");
        var count = Math.Min(data.Splits.Calibration.Count, recipe.Calibration.Samples);
        return Calibrator.Run(prepared, Samples(data).Take(count), new CalibrationRequest
        {
            SampleCount = count,
            Values = [.. Planner.ValuesToObserve(prepared)],
            ChannelMeans = Planner.MeansToObserve(prepared),
            Threads = threads,
            Watchdog = watchdog,
            Progress = fraction => log.Progress(fraction, $"{count} samples"),
        }, cancel);
    }

    private (Plan Plan, IReadOnlyList<CandidateResult> Candidates) MakePlan(Planner planner, Transformer transformer, Recipe recipe, Evaluator? evaluator, EvaluationData? data)
    {
        if (!recipe.Search) return (planner.ByRules(), []);
        if (evaluator is null || data is null)
            return (planner.Complete([.. planner.Sites.Select(s => planner.Decide(s, WeightForm.Weights, "nothing can be measured without data, and int8 weights alone are the safest form"))], join: false), []);
        log.Stage("measuring the original on the selection split");
        var reference = evaluator.Measure(data.Splits.Selection, f => log.Progress(f, $"{data.Splits.Selection.Count} samples"), cancel);
        var few = Samples(data).Take(FidelitySamples).ToArray();
        using var session = new Session(planner.Prepared, Settings("prepared"));
        var expected = few.Select(s => session.Run(s, cancel)).ToArray();
        var search = new Search(planner, request.Goal, request.MaxAccuracyDrop ?? Gate.DefaultMaxAccuracyDrop, new SearchOracle(
            plan =>
            {
                var bytes = OnnxWriter.ToBytes(transformer.Apply(plan));
                using var candidate = new Session(bytes, Settings("compressed"));
                var compared = evaluator.Compare(candidate, reference, f => log.Progress(f, $"{reference.Count} samples"), cancel);
                var primary = compared.Metrics[0];
                return new Trial(bytes.Length, primary.Compressed, primary.Drop, primary.Confidence is not { Low: <= 0 }, compared.OtherOutputs.All(o => o.IsGood));
            },
            plan =>
            {
                using var candidate = new Session(transformer.Apply(plan), Settings("compressed"));
                // Side by side, one thread each: more threads inside a run would move its last bits.
                return Fidelity.Decibels(expected, [.. few.AsParallel().AsOrdered().WithDegreeOfParallelism(threads).Select(s => candidate.Run(s, cancel))]);
            }), log, cancel);
        return (search.Run(), search.Candidates);
    }

    /// <summary>The compressed model and the bytes to ship. An untouched model is the original itself.</summary>
    private (Model Model, byte[] Bytes) Transform(Transformer transformer, Plan plan)
    {
        log.Stage("transforming");
        var compressed = plan.Weights.Any(d => d.Encoding is not null) ? transformer.Apply(plan) : original;
        // An untouched model keeps its bytes, unless they point to another file: one file is shipped.
        var bytes = compressed == original && original.ExternalFiles.Count == 0 ? originalBytes : OnnxWriter.ToBytes(compressed);
        originalBytes = [];
        return (compressed, bytes);
    }

    /// <summary>The runtime must compute the same with and without its optimizations.</summary>
    private void Check(Model compressed, EvaluationData? data)
    {
        if (data is null) return;
        log.Stage("checking");
        SelfCheck.Run(compressed, original, Samples(data), watchdog, cancel);
    }

    private Measurements Measure(Session candidate, Model compressed, Evaluator? evaluator, EvaluationData? data)
    {
        if (evaluator is null || data is null) return new Measurements();
        log.Stage("measuring on the gate split");
        var count = data.Splits.Gate.Count;
        var changes = new SampleChanges(data.Decoding, decides: data.Metrics.Any(m => m.NeedsLabels || m.Name == "agreement"));
        var comparison = evaluator.CompareOnce(candidate, data.Splits.Gate, changes, f => log.Progress(f, $"{count} samples"), cancel);
        log.Stage("timing");
        var latency = LatencyMeter.Measure(original, compressed, Samples(data), watchdog, cancel);
        var metrics = comparison.Metrics.Select((c, i) =>
        {
            double? limit = i == 0 ? request.MaxAccuracyDrop ?? Gate.DefaultMaxAccuracyDrop : null;
            var metric = new MetricResult(data.Metrics[i].Name, c.Original, c.Compressed, c.Drop, limit, c.Samples, data.Splits.Independent ? c.Confidence : null, true); // no interval makes up for samples that were seen
            var required = request.Require.Where(r => r.Metric == metric.Name).All(r => r.AtLeast ? metric.Compressed >= r.Value : metric.Compressed <= r.Value);
            return metric with { Passed = required && (limit is null || Gate.JudgeDrop(metric, limit.Value) == Verdict.Pass) };
        });
        return new Measurements { Metrics = [.. metrics, .. comparison.OtherOutputs.Select(o => o.ToMetric(judged: !data.IsOutputNamed))], Latency = latency, Changes = changes.Result(data.Splits.Gate.Dataset.ClassNames, i => request.ReportImages ? data.Splits.Gate.Dataset.Thumbnail(data.Splits.Gate.Indices[i]) : null) };
    }

    private static IEnumerable<IReadOnlyDictionary<string, Tensor>> Samples(EvaluationData data) => data.Splits.Calibration.Read().Select(s => s.Inputs);

    private static Dictionary<string, float[]> Means(Statistics? statistics) => statistics is null ? []
        : statistics.Values.Where(p => p.Value.ChannelMeans is not null).ToDictionary(p => p.Key, p => p.Value.ChannelMeans!.Select(m => (float)m).ToArray(), StringComparer.Ordinal);

    /// <summary>Leaves the model and its reports in <paramref name="folder"/>, all or none.</summary>
    private static void Write(CompressionResult result, byte[] bytes, string folder)
    {
        using var batch = new OutputBatch();
        batch.Add(result.OutputModel, stream => stream.Write(bytes));
        ReportWriter.Add(batch, result, folder);
        batch.Commit();
    }

    private SessionSettings Settings(string role, int threads = 1) => new(role, request.Model, Threads: threads, Watchdog: watchdog);

    private InputFile[] Hash(IEnumerable<string> files)
    {
        var paths = files.ToArray();
        var result = new InputFile[paths.Length];
        Parallel.For(0, paths.Length, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancel }, i => result[i] = InputFile.Of(paths[i]));
        return result;
    }

    private void Warn(Diagnostic warning)
    {
        warnings.Add(warning);
        log.Warning(warning);
    }
}
