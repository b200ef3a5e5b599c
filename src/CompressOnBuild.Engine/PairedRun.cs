using System.Diagnostics;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Reporting;
using CompressOnBuild.Runtime;
using CompressOnBuild.Transport;

namespace CompressOnBuild;

/// <summary>The model that is held against the original, and what is known of how it came to be.</summary>
/// <param name="Model">The model.</param>
/// <param name="Bytes">Its bytes as the runtime gets them.</param>
/// <param name="Facts">Its facts.</param>
internal sealed record CandidateModel(Model Model, byte[] Bytes, ModelFacts Facts)
{
    public required IReadOnlyList<WeightFacts> Weights { get; init; }
    public IReadOnlyList<SkippedWeight> Skipped { get; init; } = [];
    public IReadOnlyList<CandidateResult> Tried { get; init; } = [];
    /// <summary>Null: it was not made here.</summary>
    public (string Name, string Sha256)? Recipe { get; init; }
    /// <summary>What will run it; null: it was not made here.</summary>
    public Capabilities? Runtime { get; init; }
    /// <summary>Multiply-accumulates of one run of the original; 0: not known.</summary>
    public long MultiplyAdds { get; init; }
    /// <summary>Null: it was not made here.</summary>
    public Plan? Plan { get; init; }
    /// <summary>The bytes that travel where they are not the model's own.</summary>
    public byte[]? Packed { get; init; }
    /// <summary>Null: none is in use.</summary>
    public ModelLock? Lock { get; init; }
    /// <summary>A model that did not get smaller is an error.</summary>
    public bool IsSmallerExpected { get; init; }
}

/// <summary>
/// What a run on two models does wherever the second one comes from: loads the original and its data, and then checks, measures, judges and
/// writes. <see cref="Compressor"/> makes the second model in between, <see cref="ModelComparison"/> reads it.
/// </summary>
internal sealed class PairedRun(CompressionRequest request, ICompressionLog log, CancellationToken cancel)
{
    /// <summary>Of a metric: what the runtime's rounding, which may change between two sessions, does to a mean over samples.</summary>
    private const double LastBits = 1e-5;

    private readonly long started = Stopwatch.GetTimestamp();
    private readonly List<Diagnostic> warnings = [];
    private readonly List<InputFile> inputFiles = [];
    private InputFile[] originalFiles = [];
    private byte[] originalBytes = [];
    private Watchdog watchdog = null!;

    /// <summary>Samples run at once.</summary>
    public int Threads { get; } = request.Threads > 0 ? request.Threads : Environment.ProcessorCount;
    /// <summary>What was done, in the reader's words.</summary>
    public List<string> Steps { get; } = [];
    public Model Original { get; private set; } = null!;
    /// <summary>Bounds of every call into the runtime.</summary>
    public Watchdog Watchdog => watchdog;

    /// <summary>Reads the original and hashes what was read; from here on the runtime is watched.</summary>
    public void Load()
    {
        log.Stage("loading");
        var (model, files, bytes) = Read(request.Model);
        (Original, originalFiles, originalBytes) = (model, files, bytes);
        watchdog = new Watchdog(request.RunTimeout ?? TimeSpan.FromMinutes(30), Watchdog.MemoryFor(OriginalSize), request.Model, Compressor.OnBreach);
    }

    /// <summary>Bytes of the original with its external data.</summary>
    public long OriginalSize => originalFiles.Sum(f => f.Size);

    /// <summary>The bytes of the original's file, once: they are let go.</summary>
    public byte[] TakeOriginalBytes() => Interlocked.Exchange(ref originalBytes, []);

    /// <summary>Reads a model; its files become inputs of the run.</summary>
    public (Model Model, InputFile[] Files, byte[] Bytes) Read(string path)
    {
        var file = InputFile.Of(path, OnnxReader.ReadFile, out var bytes);
        var model = OnnxReader.Read(bytes, path);
        InputFile[] files = [file, .. model.ExternalFiles.Select(InputFile.Of)];
        inputFiles.AddRange(files);
        return (model, files, bytes);
    }

