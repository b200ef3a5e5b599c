using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>The list of metrics, and which one fits where none is named.</summary>
internal static class Metric
{
    /// <summary>What a metric is made from: how outputs are decoded, the scored output of the original on one sample, the names of all outputs.</summary>
    private sealed record Making(Decoding Decoding, Tensor Output, IReadOnlyList<string> Outputs, string? Data);

    // Without kinds of labels: compares with the original.
    private static readonly (string Name, LabelKind[] Labels, Func<Making, IMetric> Create)[] All =
    [
        ("top1", [LabelKind.Class], m => new Top1(m.Decoding, Probabilities.AreGiven(m.Output))), ("top5", [LabelKind.Class], _ => new Top5()),
        ("f1", [LabelKind.Class], m => new F1(m.Decoding)), ("auc", [LabelKind.Class], m => new Auc(m.Decoding)),
        ("exact", [LabelKind.Text, LabelKind.Sequence], m => new Exact(m.Decoding)), ("cer", [LabelKind.Text, LabelKind.Sequence], m => new Cer(m.Decoding)),
        ("wer", [LabelKind.Text], m => new Wer(m.Decoding)), ("perplexity", [LabelKind.Sequence], m => new Perplexity(Probabilities.AreGiven(m.Output))),
        ("r2", [LabelKind.Value], _ => new R2()), ("mae", [LabelKind.Value], _ => new Mae()), ("rmse", [LabelKind.Value], _ => new Rmse()),
        ("miou", [LabelKind.Mask], m => new Miou(m.Decoding)), ("map", [LabelKind.Boxes], m => new Map(new DetectedBoxes(m.Decoding.Detections ?? throw NoDetections(m.Data), m.Outputs))),
        ("agreement", [], m => new Agreement(m.Decoding)), ("kl", [], m => new Kl(Probabilities.AreGiven(m.Output))), ("cosine", [], _ => new Cosine()), ("sqnr", [], _ => new Sqnr()),
    ];

    /// <summary>Names of all metrics.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(m => m.Name)];

    /// <summary>Names of those that compare with the original.</summary>
    private static readonly string WithoutLabels = string.Join(", ", All.Where(m => m.Labels.Length == 0).Select(m => m.Name));

    // What other tools call them.
    private static readonly Dictionary<string, string> Synonyms = new(StringComparer.OrdinalIgnoreCase)
    {
        ["accuracy"] = "top1", ["acc"] = "top1", ["top-1"] = "top1", ["top-5"] = "top5", ["f1-score"] = "f1", ["roc_auc"] = "auc", ["roc-auc"] = "auc", ["mse"] = "rmse",
        ["iou"] = "miou", ["mean_iou"] = "miou", ["map50-95"] = "map", ["kld"] = "kl", ["ppl"] = "perplexity", ["exact_match"] = "exact", ["em"] = "exact", ["cosine_similarity"] = "cosine",
    };

    /// <summary>Checks names before any work is done.</summary>
    /// <exception cref="CompressionException">COB1121: a name that is no metric.</exception>
    public static void Check(IEnumerable<string> names)
    {
        foreach (var name in names)
            if (!Names.Contains(name))
                throw new CompressionException(Codes.MetricUnknown, $"the metric '{name}' is unknown.{(Synonyms.TryGetValue(name, out var ours) ? $" Here it is called '{ours}'." : Spelling.Hint(name, Names))} Valid are {string.Join(", ", Names)}. Correct 'Metric' or 'Require'.");
    }

