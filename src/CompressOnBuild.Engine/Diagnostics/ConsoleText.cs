using System.Globalization;
using System.Text;

namespace CompressOnBuild.Diagnostics;

/// <summary>
/// Makes any text safe for one line of a terminal or a build log. Names in models are hostile: a newline would start a line of its own,
/// ANSI codes would repaint the screen, <c>##vso[</c> and <c>::add-mask::</c> would command the build agent, bidirectional marks would
/// reorder what is read.
/// </summary>
public static class ConsoleText
{
    /// <summary>Longer texts are cut, with an ellipsis: no message needs more.</summary>
    public const int MaxLength = 4000;

    /// <summary>One printable line. Idempotent.</summary>
    public static string Line(string? text)
    {
        var visible = Visible(text);
        // Azure Pipelines and TeamCity look for '##...[' anywhere in a line, GitHub for '::name::' at its start or '##[name]' anywhere.
        return Spaced(Spaced(visible, '#'), ':');
    }

    private static string Spaced(string text, char marker)
    {
        var pair = new string(marker, 2);
        while (text.Contains(pair, StringComparison.Ordinal)) text = text.Replace(pair, $"{marker} {marker}", StringComparison.Ordinal);
        return text;
    }

    /// <summary>The text with everything that is not plainly visible spelled out (<c>\n</c>, <c>\x1b</c>, <c>\u202e</c>) and cut to
    /// <see cref="MaxLength"/> characters; nothing else is changed, so it still needs the escaping of its sink.</summary>
    public static string Visible(string? text)
    {
        if (string.IsNullOrEmpty(text)) return "";
        var cut = text.Length > MaxLength;
        var line = new StringBuilder(Math.Min(text.Length, MaxLength) + 8);
        for (var i = 0; i < text.Length && i < MaxLength; i++)
        {
            var c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])
                && CharUnicodeInfo.GetUnicodeCategory(text, i) is not (UnicodeCategory.Format or UnicodeCategory.PrivateUse))
            {
                line.Append(c).Append(text[++i]);
                continue;
            }
            line.Append(c switch
            {
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                < ' ' or '\x7f' => $"\\x{(int)c:x2}",
                >= '\ufdd0' and <= '\ufdef' or >= '\ufffe' => $"\\u{(int)c:x4}", // no characters; the last two are forbidden in XML
                _ => char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
                    or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
                    ? $"\\u{(int)c:x4}" : c.ToString(),
            });
        }
        return cut ? line.Append('…').ToString() : line.ToString();
    }
}
