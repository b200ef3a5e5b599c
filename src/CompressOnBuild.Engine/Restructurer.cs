using System.Globalization;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Restructuring;
using CompressOnBuild.Runtime;

namespace CompressOnBuild;

/// <summary>What the steps of a recipe left.</summary>
/// <param name="Model">A float model, smaller than the one it came from.</param>
/// <param name="Rounds">What was done, in order.</param>
/// <param name="Ranks">Ranks of the weights that were added, by name.</param>
/// <param name="Tried">What was measured.</param>
/// <param name="MultiplyAddsBefore">Multiply-accumulates of one run before the first step.</param>
/// <param name="MultiplyAdds">The same after the last.</param>
internal sealed record Restructured(Model Model, IReadOnlyList<StructureRound> Rounds, IReadOnlyDictionary<string, int> Ranks, IReadOnlyList<CandidateResult> Tried, long MultiplyAddsBefore, long MultiplyAdds);

/// <summary>
/// The steps that change the graph, between preparing and calibrating for quantization. A step goes in rounds, up to its amount or, without one, up to the accuracy limit:
/// restructure, repair, measure on the selection split. Where a round starts from the model before the step, finer ones follow the first that took too much; the last good one stays.
/// </summary>
internal sealed class Restructurer(CompressionRequest request, Recipe recipe, PairedRun run, EvaluationData data, Evaluator evaluator, double limit, SearchBudget budget, ICompressionLog log, CancellationToken cancel)
{
    private const int MostRounds = 18;
    // As a search over forms counts.
    private const double ShareOfLimit = 0.5;
    private const int FinerRounds = 2;

    private readonly List<CandidateResult> tried = [];
    private readonly ParallelOptions parallel = new() { MaxDegreeOfParallelism = run.Threads, CancellationToken = cancel };
    private Evaluator.Reference? reference;

