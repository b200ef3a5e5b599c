using System.Text;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>Escaping for Markdown (CommonMark and GitHub's tables): hostile names stay text, on one line, in their own cell.</summary>
internal static class MarkdownText
{
    /// <summary>Free text: nothing in it is markup, a link, an entity or a mention.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder();
        var visible = ConsoleText.Visible(text);
        // At the start of a line: spaces would make code, other marks a list or an underlined title.
        var start = visible.Length - visible.TrimStart(' ').Length;
        for (var i = 0; i < start; i++) escaped.Append("&#32;");
        var digits = start;
        while (digits < visible.Length && char.IsAsciiDigit(visible[digits])) digits++;
        for (var i = start; i < visible.Length; i++)
        {
            var c = visible[i];
            if (c == '@') escaped.Append("&#64;"); // mentions are found after escapes are resolved
            else if (c == ':') escaped.Append(i + 1 < visible.Length && visible[i + 1] == '/' ? "\\:" : ":"); // an address would become a link
            else if ((i == start && c is '-' or '+' or '=') || (i == digits && digits > start && c is '.' or ')' && (i + 1 == visible.Length || visible[i + 1] == ' '))) escaped.Append('\\').Append(c);
            else if (c == '.' && i >= 3 && visible.AsSpan(i - 3, 3).Equals("www", StringComparison.OrdinalIgnoreCase)) escaped.Append("\\.");
            else escaped.Append(c is '\\' or '`' or '*' or '_' or '[' or ']' or '<' or '>' or '|' or '&' or '~' or '#' or '!' or '$' ? $"\\{c}" : c.ToString());
        }
        return escaped.ToString();
    }

    /// <summary>A name as a code span, also inside a table.</summary>
    public static string Code(string name)
    {
        // Nothing can be escaped inside a code span, and the file may be printed on a build server.
        var text = ConsoleText.Line(name);
        if (text.Length == 0) return "(no name)";
        var longest = text.Split('`').Length == 1 ? 0 : Runs(text).Max();
        var fence = new string('`', longest + 1);
        var pad = text.StartsWith('`') || text.EndsWith('`') ? " " : "";
        // In a table cell a pipe ends the cell even inside a code span, unless a backslash stands before it.
        return $"{fence}{pad}{text.Replace("|", "\\|", StringComparison.Ordinal)}{pad}{fence}";
    }

    private static IEnumerable<int> Runs(string text)
    {
        var run = 0;
        foreach (var c in text)
        {
            run = c == '`' ? run + 1 : 0;
            yield return run;
        }
    }
}
