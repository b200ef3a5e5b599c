using System;
using System.Globalization;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Makes text safe for a build log. Names in models and data sets are hostile: a newline could forge an error of another tool,
/// an escape sequence could repaint the terminal, and the agents of build services obey lines such as <c>##vso[</c>, <c>##[</c> and <c>::error::</c>.
/// </summary>
internal static class LogText
{
    /// <summary>Longer text is cut: a name of megabytes is an attack, not a message.</summary>
    private const int MaxLength = 8000;

    internal static string Clean(string text)
    {
        int length = Math.Min(text.Length, MaxLength);
        var clean = new StringBuilder(length);
        for (int i = 0; i < length; i++)
        {
            char c = text[i];
            if (c is '\n' or '\r' or '\t')
                clean.Append(' ');
            else if (!IsInvisible(c))
                clean.Append(c);
        }
        if (text.Length > MaxLength)
            clean.Append("...");
        return BreakAgentCommands(clean.ToString());
    }

    /// <summary>Control characters, line separators, and the format characters that reorder or hide text.</summary>
    private static bool IsInvisible(char c) => char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static string BreakAgentCommands(string text)
    {
        if (text.IndexOf('#') >= 0)
        {
            var broken = new StringBuilder(text.Length + 8);
            for (int i = 0; i < text.Length; i++)
            {
                broken.Append(text[i]);
                if (text[i] == '#' && i + 1 < text.Length && text[i + 1] == '#')
                    broken.Append(' ');
            }
            text = broken.ToString();
        }
        return text.Replace("::", ": :");
    }
}