    /// <summary>Runs the steps, or the rounds that a lock file says.</summary>
    public Restructured Run(Model prepared, IReadOnlyList<StructureRound>? locked)
    {
        var rounds = new List<StructureRound>();
        var ranks = new Dictionary<string, int>(StringComparer.Ordinal);
        var before = MultiplyAdds(prepared);
        var (model, now, next) = (prepared, before, 0);
        IReadOnlyDictionary<string, KeptIndices> left = new Dictionary<string, KeptIndices>();
        for (var index = 1; index <= recipe.Steps.Count; index++)
        {
            var step = recipe.Steps[index - 1];
            if (step.Kind == StepKind.PruneStructured && prepared.Opset() is > 0 and < ChannelAnalysis.LowestOpset)
            {
                run.Warn(new Diagnostic(Severity.Warning, Codes.NothingTaken, $"{RecipeStep.Word(step.Kind)} took nothing away: the model stays at operator set {prepared.Opset()}, and channels are followed from {ChannelAnalysis.LowestOpset} on. Export it with operator set {ChannelAnalysis.LowestOpset} or newer.", request.Model));
                continue;
            }
            log.Stage(step.Kind == StepKind.LowRank ? "factoring" : "pruning");
            left = new Dictionary<string, KeptIndices>(StringComparer.Ordinal);
            // How much goes is searched only where the recipe does not say it, and only a search may be cut short.
            var at = new Stage(GraphTechniques.Find(step.Kind), step, index, model, new Sensitivities(
                new OutputNoise(model, () => data.SelectionRuns(OutputNoise.Samples).Read(cancel), run.Settings("restructured"), parallel).Of, () => step.Amount is null && budget.IsOver));
            var first = Begin(at, model);
            if (locked is not null)
            {
                for (var current = first; next < locked.Count && locked[next].Step == index; current = null)
                {
                    current ??= Begin(at, model);
                    var round = locked[next++];
                    if (current.Misfit(round) is { } misfit) throw Misfit(misfit);
                    Take(at, round, Repaired(at, current.Apply(round), left));
                }
            }
            else if (step.Amount is { } amount) Reach(at, first, amount);
            else Search(at, first);
            foreach (var group in first.LeftAlone.GroupBy(l => l.Because, StringComparer.Ordinal))
                run.Steps.Add($"{RecipeStep.Word(step.Kind)} left alone {Names([.. group.Select(g => g.Name)])}: {group.Key}");
        }
        if (locked is not null && next < locked.Count) throw Misfit($"round {next + 1} of 'structure' is of a step that the recipe does not have there");
        return new Restructured(model, rounds, ranks, tried, before, now);

        void Take(Stage at, StructureRound round, RestructuredModel made)
        {
            rounds.Add(round);
            (model, left) = (made.Model, made.Left);
            foreach (var (name, rank) in made.Ranks) ranks[name] = rank;
            var after = MultiplyAdds(model);
            run.Steps.Add(Sentence(at.Step, round, now, after, before));
            now = after;
        }

        // What accumulates goes in rounds as small as those of a search: each sees what the one before it left.
        void Reach(Stage at, IRestructuring started, double amount)
        {
            var (start, goal, accumulates) = (now, (1 - amount) * now, at.Technique.Accumulates);
            while (Next(at, started, accumulates ? Math.Min(at.Technique.RoundAmount * start, now - goal) / now : amount) is { } made)
            {
                var last = now;
                Take(at, made.Round, made.Model);
                if (!accumulates || now <= goal || now >= last) break;
                started = Begin(at, model);
            }
        }

        void Search(Stage at, IRestructuring started)
        {
            reference ??= evaluator.Measure(data.Splits.Selection, f => log.Progress(f, $"{data.Splits.Selection.Count} samples"), cancel);
            var earlier = tried.Count;
            if ((at.Technique.Accumulates ? Shrink(at, started) : Approach(at, started)) is { } kept)
            {
                tried[kept] = tried[kept] with { Chosen = true };
                return;
            }
            var word = RecipeStep.Word(at.Step.Kind);
            var why = tried.Count > earlier ? $"'{tried[^1].Name}' lost {FormattableString.Invariant($"{tried[^1].Drop:0.0000}")} of {data.Metrics[0].Name} on the selection split" : budget.CutShort ? "the time of the search was over" : "nothing could be taken";
            run.Steps.Add($"{word} took nothing away: {why}");
            run.Warn(new Diagnostic(Severity.Warning, Codes.NothingTaken, $"{word} took nothing away: {why}. Allow a larger MaxAccuracyDrop, give more evaluation data, or name an amount in a recipe of your own; the report names what could not be cut.", request.Model));
        }

        // Rounds that go on from each other, until one takes too much. The number of the last good one among all that were tried.
        int? Shrink(Stage at, IRestructuring started)
        {
            var (start, kept) = (now, (int?)null);
            for (var i = 1; i <= MostRounds && at.Technique.RoundAmount * i < 1; i++)
            {
                if (Try(at, started, at.Technique.RoundAmount * start / now, i) is not { Good: true } made) break;
                kept = tried.Count - 1;
                Take(at, made.Round, made.Model);
                started = Begin(at, model);
            }
            return kept;
        }

        // Rounds that all start from the model before the step. Behind the first that took too much they get finer, and what goes further than a good one counts only where
        // the gate is expected to show it.
        int? Approach(Stage at, IRestructuring started)
        {
            (StructureRound Round, RestructuredModel Model)? best = null;
            var (kept, finer) = ((int?)null, 0);
            double reached = 0, more = at.Technique.RoundAmount;
            for (var i = 1; i <= MostRounds && finer <= FinerRounds && reached + more < 1; i++)
            {
                if (Try(at, started, reached + more, i, best?.Round) is not { } made) break;
                var counts = finer == 0 || best is null ? made.Good : made.Shown;
                if (counts)
                {
                    (best, kept) = ((made.Round, made.Model), tried.Count - 1);
                    reached += more;
                }
                if (counts && finer == 0) continue;
                finer++;
                more /= 2;
            }
            if (best is { } chosen) Take(at, chosen.Round, chosen.Model);
            return kept;
        }

        // A round measured on the selection split; null where the search ends.
        (StructureRound Round, RestructuredModel Model, bool Good, bool Shown)? Try(Stage at, IRestructuring started, double amount, int number, StructureRound? last = null)
        {
            cancel.ThrowIfCancellationRequested();
            if (budget.IsOver || Next(at, started, amount, last) is not { } made) return null;
            log.Stage($"measuring round {number} of {RecipeStep.Word(at.Step.Kind)}");
            var (good, shown, result) = Measure(made.Model.Model, $"{RecipeStep.Word(at.Step.Kind)}, round {number}: ");
            tried.Add(result);
            return (made.Round, made.Model, good, shown);
        }

        // Null where nothing more can be taken than by the round before, or the runtime does not take what is left.
        (StructureRound Round, RestructuredModel Model)? Next(Stage at, IRestructuring started, double amount, StructureRound? last = null)
        {
            var round = started.Choose(amount) with { Step = at.Index };
            if (round.IsEmpty || (last is not null && Same(last, round))) return null;
            var made = started.Apply(round);
            return Runs(made.Model, at.Step) ? (round, Repaired(at, made, left)) : null;
        }

        CompressionException Misfit(string what) =>
            new(Codes.LockDoesNotFit, $"the lock file does not fit the model although the model did not change: {what}. Take the file back from version control, or write it anew: {LockFileReader.ForceEvaluate}.", request.LockPath);
    }