    /// <summary>
    /// The metrics called <paramref name="names"/>, in that order and each once; the first is the primary one. Without names: class labels
    /// <c>top1</c>, or <c>auc</c> and <c>top1</c> where the output is a single score; texts and sequences <c>exact</c> and <c>cer</c>; values <c>r2</c>
    /// and <c>mae</c>; masks <c>miou</c>; boxes <c>map</c>; no labels <c>agreement</c>, <c>kl</c> and <c>cosine</c> where the output is a distribution
    /// (rank 2, more than one column, no value below 0, sum 1 within 0.001) or evaluation.json decodes it, else <c>cosine</c> and <c>sqnr</c>.
    /// </summary>
    /// <param name="names">Names from the request; empty: chosen by the rule above.</param>
    /// <param name="labels">The kind of the data's labels.</param>
    /// <param name="decoding">From evaluation.json.</param>
    /// <param name="output">The scored output of the original on one sample.</param>
    /// <param name="data">The data's path for messages.</param>
    /// <param name="outputs">Names of all outputs, in the model's order.</param>
    /// <exception cref="CompressionException">Unknown, without the labels it needs, or of labels it cannot judge.</exception>
    public static IReadOnlyList<IMetric> Resolve(IReadOnlyList<string> names, LabelKind labels, Decoding decoding, Tensor output, string? data, IReadOnlyList<string>? outputs = null)
    {
        Check(names);
        if (names.Count == 0) names = Defaults(labels, decoding, output);
        var metrics = new List<IMetric>();
        foreach (var name in names.Distinct(StringComparer.Ordinal))
        {
            var (_, kinds, create) = All.First(m => m.Name == name);
            if (kinds.Length > 0 && labels == LabelKind.None)
                throw new CompressionException(Codes.MetricNeedsLabels, $"the metric '{name}' needs labels and the data has none. Valid without labels are {WithoutLabels}. Add labels, or name another metric.", data);
            if (kinds.Length > 0 && !kinds.Contains(labels))
                throw new CompressionException(Codes.MetricDoesNotFit, $"the metric '{name}' cannot judge labels of the kind {labels}. Valid are {Advice(labels)}. Name one of these.", data);
            if (kinds.Length > 0 && labels == LabelKind.Text && decoding.Alphabet is null) throw NoAlphabet(data);
            metrics.Add(create(new Making(decoding, output, outputs ?? [], data)));
        }
        return metrics;
    }

    /// <summary>
    /// What is shown beside every judgement of decisions: how many stayed the same (<c>agreement</c>), and for classes how far the probabilities
    /// moved (<c>kl</c>).
    /// </summary>
    public static IReadOnlyList<string> Companions(LabelKind labels, Tensor output) => labels switch
    {
        LabelKind.Class => output.ElementType.IsFloat() ? ["agreement", "kl"] : ["agreement"],
        LabelKind.Text or LabelKind.Sequence => ["agreement"],
        _ => [],
    };

    internal static string Advice(LabelKind labels) => string.Join(", ", All.Where(m => m.Labels.Contains(labels)).Concat(All.Where(m => m.Labels.Length == 0)).Select(m => m.Name));

    internal static CompressionException NoAlphabet(string? data) => new(Codes.MetricDoesNotFit,
        $"the labels are texts but nothing says which text an id stands for. Valid is an evaluation.json in the data's folder with 'decode' and 'alphabet', e.g. {{ \"decode\": \"ctc\", \"alphabet\": \"keys.txt\" }}. Add it, or name a metric that compares with the original: {WithoutLabels}.", data);

    private static CompressionException NoDetections(string? data) => new(Codes.DetectionsUnknown,
        $"the labels are boxes but nothing says which outputs hold what the model found. Valid is an evaluation.json in the data's folder with 'detections', e.g. {{ \"detections\": {{ \"boxes\": \"boxes\", \"scores\": \"scores\", \"classes\": \"classes\" }} }}. Add it, or name a metric that compares with the original: {WithoutLabels}.", data);

    private static string[] Defaults(LabelKind labels, Decoding decoding, Tensor output) => labels switch
    {
        LabelKind.Class => output.Count == 1 && output.ElementType.IsFloat() ? ["auc", "top1"] : ["top1"],
        LabelKind.Text or LabelKind.Sequence => ["exact", "cer"],
        LabelKind.Value => ["r2", "mae"],
        LabelKind.Mask => ["miou"],
        LabelKind.Boxes => ["map"],
        _ => decoding.Decode != Decode.Default || output.Rank == 2 && output.Shape[1] > 1 && Probabilities.AreGiven(output) ? ["agreement", "kl", "cosine"] : ["cosine", "sqnr"],
    };
}
