using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Tables;

/// <summary>Rows of named values, read one at a time and by several threads.</summary>
internal interface ITable : IDisposable
{
    /// <summary>The file, absolute.</summary>
    string Path { get; }
    int Count { get; }
    /// <summary>Names of the values, in the file's order: those of the head line, or of the first object.</summary>
    IReadOnlyList<string> Columns { get; }
    bool Has(string column);
    /// <exception cref="CompressionException">The row is malformed.</exception>
    ITableRow Row(int index);
    /// <summary>The line in which row <paramref name="index"/> begins: for messages, it is counted each time.</summary>
    int Line(int index);
    /// <summary>The line that names the columns.</summary>
    int HeadLine { get; }
}

/// <summary>One row.</summary>
internal interface ITableRow
{
    /// <summary>The value in a column.</summary>
    /// <exception cref="CompressionException">COB1130: the row has none.</exception>
    TableCell this[string column] { get; }
}

/// <summary>
/// One value of a table. <paramref name="Text"/>: where it can be a text; null otherwise. <paramref name="Scalar"/>: a number or truth value as
/// written, or what may be one; null otherwise. <paramref name="Json"/>: where it may be an array. <paramref name="Error"/>: code and message to
/// an error at the value's place.
/// </summary>
internal sealed record TableCell(string Column, string? Text, string? Scalar, PositionedJson? Json, Func<string, string, CompressionException> Error)
{
    /// <summary>The value for messages.</summary>
    public string Shown => (Scalar ?? Text) switch
    {
        null => Json?.Kind == System.Text.Json.JsonTokenType.StartArray ? "an array" : Json?.Kind == System.Text.Json.JsonTokenType.StartObject ? "an object" : "null",
        { Length: > 60 } text => $"'{text[..60]}…'",
        var text => $"'{text}'",
    };
}
