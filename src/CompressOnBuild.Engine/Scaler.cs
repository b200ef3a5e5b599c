using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Scaling;
using CompressOnBuild.Techniques.Scaling;

namespace CompressOnBuild;

/// <summary>What plans are made and executed with.</summary>
/// <param name="Prepared">The model after its rewrites.</param>
/// <param name="Statistics">What calibration saw of it; null without data.</param>
/// <param name="Planner">Makes plans for it.</param>
/// <param name="Transformer">Executes them.</param>
internal sealed record Groundwork(Model Prepared, Statistics? Statistics, Planner Planner, Transformer Transformer);

/// <summary>
/// Scales channels between layers where that brings the outputs of the quantized model nearer to the original's: techniques one after the other, each kept only if it does so on
/// calibration samples.
/// </summary>
internal sealed class Scaler(CompressionRequest request, PairedRun run, EvaluationData data, Recipe recipe, CancellationToken cancel)
{
    /// <summary>Decibels; less is chance, and would differ between processors.</summary>
    private const double WorthIt = 0.1;

    /// <summary>Inputs of layers whose channels calibration is to look at, with the axis of the channels.</summary>
    public IReadOnlyDictionary<string, int> RangesToObserve(Model prepared) =>
        ScaledModel.Places(prepared, Shapes(prepared)).SelectMany(p => p.Consumers).DistinctBy(s => s.Node.Input(0)).ToDictionary(s => s.Node.Input(0)!.Name, s => s.Axis, StringComparer.Ordinal);

    /// <summary>The better model, and what was done to it.</summary>
    /// <param name="start">As it was, calibrated with <see cref="RangesToObserve"/>.</param>
    /// <param name="lay">Calibrates a scaled model in the same way.</param>
    /// <param name="decibels">How near the outputs come to the original's when it is quantized.</param>
    public (Groundwork Ground, IReadOnlyList<ScaleDecision> Scales) Run(Groundwork start, Func<Model, Groundwork> lay, Func<Groundwork, double> decibels)
    {
        var shapes = Shapes(start.Prepared);
        var (ground, reached) = (start, double.NaN);
        var total = new Dictionary<string, int[]>(StringComparer.Ordinal);
        if (recipe.Equalization) Try(Equalization.Steps);
        if (recipe.Smoothing) Try(Measured);
        return (ground, [.. total.Select(t => new ScaleDecision(t.Key, t.Value))]);

        void Try(Func<IReadOnlyList<ScalePlace>, IReadOnlyList<int[]?>> choose)
        {
            var places = ScaledModel.Places(ground.Prepared, shapes);
            ScaleDecision[] scales = [.. places.Zip(choose(places)).Where(c => c.Second is { } steps && steps.Any(s => s != 0)).Select(c => new ScaleDecision(c.First.Name, c.Second!))];
            if (scales.Length == 0) return;
            if (double.IsNaN(reached)) reached = decibels(ground);
            // Both techniques' factors at once on the model as it was, as a lock file has them: one rounding to floats.
            var merged = new Dictionary<string, int[]>(total, StringComparer.Ordinal);
            foreach (var (name, steps) in scales) merged[name] = merged.TryGetValue(name, out var before) ? [.. before.Zip(steps, (a, b) => a + b)] : [.. steps];
            var tried = lay(ScaledModel.Apply(start.Prepared, shapes, [.. merged.Select(t => new ScaleDecision(t.Key, t.Value))]).Model!);
            var near = decibels(tried);
            if (!(near > reached + WorthIt))
            {
                tried.Statistics?.ForgetGrams();
                return;
            }
            (ground, reached, total) = (tried, near, merged);
        }

        IReadOnlyList<int[]?> Measured(IReadOnlyList<ScalePlace> places)
        {
            var measured = new MeasuredScales(ground.Planner.Sites, ground.Statistics!, Trial(ground.Planner).Weights.ToDictionary(w => w.Site, StringComparer.Ordinal), new ParallelOptions { MaxDegreeOfParallelism = run.Threads, CancellationToken = cancel });
            return [.. places.Select(p => measured.Choose(p))];
        }
    }

    /// <summary>The plan that a model is judged by before there is one: the recipe's own, or what a search begins with.</summary>
    public Plan Trial(Planner planner) => !recipe.Search ? planner.ByRules()
        : recipe.Widths.Count > 0 ? planner.Complete([.. planner.Sites.Select(s => planner.DecideRestored(s, "", recipe.Widths[recipe.Widths.Count / 2]))], join: false)
        : planner.Complete([.. planner.Sites.Select(s => planner.Decide(s, WeightForm.Static, ""))], join: true);

    /// <summary>The model that a lock file says.</summary>
    /// <exception cref="CompressionException">COB3007: it does not fit.</exception>
    public Model Follow(Model prepared, IReadOnlyList<ScaleDecision> scales)
    {
        var (model, misfit) = ScaledModel.Apply(prepared, Shapes(prepared), scales);
        return model ?? throw new CompressionException(Codes.LockDoesNotFit, $"the lock file does not fit the model although the model did not change: {misfit}. Take the file back from version control, or write it anew: {LockFileReader.ForceEvaluate}.", request.LockPath);
    }

    /// <summary>What was done, for the report; it follows from the decisions alone.</summary>
    public static string Sentence(IReadOnlyList<ScaleDecision> scales)
    {
        const int Shown = 8;
        var some = string.Join(", ", scales.Take(Shown).Select(s => FormattableString.Invariant($"'{s.Constant}' ({s.Steps.Count} channels, {ScaleSteps.Factor(s.Steps.Min()):0.###} to {ScaleSteps.Factor(s.Steps.Max()):0.###})")));
        return $"scaled channels between layers in {scales.Count} {(scales.Count == 1 ? "place" : "places")}, named by what makes them: {some}{(scales.Count > Shown ? $" and {scales.Count - Shown} more" : "")}";
    }

    private Statistics Shapes(Model model)
    {
        var runs = data.CalibrationRuns(1);
        string[] values = [.. model.Graph.Inputs.Where(i => i.Initializer is null).Concat(model.Graph.Nodes.SelectMany(n => n.Outputs).OfType<Value>()).Select(v => v.Name)];
        return Calibrator.Run(model, runs.Read(cancel), new CalibrationRequest { SampleCount = runs.Count, Values = values, Watchdog = run.Watchdog }, cancel);
    }
}
