using System.Reflection;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Reporting;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Rewrites.Opsets;
using CompressOnBuild.Runtime;
using CompressOnBuild.Transport;

namespace CompressOnBuild;

/// <summary>
/// The whole way of one model: load, prepare, calibrate, plan, transform, check, gate, write, report.
/// </summary>
public sealed class Compressor
{
    /// <summary>Samples whose outputs rank the sites of a search: a finer ruler than a metric needs few.</summary>
    private const int FidelitySamples = 8;
    /// <summary>The same of a search over widths, whose smaller errors need more of them.</summary>
    private const int WidthSamples = 16;
    /// <summary>In the output folder while a search is under way.</summary>
    internal const string JournalFile = "search.journal";
    /// <summary>Samples that say whether matched layers come nearer to the original.</summary>
    private const int JudgingSamples = 48;

    /// <summary>
    /// Called, from another thread, when a call into the runtime broke its bound of time or memory and does not return. Nothing but the
    /// end of the process can stop it then. The default ends it at once.
    /// </summary>
    public static Action<CompressionException> OnBreach { get; set; } = e => Environment.FailFast(e.Message);

    private readonly CompressionRequest request;
    private readonly ICompressionLog log;
    private readonly CancellationToken cancel;
    private readonly PairedRun run;
    private SearchBudget budget = SearchBudget.None;
    private readonly Capabilities runtime;
    /// <summary>A rewrite made the model faster by itself, whatever becomes of its weights.</summary>
    private Session session = null!;
    private EvaluationData? data;
    private Evaluator? evaluator;

    private Compressor(CompressionRequest request, ICompressionLog log, CancellationToken cancel)
    {
        (this.request, this.log, this.cancel) = (request, log, cancel);
        run = new PairedRun(request, log, cancel);
        runtime = Capabilities.Of(request.Target, request.OnnxRuntimeVersion);
    }

    /// <summary>Compresses, measures and judges one model, and writes the output folder.</summary>
    /// <exception cref="CompressionException">Any coded error; after a failed gate the reports of the failed attempt are in <c>failed/</c> of the output folder.</exception>
    public static CompressionResult Run(CompressionRequest request, ICompressionLog log, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(log);
        var compressor = new Compressor(request, log, cancel);
        try
        {
            var candidate = compressor.Make();
            return request.PlanOnly ? compressor.run.Unjudged(candidate, compressor.session, compressor.data)
                : compressor.run.Finish(candidate, compressor.session, compressor.data, compressor.evaluator);
        }
        finally { compressor.Close(); }
    }

    /// <summary>Compresses without judging and writing: <paramref name="look"/> sees the model, the session of the original and the data.</summary>
    internal static T Make<T>(CompressionRequest request, ICompressionLog log, Func<CandidateModel, Session, EvaluationData?, T> look, CancellationToken cancel)
    {
        var compressor = new Compressor(request, log, cancel);
        try { return look(compressor.Make(), compressor.session, compressor.data); }
        finally { compressor.Close(); }
    }

    private void Close()
    {
        data?.Dispose();
        session?.Dispose();
    }

