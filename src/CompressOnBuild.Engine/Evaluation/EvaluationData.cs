using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Evaluation;

/// <summary>The data sets of a request, divided into splits, with the metrics that judge them.</summary>
internal sealed class EvaluationData : IDisposable
{
    private readonly List<IDataset> datasets;
    private readonly Session original;

    private EvaluationData(List<IDataset> datasets, Session original, Splits splits, IReadOnlyList<IMetric> metrics, int output, bool isOutputNamed)
    {
        (this.datasets, this.original, Splits, Metrics, Output, IsOutputNamed) = (datasets, original, splits, metrics, output, isOutputNamed);
    }

    public Splits Splits { get; }
    /// <summary>The primary metric first; then the others of the request, those that only a requirement names, and those that are always shown.</summary>
    public IReadOnlyList<IMetric> Metrics { get; }
    /// <summary>Index of the model output that is scored.</summary>
    public int Output { get; }
    /// <summary>Whether evaluation.json says that this output is the one that matters; otherwise none may be ruined.</summary>
    public bool IsOutputNamed { get; }
    /// <summary>How the scored output becomes a decision.</summary>
    public required Decoding Decoding { get; init; }
    /// <summary>Where the user's own metric comes from; null without one.</summary>
    public EvaluatorAssembly? Evaluator { get; init; }
    public IEnumerable<string> Files => datasets.SelectMany(d => d.Files).Distinct(StringComparer.Ordinal);
    public IEnumerable<string> Absent => datasets.SelectMany(d => d.Absent).Concat(Evaluator?.Absent ?? []).Select(Path.GetFullPath).Distinct(StringComparer.Ordinal);
    public IEnumerable<string> Folders => datasets.SelectMany(d => d.Folders).Distinct(StringComparer.Ordinal);
    public IEnumerable<Diagnostic> Warnings => datasets.SelectMany(d => d.Warnings).Concat(Splits.Warnings).Distinct();

    /// <summary>Opens what the request names; null when it names no data, which only a request without limits may do.</summary>
    /// <exception cref="CompressionException">COB11xx for data that cannot be used, COB4005 for a limit without data, COB4012 for one that nothing breaks.</exception>
    public static EvaluationData? Open(CompressionRequest request, Model model, Session original)
    {
        var evaluator = request.Evaluator is null ? null : EvaluatorAssembly.Load(request.Evaluator);
        var own = evaluator is null ? null : new UserMetric(evaluator.Evaluator, evaluator.File, [.. original.Outputs.Select(o => o.Name)]);
        Metric.Check(request.Metrics.Concat(request.Require.Select(r => r.Metric)).Where(n => n != own?.Name));
        if (request.EvaluationData is null && request.CalibrationData is null)
        {
            var limit = request.MaxAccuracyDrop is not null ? "MaxAccuracyDrop" : request.MaxRegression is not null ? "MaxRegression" : request.Require.Count > 0 ? "Require" : request.MaxLatency is not null ? "MaxLatency" : request.Evaluator is not null ? "Evaluator" : null;
            if (limit is null) return null;
            throw new CompressionException(Codes.LimitWithoutData, $"{limit} is given but no data to measure it on. Give EvaluationData (labelled where possible), or remove {limit}: the model is then compressed with data-free techniques and stays unmeasured.", request.Model);
        }
        var context = new DatasetContext([.. original.Inputs.Select(p => ToValue(p, model.Graph.Inputs))], [.. original.Outputs.Select(p => ToValue(p, model.Graph.Outputs))], request.Preprocessing, Path.GetDirectoryName(request.Model));
        var datasets = new List<IDataset>();
        try
        {
            var evaluation = request.EvaluationData is null ? null : Add(Dataset.Open(request.EvaluationData, context));
            var calibration = request.CalibrationData is null ? null : Add(Dataset.Open(request.CalibrationData, context));
            var main = evaluation ?? calibration!;
            var splits = Splits.Create(calibration, evaluation, request.Seed);
            var output = OutputIndex(main, original);
            var first = new Walk(original, splits.Selection.Recurrence).Run(splits.Selection.Runs(0).First(), default)[output];
            var metrics = Resolve(request, own, main, first, [.. original.Outputs.Select(o => o.Name)]);
            if (request.MaxAccuracyDrop is > 1 and var drop && metrics[0].IsWithinOne)
                throw new CompressionException(Codes.LimitNeverBroken, FormattableString.Invariant($"MaxAccuracyDrop is {drop}, but {metrics[0].Name} lies within 0 and 1, so that no model could break it. Valid is 0 to 1; {drop} points are {drop / 100}."), request.Model);
            return new EvaluationData(datasets, original, splits, metrics, output, main.Configuration is { Output: not null } or { Decoding.Detections: not null }) { Decoding = main.Configuration.Decoding, Evaluator = evaluator };
        }
        catch
        {
            foreach (var dataset in datasets) dataset.Dispose();
            throw;
        }

        IDataset Add(IDataset dataset) { datasets.Add(dataset); return dataset; }
    }

