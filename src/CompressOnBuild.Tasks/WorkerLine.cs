using System;
using System.Globalization;
using System.Text;

namespace CompressOnBuild.Tasks;

internal enum WorkerLineKind { Message, Progress, Summary, Warning, Error }

/// <summary>
/// One line that the worker says with <c>--log msbuild</c>:
/// <c>@cob\t&lt;kind&gt;\t&lt;code&gt;\t&lt;file&gt;\t&lt;line&gt;\t&lt;column&gt;\t&lt;text&gt;</c>,
/// tabs between the fields, and inside a field <c>\\</c>, <c>\t</c>, <c>\n</c>, <c>\r</c>. File, text and code are cleaned for the log.
/// </summary>
internal sealed class WorkerLine
{
    private const string Mark = "@cob\t";

    internal WorkerLineKind Kind { get; private set; }
    /// <summary><c>COBnnnn</c>, or empty.</summary>
    internal string Code { get; private set; } = "";
    internal string File { get; private set; } = "";
    /// <summary>From 1; 0: none.</summary>
    internal int Line { get; private set; }
    /// <summary>From 1; 0: none.</summary>
    internal int Column { get; private set; }
    internal string Text { get; private set; } = "";

    /// <summary>Null when the line is not in the form above: then it is output like any other.</summary>
    internal static WorkerLine? Parse(string line)
    {
        if (!line.StartsWith(Mark, StringComparison.Ordinal))
            return null;
        string[] fields = line.Split('\t');
        if (fields.Length != 7 || ParseKind(fields[1]) is not { } kind)
            return null;
        return new WorkerLine
        {
            Kind = kind,
            Code = IsCode(fields[2]) ? fields[2] : "",
            File = LogText.Clean(Unescape(fields[3])),
            Line = Number(fields[4]),
            Column = Number(fields[5]),
            Text = LogText.Clean(Unescape(fields[6])),
        };
    }

    /// <summary>A line of this form; what is given is clean.</summary>
    internal static string Format(string kind, string code, string file, int line, int column, string text) =>
        string.Format(CultureInfo.InvariantCulture, "{0}{1}\t{2}\t{3}\t{4}\t{5}\t{6}", Mark, kind, code, file.Replace("\\", "\\\\"), line, column, text.Replace("\\", "\\\\"));

    private static WorkerLineKind? ParseKind(string kind) => kind switch
    {
        "error" => WorkerLineKind.Error,
        "warning" => WorkerLineKind.Warning,
        "summary" => WorkerLineKind.Summary,
        "progress" => WorkerLineKind.Progress,
        "message" => WorkerLineKind.Message,
        _ => null,
    };

    private static bool IsCode(string text)
    {
        if (text.Length != 7 || !text.StartsWith("COB", StringComparison.Ordinal))
            return false;
        for (int i = 3; i < 7; i++)
        {
            if (text[i] is < '0' or > '9')
                return false;
        }
        return true;
    }

    private static int Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0;

    /// <summary>The reverse of the worker's escaping; an unknown escape stands for its second character.</summary>
    internal static string Unescape(string field)
    {
        if (field.IndexOf('\\') < 0)
            return field;
        var text = new StringBuilder(field.Length);
        for (int i = 0; i < field.Length; i++)
        {
            if (field[i] != '\\' || i + 1 == field.Length)
            {
                text.Append(field[i]);
                continue;
            }
            char c = field[++i];
            text.Append(c switch { 't' => '\t', 'n' => '\n', 'r' => '\r', _ => c });
        }
        return text.ToString();
    }
}
