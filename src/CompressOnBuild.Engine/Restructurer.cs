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
            var technique = GraphTechniques.Find(step.Kind);
            var origin = model;
            left = new Dictionary<string, KeptIndices>(StringComparer.Ordinal);
            var noise = new Sensitivities(new OutputNoise(model, () => data.SelectionRuns(OutputNoise.Samples).Read(cancel), run.Settings("restructured"), parallel).Of);
            var first = Begin(technique, model, step, noise);
            if (locked is not null)
            {
                for (var current = first; next < locked.Count && locked[next].Step == index; current = null)
                {
                    current ??= Begin(technique, model, step, noise);
                    var round = locked[next++];
                    if (current.Misfit(round) is { } misfit) throw Misfit(misfit);
                    Take(step, round, Repaired(step, origin, current.Apply(round), left));
                }
            }
            else if (step.Amount is { } amount) Reach(technique, step, index, origin, noise, first, amount);
            else Search(technique, step, index, origin, noise, first);
            foreach (var group in first.LeftAlone.GroupBy(l => l.Because, StringComparer.Ordinal))
                run.Steps.Add($"{RecipeStep.Word(step.Kind)} left alone {Names([.. group.Select(g => g.Name)])}: {group.Key}");
        }
        if (locked is not null && next < locked.Count) throw Misfit($"round {next + 1} of 'structure' is of a step that the recipe does not have there");
        return new Restructured(model, rounds, ranks, tried, before, now);

        void Take(RecipeStep step, StructureRound round, RestructuredModel made)
        {
            rounds.Add(round);
            (model, left) = (made.Model, made.Left);
            foreach (var (name, rank) in made.Ranks) ranks[name] = rank;
            var after = MultiplyAdds(model);
            run.Steps.Add(Sentence(step, round, now, after, before));
            now = after;
        }

        // What accumulates goes in rounds as small as those of a search: each sees what the one before it left.
        void Reach(IGraphTechnique technique, RecipeStep step, int index, Model origin, Sensitivities noise, IRestructuring started, double amount)
        {
            var (start, goal) = (now, (1 - amount) * now);
            while (true)
            {
                var round = started.Choose(technique.Accumulates ? Math.Min(technique.RoundAmount * start, now - goal) / now : amount) with { Step = index };
                if (round.IsEmpty) break;
                var (last, made) = (now, started.Apply(round));
                if (!Runs(made.Model, step)) break;
                made = Repaired(step, origin, made, left);
                Take(step, round, made);
                if (!technique.Accumulates || now <= goal || now >= last) break;
                started = Begin(technique, model, step, noise);
            }
        }

        void Search(IGraphTechnique technique, RecipeStep step, int index, Model origin, Sensitivities noise, IRestructuring started)
        {
            reference ??= evaluator.Measure(data.Splits.Selection, f => log.Progress(f, $"{data.Splits.Selection.Count} samples"), cancel);
            (StructureRound Round, RestructuredModel Made)? best = null;
            var (kept, earlier) = (-1, tried.Count);
            var start = now;
            // Behind the first round of what does not accumulate that took too much, steps get smaller, and what goes further than a good one counts only where the gate is expected to show it.
            var (reached, more, finer) = (0.0, technique.RoundAmount, -1);
            for (var i = 1; i <= MostRounds && reached + more < 1; i++)
            {
                cancel.ThrowIfCancellationRequested();
                if (budget.IsOver) break;
                var round = started.Choose(technique.Accumulates ? technique.RoundAmount * start / now : reached + more);
                if (round.IsEmpty || (best is { } last && Same(last.Round, round))) break;
                round = round with { Step = index };
                var made = started.Apply(round);
                if (!Runs(made.Model, step)) break;
                made = Repaired(step, origin, made, left);
                log.Stage($"measuring round {i} of {RecipeStep.Word(step.Kind)}");
                var (good, shown, result) = Measure(made.Model, $"{RecipeStep.Word(step.Kind)}, round {i}: ");
                tried.Add(result);
                if (finer < 0 || best is null ? good : shown)
                {
                    kept = tried.Count - 1;
                    if (technique.Accumulates)
                    {
                        Take(step, round, made);
                        started = Begin(technique, model, step, noise);
                        continue;
                    }
                    best = (round, made);
                    reached += more;
                }
                else if (technique.Accumulates) break;
                else finer = Math.Max(0, finer);
                if (finer < 0) continue;
                if (finer++ == FinerRounds) break;
                more /= 2;
            }
            if (best is { } chosen) Take(step, chosen.Round, chosen.Made);
            if (kept >= 0) tried[kept] = tried[kept] with { Chosen = true };
            else
            {
                var why = tried.Count > earlier ? $"'{tried[^1].Name}' lost {FormattableString.Invariant($"{tried[^1].Drop:0.0000}")} of {data.Metrics[0].Name} on the selection split" : budget.CutShort ? "the time of the search was over" : "nothing could be taken";
                run.Steps.Add($"{RecipeStep.Word(step.Kind)} took nothing away: {why}");
                run.Warn(new Diagnostic(Severity.Warning, Codes.NothingTaken, $"{RecipeStep.Word(step.Kind)} took nothing away: {why}. Allow a larger MaxAccuracyDrop, give more evaluation data, or name an amount in a recipe of your own; the report names what could not be cut.", request.Model));
            }
        }

        CompressionException Misfit(string what) =>
            new(Codes.LockDoesNotFit, $"the lock file does not fit the model although the model did not change: {what}. Take the file back from version control, or write it anew: {LockFileReader.ForceEvaluate}.", request.LockPath);
    }

    private IRestructuring Begin(IGraphTechnique technique, Model model, RecipeStep step, Sensitivities noise)
    {
        var needs = technique.Needs(model);
        var shapes = Observe(model, 1, needs.Shapes, []);
        return technique.Begin(model, Observe(model, recipe.Calibration.Samples, needs.Values, needs.Grams), shapes, step, noise, parallel);
    }

    /// <summary>The model after a round with the layers behind the cut brought near to those of the model before the step, and what is left of that model's values.</summary>
    /// <param name="step">By magnitude nothing is repaired.</param>
    /// <param name="origin">The model before the step.</param>
    /// <param name="made">After the round.</param>
    /// <param name="before">What was left before the round.</param>
    private RestructuredModel Repaired(RecipeStep step, Model origin, RestructuredModel made, IReadOnlyDictionary<string, KeptIndices> before)
    {
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
