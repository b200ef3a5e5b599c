using System.Text;

namespace CompressOnBuild.Benchmarks;

/// <summary>A Markdown table whose columns are also aligned for who reads it as text. Column names that begin with <c>&gt;</c> are right-aligned.</summary>
internal sealed class MarkdownTable(params string[] columns)
{
    private readonly List<string[]> rows = [];

    public void Add(params string[] cells) => rows.Add([.. cells.Select(c => c.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal))]);

    public override string ToString()
    {
        var names = columns.Select(c => c.TrimStart('>')).ToArray();
        var right = columns.Select(c => c.StartsWith('>')).ToArray();
        var widths = names.Select((n, i) => rows.Select(r => r[i].Length).Append(n.Length).Max()).ToArray();
        // A long last cell (a message) needs no filling.
        if (!right[^1]) widths[^1] = names[^1].Length;
        var text = new StringBuilder();
        Line(names);
        text.Append('|').AppendJoin('|', widths.Select((w, i) => right[i] ? new string('-', w + 1) + ":" : new string('-', w + 2))).Append("|\n");
        foreach (var row in rows) Line(row);
        return text.ToString();

        void Line(string[] cells) =>
            text.Append("| ").AppendJoin(" | ", cells.Select((c, i) => right[i] ? c.PadLeft(widths[i]) : c.PadRight(widths[i]))).Append(" |\n");
    }
}
