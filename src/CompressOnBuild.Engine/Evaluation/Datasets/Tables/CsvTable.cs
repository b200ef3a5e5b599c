using System.Globalization;
using CompressOnBuild.Diagnostics;
using CsvHelper;
using CsvHelper.Configuration;

namespace CompressOnBuild.Evaluation.Datasets.Tables;

/// <summary>
/// A .csv or .tsv file (RFC 4180, UTF-8): a head line with the names of the columns, then one row per record. Fields are separated by
/// commas, semicolons or tabs, whichever the head line has most of. Every error has its line and column.
/// </summary>
internal sealed class CsvTable : ITable
{
    private static readonly char[] Delimiters = [',', ';', '\t'];

    private readonly RecordFile records;
    private readonly CsvConfiguration configuration;
    private readonly Dictionary<string, int> places = new(StringComparer.Ordinal);
    private readonly string code;

    /// <param name="path">The file.</param>
    /// <param name="code">The code of errors about the file's form.</param>
    public CsvTable(string path, string code)
    {
        this.code = code;
        records = new RecordFile(path, quoted: true, code);
        try
        {
            if (records.Count == 0) throw new CompressionException(code, "the file is empty. Valid is a line with the names of the columns and one line per sample. Fill it.", path, 1, 1);
            var head = records.Text(0);
            configuration = new(CultureInfo.InvariantCulture) { Delimiter = Delimiters.MaxBy(d => head.Count(c => c == d)).ToString(), HasHeaderRecord = false, IgnoreBlankLines = false };
            var names = Fields(0);
            for (var i = 0; i < names.Length; i++)
            {
                if (names[i].Length == 0 && names.Length > 1) names[i] = $"column {i + 1}"; // the index that pandas writes has no name
                if (!places.TryAdd(names[i], i)) throw ErrorAt(0, i, code, $"there are two columns '{names[i]}'. Each column has a name of its own. Rename one.");
            }
            Columns = names;
        }
        catch
        {
            records.Dispose();
            throw;
        }
    }

    public string Path => records.Path;
    public int Count => records.Count - 1;
    public IReadOnlyList<string> Columns { get; }

    public int HeadLine => records.Line(0);

    public bool Has(string column) => places.ContainsKey(column);

    public int Line(int index) => records.Line(index + 1);

    ITableRow ITable.Row(int index) => Row(index);

    public CsvRow Row(int index)
    {
        var fields = Fields(index + 1);
        if (fields.Length != Columns.Count)
            throw new CompressionException(code, $"the line has {fields.Length} fields but the head line has {Columns.Count}. Valid is one field per column; a field with a separator stands in quotes. Correct the line.", Path, Line(index), 1);
        return new(this, index, fields);
    }

    public void Dispose() => records.Dispose();

    /// <summary>An error at a field of a row.</summary>
    public CompressionException Error(int row, int field, string errorCode, string message) => ErrorAt(row + 1, field, errorCode, message);

    public int PlaceOf(string column) => places[column];

    private string[] Fields(int record)
    {
        using var parser = new CsvParser(new StringReader(records.Text(record)), configuration);
        try { return parser.Read() ? parser.Record! : []; }
        catch (BadDataException e)
        {
            throw new CompressionException(code, "a quote stands where none can. A field that holds a quote stands in quotes, and the quote inside is written twice. Correct the line.", Path, records.Line(record), 1, e);
        }
    }

    private CompressionException ErrorAt(int record, int field, string errorCode, string message)
    {
        int line = records.Line(record), column = 1, fields = 0;
        var inQuotes = false;
        foreach (var c in records.Text(record))
        {
            if (fields == field) break;
            if (c == '"') inQuotes = !inQuotes;
            if (!inQuotes && c == configuration.Delimiter[0]) fields++;
            if (c == '\n') (line, column) = (line + 1, 1);
            else column++;
        }
        return new CompressionException(errorCode, message, Path, line, column);
    }
}

/// <summary>One row of a .csv file.</summary>
internal sealed class CsvRow(CsvTable table, int index, string[] fields) : ITableRow
{
    public IReadOnlyList<string> Fields => fields;

    public TableCell this[string column]
    {
        get
        {
            var place = table.PlaceOf(column);
            return new(column, fields[place], fields[place].Trim(), null, (code, message) => table.Error(index, place, code, message));
        }
    }
}
