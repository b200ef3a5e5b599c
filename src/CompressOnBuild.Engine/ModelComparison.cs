using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Reporting;
using CompressOnBuild.Runtime;

namespace CompressOnBuild;

/// <summary>
/// Holds any two models of the same inputs and outputs against each other, whoever made the second one: the same stages, verdict and
/// reports as after a compression. The splits are those that a compression with the same data and seed makes, so comparing its original
/// with its result repeats its figures, and no sample that a search of ours has seen is judged.
/// </summary>
public static class ModelComparison
{
    /// <summary>Compares <see cref="CompressionRequest.Candidate"/> with <see cref="CompressionRequest.Model"/> and writes the reports into <see cref="CompressionRequest.Output"/>. Neither model is changed or copied.</summary>
    /// <exception cref="CompressionException">COB0040 when the models differ in their inputs or outputs, and any other coded error; a <see cref="Evaluation.GateException"/> after the reports are written.</exception>
    public static CompressionResult Run(CompressionRequest request, ICompressionLog log, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(log);
        var path = request.Candidate ?? throw new ArgumentException("A comparison needs a candidate.", nameof(request));
        OutputFolder.Prepare(request);
        var run = new PairedRun(request, log, cancel);
        run.Load();
        run.TakeOriginalBytes();
        var (model, files, _) = run.Read(path);
        using var session = new Session(run.Original, run.Settings("original"));
        var bytes = Aligned(model, session, run, request);
        using var data = run.OpenData(session);
        var pairs = WeightPairs.Of(run.Original, model);
        if (pairs.Missing > 0) run.Steps.Add($"found no counterpart for {pairs.Missing} of {pairs.Missing + pairs.Found.Count} weights: they may be renamed, folded into others or removed");
        var multiplyAdds = MultiplyAdds.Count(model, FirstShapes(model));
        return run.Finish(new CandidateModel(model, bytes, ResultFacts.Read(model, files, multiplyAdds)) { Weights = pairs.Found, MultiplyAdds = MultiplyAdds.Count(run.Original, FirstShapes(run.Original)) }, session, data, run.Evaluator(session, data));

        Statistics? FirstShapes(Model of) => data is null ? null
            : Calibrator.Run(of, data.CalibrationRuns(1).Read(cancel), new CalibrationRequest { Values = MultiplyAdds.ValuesToObserve(of), Watchdog = run.Watchdog }, cancel);
    }

    /// <summary>Refuses a model with another surface, and brings its outputs into the original's order: all that follows goes by position.</summary>
    private static byte[] Aligned(Model model, Session original, PairedRun run, CompressionRequest request)
    {
        var bytes = OnnxWriter.ToBytes(model);
        using var session = new Session(bytes, run.Settings("second") with { File = model.File });
        string[] differences = [.. Differences("input", original.Inputs, session.Inputs), .. Differences("output", original.Outputs, session.Outputs)];
        if (differences.Length > 0)
            throw new CompressionException(Codes.ModelsNotComparable, $"the models '{request.Names.Original}' and '{request.Names.Candidate}' cannot be compared: {string.Join("; ", differences)}. Valid are two models whose inputs and outputs have the same names and element types. Rename or convert them in one of the models.", model.File);
        string[] wanted = [.. original.Outputs.Select(o => o.Name)], found = [.. session.Outputs.Select(o => o.Name)];
        if (wanted.SequenceEqual(found, StringComparer.Ordinal)) return bytes;
        model.Graph.ReorderOutputs([.. wanted.Select(name => Array.IndexOf(found, name))]);
        return OnnxWriter.ToBytes(model);
    }

    private static IEnumerable<string> Differences(string kind, IReadOnlyList<Port> first, IReadOnlyList<Port> second)
    {
        foreach (var port in first)
        {
            var twin = second.FirstOrDefault(p => p.Name == port.Name);
            if (twin is null) yield return $"the first has the {kind} '{port.Name}', the second has {(second.Count == 0 ? "none" : string.Join(", ", second.Select(p => $"'{p.Name}'")))}";
            else if (twin.ElementType != port.ElementType) yield return $"the {kind} '{port.Name}' is {port.ElementType} in the first and {twin.ElementType} in the second";
            // An axis that both fix, at other lengths, fits no sample.
            else if (kind == "input" && twin.Shape.Count == port.Shape.Count && twin.Shape.Zip(port.Shape).Any(d => d.First >= 0 && d.Second >= 0 && d.First != d.Second))
                yield return $"the {kind} '{port.Name}' has the shape {Shape(port)} in the first and {Shape(twin)} in the second";
        }
        foreach (var extra in second.Where(p => first.All(f => f.Name != p.Name))) yield return $"the second has the {kind} '{extra.Name}', which the first has not";
    }

    private static string Shape(Port port) => $"[{string.Join(", ", port.Shape.Select(d => d < 0 ? "?" : FormattableString.Invariant($"{d}")))}]";
}
