using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>The list of metrics, and which one fits where none is named.</summary>
internal static class Metric
{
    private static readonly (string Name, Func<Decoding, IMetric> Create)[] All =
    [
        ("top1", d => new Top1(d)), ("top5", _ => new Top5()), ("agreement", d => new Agreement(d)), ("cosine", _ => new Cosine()),
        ("sqnr", _ => new Sqnr()), ("exact", d => new Exact(d)), ("cer", d => new Cer(d)), ("auc", d => new Auc(d)),
    ];

    /// <summary>Names of all metrics.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(m => m.Name)];

    /// <summary>Checks names before any work is done.</summary>
    /// <exception cref="CompressionException">COB1121: a name that is no metric.</exception>
    public static void Check(IEnumerable<string> names)
    {
        foreach (var name in names)
            if (!Names.Contains(name))
                throw new CompressionException(Codes.MetricUnknown, $"the metric '{name}' is unknown. Valid are {string.Join(", ", Names)}. Correct 'Metric' or 'Require'.");
    }

    /// <summary>
    /// The metrics called <paramref name="names"/>, in that order and each once; the first is the primary one. Without names:
    /// class labels: <c>top1</c>, or <c>auc</c> and <c>top1</c> where the output is a single score; texts and sequences: <c>exact</c> and
    /// <c>cer</c>; no labels: <c>agreement</c> and <c>cosine</c> where the output is a distribution (rank 2, more than one column,
    /// no value below 0, sum 1 within 0.001) or evaluation.json decodes it, else <c>cosine</c> and <c>sqnr</c>.
    /// </summary>
    /// <param name="names">Names from the request; empty: chosen by the rule above.</param>
    /// <param name="labels">The kind of the data's labels.</param>
    /// <param name="decoding">From evaluation.json.</param>
    /// <param name="output">The scored output of the original on one sample.</param>
    /// <param name="data">The data's path for messages.</param>
    /// <exception cref="CompressionException">Unknown, without the labels it needs, or of labels it cannot judge.</exception>
    public static IReadOnlyList<IMetric> Resolve(IReadOnlyList<string> names, LabelKind labels, Decoding decoding, Tensor output, string? data)
    {
        Check(names);
        if (names.Count == 0) names = Defaults(labels, decoding, output);
        var metrics = new List<IMetric>();
        foreach (var name in names.Distinct(StringComparer.Ordinal))
        {
            var metric = All.First(m => m.Name == name).Create(decoding);
            if (metric.NeedsLabels && labels == LabelKind.None)
                throw new CompressionException(Codes.MetricNeedsLabels, $"the metric '{name}' needs labels and the data has none. Valid without labels are agreement, cosine, sqnr. Add labels, or name another metric.", data);
            if (metric.NeedsLabels && name is "exact" or "cer" ? labels == LabelKind.Class : metric.NeedsLabels && labels != LabelKind.Class)
                throw new CompressionException(Codes.MetricDoesNotFit, $"the metric '{name}' cannot judge labels of the kind {labels}. Valid are {Advice(labels)}. Name one of these.", data);
            if (metric.NeedsLabels && labels == LabelKind.Text && decoding.Alphabet is null) throw NoAlphabet(data);
            metrics.Add(metric);
        }
        return metrics;
    }

    internal static string Advice(LabelKind labels) => labels switch
    {
        LabelKind.Class => "top1, top5, auc, agreement, cosine, sqnr",
        LabelKind.Text or LabelKind.Sequence => "exact, cer, agreement, cosine, sqnr",
        _ => "agreement, cosine, sqnr",
    };

    internal static CompressionException NoAlphabet(string? data) => new(Codes.MetricDoesNotFit,
        "the labels are texts but nothing says which text an id stands for. Valid is an evaluation.json in the data's folder with 'decode' and 'alphabet', e.g. { \"decode\": \"ctc\", \"alphabet\": \"keys.txt\" }. Add it, or name a metric that compares with the original: agreement, cosine, sqnr.", data);

    private static string[] Defaults(LabelKind labels, Decoding decoding, Tensor output) => labels switch
    {
        LabelKind.Class => output.Count == 1 && output.ElementType.IsFloat() ? ["auc", "top1"] : ["top1"],
        LabelKind.Text or LabelKind.Sequence => ["exact", "cer"],
        _ => decoding.Decode != Decode.Default || IsDistribution(output) ? ["agreement", "cosine"] : ["cosine", "sqnr"],
    };

    private static bool IsDistribution(Tensor output)
    {
        if (output.Rank != 2 || output.Shape[1] < 2 || !output.ElementType.IsFloat()) return false;
        var values = output.ToFloats();
        var columns = (int)output.Shape[1];
        for (var row = 0; row < values.Length; row += columns)
        {
            double sum = 0;
            foreach (var value in values.AsSpan(row, columns))
            {
                if (!(value >= 0)) return false;
                sum += value;
            }
            if (Math.Abs(sum - 1) > 1e-3) return false;
        }
        return values.Length > 0;
    }
}
