using System.Diagnostics;
using CompressOnBuild.Diagnostics;
using Spectre.Console;

namespace CompressOnBuild.Worker;

/// <summary>Whom the tool speaks to: a person, or the build task.</summary>
internal enum LogMode { Text, MSBuild }

/// <summary>
/// Where a command's words go. Everything is one safe line (<see cref="ConsoleText"/>), and long work shows a sign of life at most every
/// <see cref="Quiet"/> where lines stay.
/// </summary>
internal abstract class ConsoleLog : ICompressionLog, IDisposable
{
    protected static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private readonly List<Diagnostic> diagnostics = [];
    private readonly Stopwatch sinceLast = Stopwatch.StartNew();

    /// <summary>Errors and warnings so far.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics => diagnostics;

    /// <summary>The log for a mode; a terminal gets live progress.</summary>
    public static ConsoleLog Create(LogMode mode, bool json, TextWriter output, TextWriter error)
    {
        if (mode == LogMode.MSBuild) return new MSBuildLog(output);
        if (json) return new JsonLog(output);
        var terminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Interactive;
        return terminal ? new TerminalLog(output, error) : new PlainLog(output, error);
    }

    /// <summary>Runs the work that may report stages and progress.</summary>
    public virtual T During<T>(string title, Func<T> work) => work();

    public virtual void Stage(string text)
    {
        sinceLast.Restart();
        Alive(text);
    }

    public virtual void Progress(double fraction, string text)
    {
        if (sinceLast.Elapsed < Quiet) return;
        sinceLast.Restart();
        Alive(FormattableString.Invariant($"{text} {Math.Clamp(double.IsFinite(fraction) ? fraction : 0, 0, 1) * 100:0} %"));
    }

    public void Warning(Diagnostic diagnostic)
    {
        diagnostics.Add(diagnostic);
        Tell(diagnostic);
    }

    public void Error(Diagnostic diagnostic)
    {
        diagnostics.Add(diagnostic);
        Tell(diagnostic);
    }

    /// <summary>The line about a finished model.</summary>
    public abstract void Summary(string line);

    /// <summary>The last call: how the command ends. <paramref name="result"/> is null when there is none.</summary>
    public virtual void Finish(int exitCode, CompressionResult? result) { }

    public virtual void Dispose() { }

    protected abstract void Alive(string text);

    protected abstract void Tell(Diagnostic diagnostic);

    /// <summary>For a person: files below the current folder by their relative path.</summary>
    protected static string Canonical(Diagnostic diagnostic)
    {
        if (diagnostic.File is { } file && Path.IsPathFullyQualified(file))
        {
            var relative = Path.GetRelativePath(Environment.CurrentDirectory, file);
            if (!relative.StartsWith("..", StringComparison.Ordinal)) diagnostic = diagnostic with { File = relative };
        }
        return DiagnosticFormat.Canonical(diagnostic);
    }
}

/// <summary>Lines for a file or a pipe: progress and results on one stream, errors and warnings on the other.</summary>
internal sealed class PlainLog(TextWriter output, TextWriter error) : ConsoleLog
{
    public override void Summary(string line) => output.WriteLine(ConsoleText.Line(line));
    protected override void Alive(string text) => output.WriteLine(ConsoleText.Line(text));
    protected override void Tell(Diagnostic diagnostic) => error.WriteLine(Canonical(diagnostic));
}

/// <summary>Lines for the build task.</summary>
internal sealed class MSBuildLog(TextWriter output) : ConsoleLog
{
    private readonly MachineLog lines = new(output);

    public override void Summary(string line) => lines.Summary(ConsoleText.Line(line));
    protected override void Alive(string text) => lines.Progress(ConsoleText.Line(text));
    protected override void Tell(Diagnostic d) => lines.Write(d with { File = d.File is null ? null : ConsoleText.Line(d.File), Message = ConsoleText.Line(d.Message) });
}
