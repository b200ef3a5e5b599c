using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Texts;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets.Tables;

/// <summary>
/// A .csv, .tsv or .jsonl file: one sample per row, columns feed inputs (<see cref="TableInputs"/>, <see cref="TextInputs"/>), a column holds the label
/// (<see cref="TableLabels"/>). Rows stay on disk; in memory are 8 bytes for each and the labels.
/// </summary>
internal sealed class TableDataset : IDataset
{
    private readonly ITable table;
    private readonly Dictionary<string, Tensor> constants;
    private readonly TextInputs? texts;
    private readonly TableInputs inputs;
    private readonly Label[]? labels;

    private TableDataset(string path, DatasetContext context)
    {
        Path = path;
        Configuration = DataFiles.Configuration(System.IO.Path.ChangeExtension(path, ".evaluation.json"), System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!, context);
        constants = InputCheck.Fixed(Configuration, context);
        var open = context.Inputs.Where(i => !constants.ContainsKey(i.Name)).ToList();
        if (open.Count == 0) throw new CompressionException(Codes.InputMissing, "every input of the model has a fixed value, so there are no samples. Leave at least one input to the data.", path);
        table = IsJson(path) ? new JsonlTable(path) : new CsvTable(path, Codes.TableInvalid);
        try
        {
            if (table.Count == 0) throw new CompressionException(Codes.DataEmpty, "the file holds no samples. Valid is one line per sample. Add them.", path);
            var label = TableLabels.Column(table, Configuration);
            texts = TextInputs.Of(open, Configuration.Inputs, table, context);
            inputs = new TableInputs([.. open.Except(texts?.Inputs ?? [])], takesAll: open.Count == 1, Configuration.Inputs, table, label);
            if (label is not null) labels = TableLabels.Read(table, label, Configuration);
            var used = inputs.Columns.Concat(texts?.Columns ?? []).Append(label).ToHashSet(StringComparer.Ordinal);
            var unused = table.Columns.Where(c => !used.Contains(c)).ToList();
            if (unused.Count > 0)
                Warnings = [new(Severity.Warning, Codes.DataIgnored, $"nothing asks for the column {string.Join(", ", unused.Take(20).Select(c => $"'{c}'"))}{(unused.Count > 20 ? ", …" : "")}: left out. The model takes {InputCheck.Names(context.Inputs)}; the labels are called {(label is null ? "'label'" : $"'{label}'")}. Remove the column or name it in evaluation.json.", path)];
        }
        catch
        {
            table.Dispose();
            throw;
        }
    }

    /// <summary>The data set, or null if the file's name is that of another format.</summary>
    public static TableDataset? TryOpen(string path, DatasetContext context) => IsJson(path) || IsCsv(path) ? new(path, context) : null;

    public string Path { get; }
    public int Count => table.Count;
    public EvaluationConfiguration Configuration { get; }
    public IReadOnlyList<Diagnostic> Warnings { get; } = [];
    public IReadOnlyList<string> Files => DataFiles.Sorted([Path, .. Configuration.Files, .. texts?.File.Files ?? []]);
    public IReadOnlyList<string> Folders => [];
    public IReadOnlyList<string> Absent => [.. Configuration.Absent, .. texts?.File.Absent ?? []];
    public byte[] ConfigurationHash => DataFiles.Hash([.. Configuration.Files, .. texts?.File.Files ?? []]);
    public IReadOnlyList<string>? ClassNames => Configuration.Decoding.Decode == Decode.Classes ? Configuration.Decoding.Alphabet : null;
    public LabelKind LabelKind => labels?[0].Kind ?? LabelKind.None;

    public string Id(int index) => index.ToString(CultureInfo.InvariantCulture);

    public Label? Label(int index) => labels?[index];

    public (string File, int Line) LabelPlace(int index) => (Path, table.Line(index));

    public Sample Read(int index) => DataFiles.Reading(Path, () =>
    {
        var values = new Dictionary<string, Tensor>(constants, StringComparer.Ordinal);
        var row = table.Row(index);
        texts?.Read(row, values);
        inputs.Read(row, values);
        return new Sample(Id(index), values, Label(index));
    });

    public byte[] ContentHash(int index)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, value) in Read(index).Inputs.OrderBy(i => i.Key, StringComparer.Ordinal).Where(i => !constants.ContainsKey(i.Key)))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{name}\0{value}\0"));
            hash.AppendData(value.Data.Span);
        }
        return hash.GetHashAndReset();
    }

    public void Dispose() => table.Dispose();

    private static bool IsJson(string path) => System.IO.Path.GetExtension(path).ToLowerInvariant() is ".jsonl" or ".ndjson";

    private static bool IsCsv(string path) => System.IO.Path.GetExtension(path).ToLowerInvariant() is ".csv" or ".tsv";
}