    /// <summary>A file whose change makes the result stale.</summary>
    public void NoteInput(string path) => inputFiles.Add(InputFile.Of(path));

    /// <summary>Opens the data of the request, null when it names none, and says what is missing or doubtful about it.</summary>
    public EvaluationData? OpenData(Session session)
    {
        var data = EvaluationData.Open(request, Original, session);
        if (data is null) Warn(new Diagnostic(Severity.Warning, Codes.NoData, request.Candidate is null
            ? "there is neither EvaluationData nor CalibrationData: only data-free techniques are used and nothing is measured. Give EvaluationData, labelled where possible."
            : "there is no data: nothing is measured. Give --evaluation-data, labelled where possible.", request.Model));
        foreach (var warning in data?.Warnings ?? []) Warn(warning);
        inputFiles.AddRange(Hash(data?.Files ?? []));
        return data;
    }

    /// <summary>Measures against the original; null without data.</summary>
    public Evaluator? Evaluator(Session session, EvaluationData? data) =>
        data is null ? null : new Evaluator(session, data.Metrics, data.Output, !data.IsOutputNamed, request.Seed, Threads);

    /// <summary>Hashes of all inputs, and versions.</summary>
    public Provenance Provenance((string Name, string Sha256)? recipe, EvaluationData? data, Capabilities? runtime) => new(ResultFacts.Sha256(originalFiles), recipe?.Name, recipe?.Sha256,
        data?.Splits.Calibration.Sha256, data?.Splits.Selection.Sha256, data?.Splits.Gate.Sha256, Compressor.ToolVersion, Session.RuntimeVersion, request.Seed, request.Target.ToString().ToLowerInvariant(), data?.Evaluator?.Sha256,
        runtime is null ? null : new ProjectRuntime(runtime.Version, runtime.IsAssumed, runtime.Summary));

    /// <summary>From the second model to the verdict and the reports.</summary>
    /// <exception cref="GateException">The gate said no; the reports are written.</exception>
    public CompressionResult Finish(CandidateModel candidate, Session session, EvaluationData? data, Evaluator? evaluator)
    {
        if (candidate.Lock?.Verify(candidate.Facts.Sha256) is { } other) Warn(other);
        candidate = Packed(candidate);
        using var compressed = new Session(candidate.Bytes, Settings("compressed"));
        Check(candidate.Model, data);
        var measurements = Measure(compressed, candidate, evaluator, data);
        measurements = measurements with { Avx2 = CheckAvx2(candidate, measurements, evaluator, data) };
        var before = ResultFacts.Read(Original, originalFiles, candidate.MultiplyAdds);
        var (accepted, notComparable) = candidate.Lock?.Accepted(data?.Metrics[0], data?.Evaluator?.CodeSha256) ?? (null, null);
        if (notComparable is not null) Warn(notComparable);
        var gate = Gate.Judge(request, new GateInput(measurements.Metrics, before, candidate.Facts, measurements.Latency, candidate.IsSmallerExpected, accepted, measurements.Avx2));
        foreach (var warning in gate.Warnings) Warn(warning);

        var result = Result(candidate, before, measurements, session, data, gate.Errors.Count == 0 ? request.Output : request.FailedOutput) with { Verdict = gate.Verdict, Errors = gate.Errors };
        Write(result, candidate, gate.Errors.Count == 0 ? candidate.Lock : null);
        if (gate.Errors.Count > 0) throw new GateException(result);
        return result with { Lock = candidate.Lock?.State };
    }

    /// <summary>What would be shipped, neither measured nor written.</summary>
    public CompressionResult Unjudged(CandidateModel candidate, Session session, EvaluationData? data) =>
        Result(candidate, ResultFacts.Read(Original, originalFiles, candidate.MultiplyAdds), new Measurements(), session, data, "");

