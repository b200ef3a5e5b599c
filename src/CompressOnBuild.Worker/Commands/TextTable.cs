using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Worker.Commands;

/// <summary>A table in plain text, harmless in any log.</summary>
internal static class TextTable
{
    private const int Widest = 60;

    /// <summary>Writes rows of equal length, the first being the heads, and an empty line; nothing when there is no row beside the heads.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="rows">Cells; what is longer than 60 characters is shortened in the middle.</param>
    /// <param name="rightAligned">How many of the last columns hold numbers.</param>
    public static void Write(TextWriter output, IReadOnlyList<string[]> rows, int rightAligned)
    {
        if (rows.Count < 2) return;
        var cells = rows.Select(r => r.Select(c => Short(ConsoleText.Line(c))).ToArray()).ToList();
        var widths = Enumerable.Range(0, cells[0].Length).Select(i => cells.Max(r => r[i].Length)).ToArray();
        foreach (var row in cells)
            output.Write(ConsoleText.Line(string.Join("  ", row.Select((c, i) => i >= row.Length - rightAligned ? c.PadLeft(widths[i]) : c.PadRight(widths[i]))).TrimEnd()) + "\n");
        output.Write("\n");
    }

    private static string Short(string text) => text.Length <= Widest ? text : $"{text[..40]}…{text[^19..]}";
}
