using System.Globalization;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Worker;

/// <summary>
/// What the worker says with <c>--log msbuild</c>, one line each:
/// <c>@cob\t&lt;kind&gt;\t&lt;code&gt;\t&lt;file&gt;\t&lt;line&gt;\t&lt;column&gt;\t&lt;text&gt;</c>, kind = error, warning, summary, progress or message.
/// The task <c>RunCompressor</c> reads them and cleans them for the log. Lines of one writer never mix, whichever thread writes.
/// </summary>
/// <param name="output">Standard output, UTF-8.</param>
public sealed class MachineLog(TextWriter output)
{
    private readonly Lock _lock = new();

    /// <summary>An error, a warning, or a message of low importance.</summary>
    public void Write(Diagnostic diagnostic)
    {
        ArgumentNullException.ThrowIfNull(diagnostic);
        var kind = diagnostic.Severity switch { Severity.Error => "error", Severity.Warning => "warning", _ => "message" };
        Write(kind, diagnostic.Code, diagnostic.File ?? "", diagnostic.Line, diagnostic.Column, diagnostic.Message);
    }

    /// <summary>The one line about a finished model that every build shows.</summary>
    public void Summary(string text) => Write("summary", "", "", 0, 0, text);

    /// <summary>What is being done now; shown at normal verbosity.</summary>
    public void Progress(string text) => Write("progress", "", "", 0, 0, text);

    /// <summary>For whoever reads a detailed log.</summary>
    public void Message(string text) => Write("message", "", "", 0, 0, text);

    /// <summary>An error or warning that was written by this class; null for any other line.</summary>
    internal static Diagnostic? Parse(string line)
    {
        var fields = line.Split('\t');
        if (fields.Length != 7 || fields[0] != "@cob" || fields[1] is not ("error" or "warning")) return null;
        return new Diagnostic(fields[1] == "error" ? Severity.Error : Severity.Warning, fields[2], DependencyFile.Unescape(fields[6]), fields[3].Length > 0 ? DependencyFile.Unescape(fields[3]) : null,
            int.TryParse(fields[4], NumberStyles.None, CultureInfo.InvariantCulture, out var row) ? row : 0, int.TryParse(fields[5], NumberStyles.None, CultureInfo.InvariantCulture, out var column) ? column : 0);
    }

    private void Write(string kind, string code, string file, int line, int column, string text)
    {
        var whole = string.Create(CultureInfo.InvariantCulture,
            $"@cob\t{kind}\t{code}\t{DependencyFile.Escape(file)}\t{line}\t{column}\t{DependencyFile.Escape(text)}\n");
        lock (_lock)
        {
            output.Write(whole);
            output.Flush();
        }
    }
}