    /// <summary>One step of the recipe.</summary>
    /// <param name="Technique">What it does.</param>
    /// <param name="Step">What the recipe says.</param>
    /// <param name="Index">Its number.</param>
    /// <param name="Origin">The model before it.</param>
    /// <param name="Noise">What changes do to that model's outputs.</param>
    private sealed record Stage(IGraphTechnique Technique, RecipeStep Step, int Index, Model Origin, Sensitivities Noise);

    private IRestructuring Begin(Stage at, Model model)
    {
        var needs = at.Technique.Needs(model);
        var shapes = Observe(model, 1, needs.Shapes, []);
        return at.Technique.Begin(model, Observe(model, recipe.Calibration.Samples, needs.Values, needs.Grams), shapes, at.Step, at.Noise, parallel);
    }

    /// <summary>
    /// The model after a round with the layers behind the cut brought near to those of the model before the step, and what is left of that model's values. By magnitude
    /// nothing is repaired.
    /// </summary>
    /// <param name="at">The step.</param>
    /// <param name="made">After the round.</param>
    /// <param name="before">What was left before the round.</param>
    private RestructuredModel Repaired(Stage at, RestructuredModel made, IReadOnlyDictionary<string, KeptIndices> before)
    {
        var (step, origin) = (at.Step, at.Origin);
        var left = new Dictionary<string, KeptIndices>(before, StringComparer.Ordinal);
        foreach (var (name, kept) in made.Left) left[name] = before.TryGetValue(name, out var earlier) ? earlier.Then(kept) : kept;
        made = made with { Left = left };
        if (step.By == StepCriterion.Magnitude || left.Count == 0) return made;
        var repaired = made.Model.Clone();
        try
        {
            string[] values = [.. origin.Graph.Inputs.Where(i => i.Initializer is null).Concat(origin.Graph.Nodes.SelectMany(n => n.Outputs).OfType<Value>()).Where(v => v.Constant is null).Select(v => v.Name).Distinct(StringComparer.Ordinal)];
            var sizes = Observe(origin, 1, values, []);
            var runs = data.CalibrationRuns(recipe.Calibration.Samples);
            new Reconstruction(origin, left, name => sizes.TryGet(name, out var seen) ? seen.MeanElements : 0,
                (model, count, buffers) => new LayerwiseRun(model, [.. runs.Read(cancel).Take(count)], run.Settings("restructured"), run.Threads, cancel, buffers), runs.Count, parallel).Run(repaired);
        }
        // The runtime may refuse a piece of a model that it takes as a whole.
        catch (CompressionException e) { return Unrepaired(e); }
        catch (AggregateException e) when (e.Flatten().InnerExceptions is var all && all.All(i => i is CompressionException)) { return Unrepaired((CompressionException)all[0]); }
        return made with { Model = repaired };

        RestructuredModel Unrepaired(CompressionException e)
        {
            run.Warn(new Diagnostic(Severity.Warning, Codes.RewriteRejected, $"the layers behind what '{RecipeStep.Word(step.Kind)}' took cannot be run one by one ({e.Diagnostic.Message}), so that they are not brought nearer to the original's together. Please report it with the model.", request.Model));
            return made;
        }
    }

