using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Tables;

/// <summary>A .jsonl file (UTF-8): one JSON object per line. Every error has its line and column.</summary>
internal sealed class JsonlTable : ITable
{
    private static readonly JsonKind Kind = new("the line", RecordFile.LongestRecord, Codes.TableInvalid);

    private readonly RecordFile records;
    private readonly HashSet<string> names;

    public JsonlTable(string path)
    {
        records = new RecordFile(path, quoted: false, Codes.TableInvalid);
        try
        {
            Columns = Count == 0 ? [] : [.. Object(0).Members.Select(m => m.Key.Text)];
            names = Columns.ToHashSet(StringComparer.Ordinal);
        }
        catch
        {
            records.Dispose();
            throw;
        }
    }

    public string Path => records.Path;
    public int Count => records.Count;
    public IReadOnlyList<string> Columns { get; }

    public int HeadLine => records.Line(0);

    public bool Has(string column) => names.Contains(column);

    public int Line(int index) => records.Line(index);

    public ITableRow Row(int index) => new JsonRow(Object(index));

    public void Dispose() => records.Dispose();

    private PositionedJson Object(int index)
    {
        var json = PositionedJson.Parse(records.Bytes(index), Path, Kind, () => records.Line(index));
        return json.Kind == JsonTokenType.StartObject ? json : throw json.Error("the line is no JSON object. Valid is one object { \"column\": value, … } per line. Correct the line.");
    }

    private sealed class JsonRow(PositionedJson json) : ITableRow
    {
        private readonly Dictionary<string, PositionedJson> values = json.Members.ToDictionary(m => m.Key.Text, m => m.Value, StringComparer.Ordinal);

        public TableCell this[string column]
        {
            get
            {
                if (!values.TryGetValue(column, out var value)) throw json.Error($"the object has no '{column}'. Valid is the same keys in every line. Add it.");
                return new(column, value.Kind == JsonTokenType.String ? value.Text : null,
                    value.Kind is JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False ? value.Text : null, value, value.Error);
            }
        }
    }
}