    private CandidateModel Make()
    {
        var recipe = Recipe.Load(request.Recipe);
        budget = new SearchBudget(request.TimeBudget ?? recipe.TimeBudget, TimeProvider.System);
        if (!request.PlanOnly) OutputFolder.Prepare(request);
        var modelLock = ModelLock.Open(request, recipe);

        run.Load();
        WarnOfNewerNeeds();
        if (File.Exists(request.Recipe)) run.NoteInput(request.Recipe);
        session = new Session(run.Original, run.Settings("original"));
        data = run.OpenData(session);
        var inputs = Fingerprint.Of(run.Provenance((recipe.Name, recipe.Sha256), data, runtime), data?.Metrics.Select(m => m.Name) ?? [], (recipe.Search || recipe.SearchesAmounts) && data is not null ? Limits : null);
        var locked = modelLock?.Follow(inputs);
        evaluator = run.Evaluator(session, data);
        var preparation = new Preparation(request, run, runtime, log, cancel);
        var (graph, movedToLoad) = preparation.Run(session, data, recipe);
        var restructured = Restructure(graph, recipe, data, evaluator, locked);
        var ((prepared, statistics, planner, transformer), scales) = Scale(restructured.Model, preparation, recipe, locked);
        var repair = recipe.StatisticsMatching && statistics is not null && data is not null ? Repair(prepared, transformer, statistics, planner) : null;
        var (plan, tried) = locked is null ? MakePlan(planner, transformer, repair, recipe, inputs) : (LockedPlan.Fit(locked.Plan, planner, request.LockPath), []);
        if (budget.CutShort)
            run.Warn(new Diagnostic(Severity.Warning, Codes.SearchCutShort, FormattableString.Invariant($"the search was cut short after {(request.TimeBudget ?? recipe.TimeBudget)!.Value.TotalSeconds} s: it had measured {restructured.Tried.Count + tried.Count} candidates and kept the best. A faster machine would find another plan. Allow more time (CompressOnBuildTimeBudget, or the recipe's 'timeBudget'), or commit a lock file (CompressOnBuildLock)."), request.Model));
        plan = (repair?.Repair(plan) ?? transformer.WithBiases(plan)) with { Structure = restructured.Rounds.Count > 0 ? restructured.Rounds : null, Scales = scales.Count > 0 ? scales : null };
        var (compressed, bytes) = Transform(transformer, plan, movedToLoad);
        statistics?.ForgetGrams();

        var multiplyAdds = restructured.Rounds.Count > 0 ? restructured.MultiplyAddsBefore : locked?.Result.MultiplyAdds ?? ResultFacts.MultiplyAdds(planner);
        SkippedWeight[] skipped = [.. ResultFacts.Skipped(planner, plan)];
        WarnOfRulesForNothing(recipe, [.. planner.Sites.Select(s => s.Name), .. skipped.Select(s => s.Name)]);
        if (skipped.Count(s => s.Code == Codes.WeightQuantized) is > 0 and var kept) run.Steps.Add($"kept {kept} {(kept == 1 ? "weight that is" : "weights that are")} integers already");
        return new CandidateModel(compressed, bytes, ResultFacts.Written(compressed, bytes, restructured.Rounds.Count > 0 ? restructured.MultiplyAdds : multiplyAdds, ResultFacts.Parameters(planner, transformer, plan)))
        {
            Weights = [.. ResultFacts.Weights(planner, transformer, plan).Select(w => restructured.Ranks.TryGetValue(w.Name, out var rank) ? w with { Rank = rank } : w)],
            Skipped = skipped,
            Tried = [.. restructured.Tried, .. tried],
            Recipe = (recipe.Name, recipe.Sha256),
            Runtime = runtime,
            MultiplyAdds = multiplyAdds,
            Plan = plan,
            Lock = modelLock,
            IsSmallerExpected = plan.Structure is not null || plan.Weights.Any(d => d.Encoding is not null),
        };
    }

    private SearchLimits Limits => new(request.MaxAccuracyDrop ?? Gate.DefaultMaxAccuracyDrop,
        request.MaxSize is { } size ? size.Bytes ?? (long)(size.Share!.Value * run.OriginalSize) : null, request.MaxLatency is not null, request.Packed);

    private static string Word(Target target) => target switch { Target.Cuda => "CUDA", Target.DirectMl => "DirectML", Target.Qnn => "QNN", Target.CoreMl => "CoreML", _ => "ONNX Runtime Web" };

    /// <summary>Version of this engine, the package's version: <c>1.0.0</c>, <c>1.1.0-preview.2</c>.</summary>
    public static string ToolVersion { get; } = typeof(Compressor).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private void WarnOfNewerNeeds()
    {
        if (request.Target is not (Target.Cpu or Target.CpuVnni)) run.Steps.Add($"chose forms for {Word(request.Target)} by what its provider is known to run: accuracy and speed were measured on the CPU, not there");
        var (opset, ir) = (run.Original.Opset(), run.Original.IrVersion);
        if (opset <= runtime.Opset && ir <= runtime.IrVersion) return;
        var what = opset > runtime.Opset ? $"operator set {opset}, and ONNX Runtime {runtime.Version} {(request.Target == Target.DirectMl ? "on DirectML " : "")}runs up to {runtime.Opset}" : $"IR version {ir}, and ONNX Runtime {runtime.Version} loads up to {runtime.IrVersion}";
        var cure = Capabilities.OldestFor(opset, ir) is { } oldest && NuGet.Versioning.NuGetVersion.Parse(oldest) > NuGet.Versioning.NuGetVersion.Parse(runtime.Version)
            ? $"Reference {oldest} or newer, or export the model again with operator set {runtime.Opset} or older." : $"Export the model again with operator set {runtime.Opset} or older.";
        run.Warn(new Diagnostic(Severity.Warning, Codes.RuntimeTooOld, $"the model uses {what}. It is compressed all the same, and may not load there. {cure}", request.Model));
    }