    private CompressionResult Result(CandidateModel candidate, ModelFacts before, Measurements measurements, Session session, EvaluationData? data, string folder)
    {
        return new CompressionResult
        {
            Request = request,
            Verdict = Verdict.Unmeasured,
            Original = before,
            Compressed = candidate.Facts,
            Weights = candidate.Weights,
            Skipped = candidate.Skipped,
            Steps = Steps,
            Warnings = warnings,
            Provenance = Provenance(candidate.Recipe, data, candidate.Runtime),
            Measurements = measurements with
            {
                PeakMemoryBytes = ProcessMemory.PeakWorkingSet(),
                Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
                Processor = Processor.Name,
                InstructionSets = Processor.InstructionSets,
                OnnxRuntime = Session.RuntimeVersion,
                Candidates = candidate.Tried,
            },
            Folder = folder,
            OutputModel = request.Candidate ?? Path.Combine(folder, request.Name + ".onnx"),
            InputNames = [.. session.Inputs.Select(p => p.Name)],
            OutputNames = [.. session.Outputs.Select(p => p.Name)],
            InputFiles = [.. inputFiles, .. data?.Evaluator?.Files ?? []], // what the user's code needs shows while it runs
            // A lock file that appears is followed.
            AbsentFiles = [.. data?.Absent ?? [], .. candidate.Lock is null && request.Candidate is null ? [request.LockPath] : Array.Empty<string>()],
            InputFolders = data is null ? [] : [.. data.Folders],
        };
    }

    /// <summary>Packs what was made here, where that is asked for; the packer decodes what it wrote and compares.</summary>
    private CandidateModel Packed(CandidateModel candidate)
    {
        if (!request.Packed || request.Candidate is not null) return candidate;
        log.Stage("packing");
        var packed = ModelPacker.Pack(candidate.Bytes, Threads, cancel);
        Steps.Add($"packed for transport: {candidate.Bytes.Length} bytes in {packed.Length}");
        return candidate with { Packed = packed, Facts = candidate.Facts with { ShippedBytes = packed.Length } };
    }

    /// <summary>How a session on a model in the role <paramref name="role"/> runs.</summary>
    public SessionSettings Settings(string role) => new(role, request.Model, Watchdog: watchdog);

    /// <summary>Tells the log and the reports.</summary>
    public void Warn(Diagnostic warning)
    {
        warnings.Add(warning);
        log.Warning(warning);
    }

    /// <summary>The runtime must compute the same with and without its optimizations.</summary>
    private void Check(Model compressed, EvaluationData? data)
    {
        // An untouched model computes what the original computes, whatever the runtime makes of both.
        if (data is null || compressed == Original) return;
        log.Stage("checking");
        SelfCheck.Run(compressed, Original, data.CalibrationRuns(SelfCheck.Samples).Read(cancel), watchdog, cancel);
    }

    private Measurements Measure(Session session, CandidateModel candidate, Evaluator? evaluator, EvaluationData? data)
    {
        if (evaluator is null || data is null) return new Measurements();
        log.Stage("measuring on the gate split");
        var count = data.Splits.Gate.Count;
        var changes = new SampleChanges(data.Decoding, decides: data.Metrics.Any(m => m.NeedsLabels || m.Name == "agreement"));
        var comparison = evaluator.CompareOnce(session, data.Splits.Gate, changes, f => log.Progress(f, $"{count} samples"), cancel);
        log.Stage("timing");
        var latency = LatencyMeter.Measure(Original, candidate.Model, data.CalibrationRuns(LatencyMeter.Inputs).Read(cancel), watchdog, cancel);
        var isSame = candidate.Model == Original || candidate.Facts.Sha256 == ResultFacts.Read(Original, originalFiles, 0).Sha256;
        return new Measurements { Metrics = Judged(comparison, data, isSame), Latency = latency, Changes = changes.Result(data.Splits.Gate.Dataset.ClassNames, i => request.ReportImages ? data.Splits.Gate.Dataset.Thumbnail(data.Splits.Gate.Indices[i]) : null) };
    }

