using CompressOnBuild.Diagnostics;
using Spectre.Console;

namespace CompressOnBuild.Worker;

/// <summary>A terminal: one live line per stage with a bar; errors and warnings stand above it in colour.</summary>
internal sealed class TerminalLog(TextWriter output, TextWriter error) : ConsoleLog
{
    private readonly List<Diagnostic> held = [];
    private ProgressContext? live;
    private ProgressTask? current;

    public override T During<T>(string title, Func<T> work)
    {
        try
        {
            return AnsiConsole.Progress().AutoClear(true).HideCompleted(false)
                .Columns(new SpinnerColumn(), new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 30 }, new ElapsedTimeColumn())
                .Start(context =>
                {
                    live = context;
                    Stage(title);
                    return work();
                });
        }
        finally
        {
            live = null;
            Release();
        }
    }

    // After a hard stop nothing comes back to During.
    public override void Finish(int exitCode, CompressionResult? result) => Release();

    private void Release()
    {
        foreach (var diagnostic in held) error.WriteLine(Canonical(diagnostic));
        held.Clear();
    }

    public override void Stage(string text)
    {
        if (live is null) return;
        if (current is not null)
        {
            current.IsIndeterminate = false;
            current.Value = current.MaxValue;
            current.StopTask();
        }
        current = live.AddTask(Shown(text), maxValue: 1);
        current.IsIndeterminate = true;
    }

    public override void Progress(double fraction, string text)
    {
        if (live is null || current is null || !double.IsFinite(fraction)) return;
        current.IsIndeterminate = false;
        current.Value = Math.Clamp(fraction, 0, 0.999); // a full bar would look finished
        current.Description = Shown(text);
    }

    // Not through the console library, which would break the line at the window's width: paths must stay in one piece.
    public override void Summary(string line) => output.WriteLine(ConsoleText.Line(line));

    protected override void Alive(string text) { }

    // While the bars are drawn, a line of another stream would tear them apart.
    protected override void Tell(Diagnostic diagnostic)
    {
        if (live is not null) held.Add(diagnostic);
        else error.WriteLine(Canonical(diagnostic));
    }

    private static string Shown(string text)
    {
        var line = ConsoleText.Line(text);
        return Markup.Escape(line.Length > 60 ? line[..59] + "…" : line);
    }
}