    private void WarnOfRulesForNothing(Recipe recipe, IReadOnlyList<string> weights)
    {
        foreach (var pattern in recipe.Rules.Where(r => r.NamePattern is not null && !weights.Any(r.MatchesName)).Select(r => r.NamePattern!).Distinct(StringComparer.Ordinal))
        {
            // What the log makes of '::' was copied from it.
            var together = pattern.Replace(": :", "::", StringComparison.Ordinal);
            var cure = together != pattern && weights.Any(w => w.Contains(together, StringComparison.Ordinal)) ? " Two colons in a row are shown apart in logs and reports: in the recipe, write them together." : Spelling.Hint(pattern, weights);
            run.Warn(new Diagnostic(Severity.Warning, Codes.RuleMatchesNothing, $"the recipe '{recipe.Name}' has a rule for weights called '{pattern}', and the model has none.{cure} Correct the rule, or remove it.", request.Model));
        }
    }

    /// <summary>The steps of the recipe; without data they have nothing to go by.</summary>
    private Restructured Restructure(Model prepared, Recipe recipe, EvaluationData? data, Evaluator? evaluator, LockEntry? locked)
    {
        if (recipe.Steps.Count > 0 && data is not null && evaluator is not null)
            return new Restructurer(request, recipe, run, data, evaluator, Limits.Drop, budget, log, cancel).Run(prepared, locked is null ? null : locked.Plan.Structure ?? []);
        if (recipe.Steps.Count > 0)
            run.Warn(new Diagnostic(Severity.Warning, Codes.StepsNeedData, $"the recipe '{recipe.Name}' changes the graph in {recipe.Steps.Count} {(recipe.Steps.Count == 1 ? "step" : "steps")}, and what may go is seen on data, of which there is none: the graph stays as it is. Give EvaluationData or CalibrationData.", request.Model));
        return new Restructured(prepared, [], new Dictionary<string, int>(), [], 0, 0);
    }

    /// <summary>What plans are made with, on a model whose channels are scaled where the recipe wants that and it helps, or where the lock file says so.</summary>
    private (Groundwork Ground, IReadOnlyList<ScaleDecision> Scales) Scale(Model prepared, Preparation preparation, Recipe recipe, LockEntry? locked)
    {
        if (!recipe.ScalesChannels) return (Lay(prepared, preparation, recipe, locked), []);
        if (data is null)
        {
            run.Steps.Add("left channels between layers as they are: which factors help is seen on data, of which there is none");
            return (Lay(prepared, preparation, recipe, locked), []);
        }
        var scaler = new Scaler(request, run, data, recipe, cancel);
        log.Stage("scaling channels");
        IReadOnlyList<ScaleDecision> scales = locked?.Plan.Scales ?? [];
        Groundwork ground;
        if (locked is not null) ground = Lay(scales.Count > 0 ? scaler.Follow(prepared, scales) : prepared, preparation, recipe, locked);
        else
        {
            var ranges = scaler.RangesToObserve(prepared);
            var few = new Lazy<IReadOnlyDictionary<string, Tensor>[]>(() => [.. data.CalibrationRuns(WidthSamples).Read(cancel)]);
            var expected = new Lazy<Tensor[][]>(() => Outputs(session, few.Value));
            (ground, scales) = scaler.Run(Lay(prepared, preparation, recipe, null, ranges), model => Lay(model, preparation, recipe, null, ranges), tried =>
            {
                using var candidate = new Session(tried.Transformer.Apply(scaler.Trial(tried.Planner)), run.Settings("compressed"));
                return Fidelity.MeanDecibels(expected.Value, Outputs(candidate, few.Value));
            });
        }
        run.Steps.Add(scales.Count > 0 ? Scaler.Sentence(scales) : "scaled no channels between layers: there was no place, or the outputs of the quantized model did not come nearer to the original's");
        return (ground, scales);
    }