    private long MultiplyAdds(Model model) => CompressOnBuild.MultiplyAdds.Count(model, Observe(model, 1, CompressOnBuild.MultiplyAdds.ValuesToObserve(model), []));

    // A cut that the runtime does not take is a fault of the analysis: the build says so and goes on without it.
    private bool Runs(Model model, RecipeStep step)
    {
        try
        {
            using var session = new Session(model, run.Settings("restructured"));
            foreach (var sample in data.CalibrationRuns(1).Read(cancel)) session.Run(sample, cancel);
            return true;
        }
        catch (CompressionException e)
        {
            run.Warn(new Diagnostic(Severity.Warning, Codes.RewriteRejected, $"the model does not run after a round of '{RecipeStep.Word(step.Kind)}' ({e.Diagnostic.Message}), so that the step ends before it. Please report it with the model.", request.Model));
            return false;
        }
    }

    private Statistics Observe(Model model, int samples, IReadOnlyCollection<string> values, IReadOnlyList<GramRequest> grams)
    {
        var runs = data.CalibrationRuns(samples);
        return Calibrator.Run(model, runs.Read(cancel), new CalibrationRequest { SampleCount = runs.Count, Values = values, Grams = grams, Threads = run.Threads, Watchdog = run.Watchdog }, cancel);
    }

    private (bool Good, bool Shown, CandidateResult Result) Measure(Model model, string name)
    {
        var bytes = OnnxWriter.ToBytes(model);
        using var candidate = new Session(bytes, run.Settings("compressed"));
        var compared = evaluator.Compare(candidate, reference!, f => log.Progress(f, $"{reference!.Count} samples"), cancel);
        var primary = compared.Metrics[0];
        var worse = primary.Confidence is not { Low: <= 0 };
        // A mean that is shown to be worse is no chance, and a few samples of the gate may be much worse than any here.
        var high = worse && primary.Worse is null ? primary.Drop / ShareOfLimit : SampleSize.ExpectedHigh(compared, data.Splits.Gate.Count);
        var trial = new Trial(bytes.Length, primary.Compressed, primary.Drop, worse, compared.OtherOutputs.All(o => o.IsGood), high);
        // Few samples seldom show that a limit is kept. What they show to be worse must leave room for what the gate's show; one wrong answer more may be chance.
        var good = trial.Passes(limit) || (trial.OthersGood && trial.Drop <= (worse ? ShareOfLimit : 1) * limit);
        return (good, trial.Passes(limit), new CandidateResult(string.Create(CultureInfo.InvariantCulture, $"{name}{(double)bytes.Length / OnnxWriter.ToBytes(run.Original).Length:0.0 %} of the bytes"), bytes.Length, primary.Compressed, primary.Drop, null, false));
    }

    private static bool Same(StructureRound a, StructureRound b) => a.Ranks.SequenceEqual(b.Ranks)
        && a.Channels.Count == b.Channels.Count && a.Channels.Zip(b.Channels).All(p => p.First.Group == p.Second.Group && p.First.Kept.SequenceEqual(p.Second.Kept));

    private static string Sentence(RecipeStep step, StructureRound round, long before, long after, long first)
    {
        var what = step.Kind == StepKind.LowRank
            ? $"factored {round.Ranks.Count} weights: {string.Join("; ", round.Ranks.Select(r => $"'{r.Weight}' {r.Because}"))}"
            : $"took {round.Channels.Sum(c => c.Of - c.Kept.Count)} channels out of {round.Channels.Count} groups: {string.Join("; ", round.Channels.Select(c => $"'{c.Group}' {c.Because}"))}";
        return string.Create(CultureInfo.InvariantCulture, $"{RecipeStep.Word(step.Kind)} {what}. Multiply-accumulates {before} -> {after} ({(first > 0 ? (double)after / first : 1):0.0 %} of those before the first step)");
    }

    private static string Names(IReadOnlyList<string> names)
    {
        const int Shown = 5;
        var some = string.Join(", ", names.Take(Shown).Select(n => $"'{n}'"));
        return names.Count > Shown ? $"{some} and {names.Count - Shown} more" : some;
    }
}