    /// <summary>
    /// What the request names, what it requires, or what fits the labels. The user's own metric is the first unless <c>Metric</c> puts it elsewhere;
    /// beside it nothing is chosen that is not named.
    /// </summary>
    private static List<IMetric> Resolve(CompressionRequest request, UserMetric? own, IDataset main, Tensor output, string[] outputs)
    {
        if (own is { NeedsLabels: true } && main.LabelKind == LabelKind.None)
            throw new CompressionException(Codes.MetricNeedsLabels, $"the evaluator '{own.Name}' needs labels and the data has none. Add labels, or change its {nameof(IEvaluator.NeedsLabels)}.", main.Path);
        string[] named = [.. request.Metrics.Distinct(StringComparer.Ordinal)];
        List<IMetric> metrics = [];
        if (own is null || named.Any(n => n != own.Name)) metrics.AddRange(BuiltIn([.. named.Where(n => n != own?.Name)]));
        if (own is not null) metrics.Insert(Math.Max(0, Array.IndexOf(named, own.Name)), own);
        string[] missing = [.. request.Require.Select(r => r.Metric).Concat(own is null ? Metric.Companions(main.LabelKind, output) : []).Where(n => metrics.All(m => m.Name != n)).Distinct()];
        if (missing.Length > 0) metrics.AddRange(BuiltIn(missing));
        return metrics;

        IReadOnlyList<IMetric> BuiltIn(string[] names) => Metric.Resolve(names, main.LabelKind, main.Configuration.Decoding, output, main.Path, outputs);
    }

    /// <summary>Single runs on the calibration split, at most <paramref name="most"/>.</summary>
    public SingleRuns CalibrationRuns(int most) => new(Splits.Calibration, original, most);

    /// <summary>Single runs on the selection split, at most <paramref name="most"/>, of samples spread over it: its order may be that of classes.</summary>
    public SingleRuns SelectionRuns(int most)
    {
        var (all, count) = (Splits.Selection, Math.Min(most, Splits.Selection.Count));
        return new(all with { Indices = [.. Enumerable.Range(0, count).Select(i => all.Indices[(int)((long)i * all.Count / count)])] }, original, most);
    }

    public void Dispose()
    {
        foreach (var dataset in datasets) dataset.Dispose();
    }

    // The runtime reports no dimensions for a scalar and for a value of unknown rank; only the model tells them apart.
    private static ModelValue ToValue(Port port, IReadOnlyList<Value> declared) => new(port.Name, port.ElementType,
        port.Shape.Count == 0 && declared.FirstOrDefault(v => v.Name == port.Name)?.Info?.Type?.TensorType is { Shape: null } ? null : [.. port.Shape.Select(d => d < 0 ? (long?)null : d)]);

    private static int OutputIndex(IDataset dataset, Session original)
    {
        if (dataset.Configuration.Output is not { } name) return 0;
        for (var i = 0; i < original.Outputs.Count; i++) if (original.Outputs[i].Name == name) return i;
        throw new CompressionException(Codes.EvaluationConfigurationInvalid, $"'output' is '{name}'. The model's outputs are {string.Join(", ", original.Outputs.Select(o => $"'{o.Name}'"))}. Name one of them.", dataset.Configuration.Files.FirstOrDefault());
    }
}