    // Ranges and biases are in the lock file; how weights are rounded follows from what they are multiplied with.
    private Groundwork Lay(Model prepared, Preparation preparation, Recipe recipe, LockEntry? locked, IReadOnlyDictionary<string, int>? channelRanges = null)
    {
        var statistics = locked is null || recipe.RoundsByCalibration ? preparation.Calibrate(prepared, data, recipe, channelRanges) : null;
        var planner = new Planner(prepared, recipe, statistics, runtime);
        var transformer = new Transformer(prepared, recipe.BiasCorrection && statistics is not null ? statistics.ChannelMeans : new Dictionary<string, float[]>(), recipe.RoundsByCalibration ? statistics?.Grams : null, new ParallelOptions { MaxDegreeOfParallelism = run.Threads, CancellationToken = cancel }, recipe.Rounding);
        if (locked is null && data is not null && statistics is not null && recipe.ChoosesRanges) ChooseRanges(planner, transformer, session, data);
        return new Groundwork(prepared, statistics, planner, transformer);
    }

    private OutputRepair Repair(Model prepared, Transformer transformer, Statistics seen, Planner planner)
    {
        var used = OutputRepair.Samples(seen, planner.Sites);
        var samples = new Lazy<IReadOnlyDictionary<string, Tensor>[]>(() => [.. data!.CalibrationRuns(used).Read(cancel)]);
        var judged = new Lazy<(IReadOnlyDictionary<string, Tensor>[] Samples, Tensor[][] Expected)>(() =>
        {
            var others = data!.CalibrationRuns(used + JudgingSamples).Read(cancel).Skip(used).ToArray();
            if (others.Length < used) others = [.. samples.Value, .. others]; // too few to judge alone
            return (others, Outputs(session, others));
        });
        return new OutputRepair(prepared, transformer, (model, buffers) => new LayerwiseRun(model, samples.Value, run.Settings("compressed"), run.Threads, cancel, buffers), plan =>
        {
            using var candidate = new Session(transformer.Apply(plan), run.Settings("compressed"));
            return Fidelity.MeanDecibels(judged.Value.Expected, Outputs(candidate, judged.Value.Samples));
        }, new ParallelOptions { MaxDegreeOfParallelism = run.Threads, CancellationToken = cancel });
    }

    private void ChooseRanges(Planner planner, Transformer transformer, Session session, EvaluationData data)
    {
        log.Stage("choosing ranges");
        var few = data.CalibrationRuns(FidelitySamples).Read(cancel).ToArray();
        var expected = Outputs(session, few);
        RangeChoice.Make(planner, plan =>
        {
            using var candidate = new Session(transformer.Apply(plan), run.Settings("compressed"));
            return Fidelity.MeanDecibels(expected, Outputs(candidate, few));
        });
    }

    // Side by side, one thread each: more threads inside a run would move its last bits.
    private Tensor[][] Outputs(Session model, IReadOnlyDictionary<string, Tensor>[] samples) =>
        [.. samples.AsParallel().AsOrdered().WithDegreeOfParallelism(run.Threads).Select(s => model.Run(s, cancel))];