    /// <param name="comparison">The figures.</param>
    /// <param name="data">Whose metrics they are of.</param>
    /// <param name="isSame">Both models are one.</param>
    private MetricResult[] Judged(Comparison comparison, EvaluationData data, bool isSame)
    {
        var metrics = comparison.Metrics.Select((c, i) =>
        {
            double? limit = i == 0 ? request.MaxAccuracyDrop ?? Gate.DefaultMaxAccuracyDrop : null;
            // The same model loses nothing, however few samples there are, and two runs of it may differ in their last bits; no interval makes up for samples that were seen.
            var confidence = isSame && Math.Abs(c.Drop) < LastBits ? new Interval(Math.Min(0, c.Drop), Math.Max(0, c.Drop)) : data.Splits.Independent ? c.Confidence : null;
            var metric = new MetricResult(data.Metrics[i].Name, c.Original, c.Compressed, c.Drop, limit, c.Samples, confidence, true)
            {
                Worse = c.Worse,
                Better = c.Better,
                SamplesToDecide = limit is { } l && confidence is not null ? SampleSize.ToDecide(c with { Confidence = confidence }, l) : null,
            };
            var required = request.Require.Where(r => r.Metric == metric.Name).All(r => r.AtLeast ? metric.Compressed >= r.Value : metric.Compressed <= r.Value);
            return metric with { Passed = required && (limit is null || Gate.JudgeDrop(metric, limit.Value) == Verdict.Pass) };
        });
        return [.. metrics, .. comparison.OtherOutputs.Select(o => o.ToMetric(judged: !data.IsOutputNamed))];
    }

    /// <summary>Only the target <c>cpu</c> promises something for processors without VNNI.</summary>
    private Avx2Accuracy? CheckAvx2(CandidateModel candidate, Measurements measured, Evaluator? evaluator, EvaluationData? data)
    {
        if (request.Target != Target.Cpu) return null;
        var check = new Avx2Check(data, evaluator, Settings("compressed"), Threads, log, cancel);
        var result = check.Run(candidate.Model, candidate.Bytes, measured.Metrics, comparison => Judged(comparison, data!, isSame: false));
        if (check.Gap is { } gap)
            Warn(new Diagnostic(Severity.Warning, Codes.Avx2AccuracyUnknown, $"the accuracy on x64 processors without VNNI (AVX2) is {(result?.Basis == Avx2Basis.Emulated ? "known in part" : "not known")}: {gap}. {Avx2Gate.Remedy}", request.Model));
        return result;
    }

    /// <summary>Leaves the model (if it was made here), the reports and a new entry of the lock file, all or none.</summary>
    private void Write(CompressionResult result, CandidateModel candidate, ModelLock? accepting)
    {
        using var batch = new OutputBatch();
        if (request.Candidate is null) batch.Add(result.OutputModel, stream => stream.Write(candidate.Bytes));
        if (result.PackedModel is { } path) batch.Add(path, stream => stream.Write(candidate.Packed));
        ReportWriter.Add(batch, result, result.Folder);
        if (accepting is null) batch.Commit();
        else accepting.Commit(batch, candidate, result.Measurements.Metrics);
        // What an earlier request left is not of this model.
        if (request.Candidate is null && result.PackedModel is null) OutputFile.Delete(result.OutputModel + CompressionResult.PackedSuffix);
    }

    private InputFile[] Hash(IEnumerable<string> files)
    {
        var paths = files.ToArray();
        var result = new InputFile[paths.Length];
        Parallel.For(0, paths.Length, new ParallelOptions { MaxDegreeOfParallelism = Threads, CancellationToken = cancel }, i => result[i] = InputFile.Of(paths[i]));
        return result;
    }
}
