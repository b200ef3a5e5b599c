using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Rewrites.Opsets;
using CompressOnBuild.Runtime;

namespace CompressOnBuild;

/// <summary>What stands before every plan: an equal graph that forms fit into, and what calibration sees of it. What was done goes to the run's steps and warnings.</summary>
internal sealed class Preparation(CompressionRequest request, PairedRun run, Capabilities runtime, ICompressionLog log, CancellationToken cancel)
{
    /// <summary>Operator set that brought scales per channel.</summary>
    private const int WorkingOpset = 13;

    /// <summary>The original with everything folded and in the operator set that forms need; an equal graph, shown on a few samples. A recipe that leaves everything gets a copy.</summary>
    public (Model Model, bool MovedToLoad) Run(Session session, EvaluationData? data, Recipe recipe)
    {
        log.Stage("preparing");
        if (recipe.LeavesEverything) return (run.Original.Clone(), false);
        var (prepared, movedToLoad) = (run.Original.Clone(), false);
        foreach (var step in StandardRewrites.Run(prepared, Fold))
        {
            run.Steps.Add(step.Sentence);
            movedToLoad |= step.Name == WeightDequantizeFolding.StepName;
        }
        if (prepared.Opset() is > 0 and < WorkingOpset && runtime.Opset < WorkingOpset)
            run.Steps.Add($"left operator set {prepared.Opset()} as it is: ONNX Runtime {runtime.Version} runs up to {runtime.Opset}");
        else if (prepared.Opset() is > 0 and < WorkingOpset)
        {
            var raised = OpsetConversion.Raise(prepared, WorkingOpset);
            run.Steps.Add(raised.Refusal ?? $"raised operator set {prepared.Opset()} to {WorkingOpset}, {raised.Changed} nodes written the new way");
            prepared = raised.Model ?? prepared;
        }
        return Verified(session, prepared, data) is { } verified ? (verified, movedToLoad) : (run.Original.Clone(), false);
    }

    private IReadOnlyList<Tensor> Fold(Model constants)
    {
        using var session = new Session(constants, run.Settings("folded"));
        return session.Run(new Dictionary<string, Tensor>(), cancel);
    }

    /// <summary>
    /// A rewrite must not change what the model computes: shown on a few samples, before anything is built on it. A model that differs from
    /// itself (it draws random numbers) cannot be compared; of one that a rewrite changed there is null: it goes on as it was.
    /// </summary>
    internal Model? Verified(Session session, Model prepared, EvaluationData? data)
    {
        var samples = data?.CalibrationRuns(2).Read(cancel).ToArray() ?? [];
        Tensor[][] after;
        try
        {
            using var rewritten = new Session(prepared, run.Settings("prepared"));
            after = [.. samples.Select(s => rewritten.Run(s, cancel))];
        }
        catch (CompressionException e) when (e.Diagnostic.Code is Codes.RuntimeRefused or Codes.RuntimeFailed)
        {
            // The original loaded; that it runs on the samples, too, is seen now.
            foreach (var sample in samples) session.Run(sample, cancel);
            return Rejected($"does not run ({e.Diagnostic.Message.Split(". Valid", 2)[0]})");
        }
        if (samples.Length == 0) return prepared;
        Tensor[][] expected = [.. samples.Select(s => session.Run(s, cancel))];
        var worst = Fidelity.WorstOutput(expected, after);
        if (worst >= Fidelity.Equal) return prepared;
        if (Fidelity.WorstOutput(expected, [.. samples.Select(s => session.Run(s, cancel))]) < Fidelity.Equal)
        {
            run.Warn(new Diagnostic(Severity.Warning, Codes.NotDeterministic, "two runs of the original on the same sample give different outputs: the model draws random numbers. What is measured below contains that chance. Give the random operators a seed, or judge by a metric that chance does not move.", request.Model));
            return prepared;
        }
        return Rejected(FormattableString.Invariant($"differs from the original ({worst:0.0} dB, at least {Fidelity.Equal} dB are expected)"));
    }

    private Model? Rejected(string how)
    {
        run.Warn(new Diagnostic(Severity.Warning, Codes.RewriteRejected, $"the graph after folding and opset conversion {how}, so the original graph is compressed as it is. Please report it with the model.", request.Model));
        run.Steps.Clear();
        return null;
    }

    /// <summary>What the calibration samples show of a prepared model; null without data. <paramref name="channelRanges"/>: as <see cref="CalibrationRequest.ChannelRanges"/>.</summary>
    public Statistics? Calibrate(Model prepared, EvaluationData? data, Recipe recipe, IReadOnlyDictionary<string, int>? channelRanges = null)
    {
        if (data is null) return null;
        log.Stage("calibrating");
        // Where nothing is quantized, one sample shows the shapes, from which the multiply-adds follow.
        var runs = data.CalibrationRuns(recipe.LeavesEverything ? 1 : recipe.Calibration.Samples);
        var count = runs.Count;
        return Calibrator.Run(prepared, runs.Read(cancel), new CalibrationRequest
        {
            SampleCount = count,
            Values = [.. Planner.ValuesToObserve(prepared).Union(channelRanges?.Keys ?? [])],
            ChannelRanges = channelRanges ?? new Dictionary<string, int>(),
            ChannelMeans = Planner.MeansToObserve(prepared),
            Grams = Planner.GramsToObserve(prepared, recipe),
            Threads = run.Threads,
            Watchdog = run.Watchdog,
            Progress = fraction => log.Progress(fraction, $"{count} samples"),
        }, cancel);
    }
}