    private (Plan Plan, IReadOnlyList<CandidateResult> Candidates) MakePlan(Planner planner, Transformer transformer, OutputRepair? repair, Recipe recipe, Fingerprint inputs)
    {
        if (!recipe.Search) return (planner.ByRules(), []);
        if (evaluator is null || data is null)
            return (planner.Complete([.. planner.Sites.Select(s => planner.Decide(s, WeightForm.Weights, "nothing can be measured without data, and int8 weights alone are the safest form"))], join: false), []);
        log.Stage("measuring the original on the selection split");
        var reference = evaluator.Measure(data.Splits.Selection, f => log.Progress(f, $"{data.Splits.Selection.Count} samples"), cancel);
        var few = data.CalibrationRuns(recipe.Widths.Count > 0 || recipe.Sparsities.Count > 0 ? WidthSamples : FidelitySamples).Read(cancel).ToArray();
        using var floats = new Session(planner.Prepared, run.Settings("prepared"));
        var expected = Outputs(floats, few);
        using var journal = SearchJournal.Open(request.PlanOnly ? null : Path.Combine(request.Output, JournalFile), $"{inputs} {request.Goal} {request.Target} {Processor.Kind} {data.Evaluator?.CodeSha256}");
        var (plan, tried) = Chosen();
        if (!budget.CutShort) journal.Forget();
        return (plan, tried);

        (Plan, IReadOnlyList<CandidateResult>) Chosen()
        {
            if (recipe.Widths.Count > 0)
            {
                var widths = new WidthSearch(planner, recipe.Widths, Limits, journal.Around(new SearchOracle(Measure, plan => Fidelity.MeanDecibels(expected, OutputsOf(plan)), transformer.ProductError)), log, cancel) { Palettes = recipe.Palettes, Budget = budget };
                return (widths.Run(), widths.Candidates);
            }
            if (recipe.Sparsities.Count > 0)
            {
                var rounds = new PruneSearch(planner, recipe.Sparsities, Limits.Drop, journal.Around(new SearchOracle(Measure, plan => Fidelity.MeanDecibels(expected, OutputsOf(plan)), transformer.ProductError)), log, cancel) { Budget = budget };
                var pruned = rounds.Run();
                if (pruned.Weights.All(w => w.Pruning is null) && rounds.Candidates[^1] is var last)
                    run.Warn(new Diagnostic(Severity.Warning, Codes.NothingTaken, FormattableString.Invariant($"the recipe '{recipe.Name}' made no zeros: '{last.Name}' lost {last.Drop:0.0000} of {data.Metrics[0].Name} on the selection split, more than leaves room for the gate. Allow a larger MaxAccuracyDrop, give more evaluation data, or name a 'sparsity' in a recipe of your own."), request.Model));
                return (pruned, rounds.Candidates);
            }
            var search = new Search(planner, request.Goal, Limits, journal.Around(new SearchOracle(Measure, plan => Fidelity.Decibels(expected, OutputsOf(plan)))), log, cancel) { Budget = budget };
            return (search.Run(), search.Candidates);
        }

        Trial Measure(Plan plan)
        {
            var bytes = OnnxWriter.ToBytes(transformer.Apply(repair?.Repair(plan) ?? plan));
            using var candidate = new Session(bytes, run.Settings("compressed"));
            var compared = evaluator.Compare(candidate, reference, f => log.Progress(f, $"{reference.Count} samples"), cancel);
            var primary = compared.Metrics[0];
            var changes = primary is { Worse: { } worse, Better: { } better } ? new DecisionChanges(worse, better, primary.Samples, data.Splits.Gate.Count) : null;
            // A limit on the size is one on what ships.
            var size = request is { Packed: true, MaxSize: not null } ? ModelPacker.Pack(bytes, run.Threads, cancel).Length : bytes.Length;
            return new Trial(size, primary.Compressed, primary.Drop, primary.Confidence is not { Low: <= 0 }, compared.OtherOutputs.All(o => o.IsGood), SampleSize.ExpectedHigh(compared, data.Splits.Gate.Count), changes, FromMargins: compared.Expected is not null);
        }

        Tensor[][] OutputsOf(Plan plan)
        {
            using var candidate = new Session(transformer.Apply(plan), run.Settings("compressed"));
            return Outputs(candidate, few);
        }
    }

    /// <summary>The compressed model and the bytes to ship. An untouched model is the original itself.</summary>
    private (Model Model, byte[] Bytes) Transform(Transformer transformer, Plan plan, bool movedToLoad)
    {
        log.Stage("transforming");
        var compressed = plan.Structure is not null || movedToLoad || plan.Weights.Any(d => d.Encoding is not null) ? transformer.Apply(plan) : run.Original;
        // An untouched model keeps its bytes, unless they point to another file: one file is shipped.
        var originalBytes = run.TakeOriginalBytes();
        var bytes = compressed == run.Original && run.Original.ExternalFiles.Count == 0 ? originalBytes : OnnxWriter.ToBytes(compressed);
        return (compressed, bytes);
    }
}
