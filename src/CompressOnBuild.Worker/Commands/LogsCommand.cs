using System.CommandLine;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Worker.Commands;

/// <summary><c>logs</c>: what a build asks for at its end. Writes the logs of one project from the stored results of its models; runs no model.</summary>
internal sealed class LogsCommand(TextWriter output, TextWriter error)
{
    private readonly Option<string> project = new("--project") { Required = true };
    private readonly Option<string[]> models = new("--model");
    private readonly Option<string[]> results = new("--result");
    private readonly Option<string> diagnostics = new("--diagnostics");
    private readonly Option<string> logOption = new("--log");
    private readonly LogOptions files = new();
    private readonly Option<string> summary = new("--summary");
    private readonly Option<string> appended = new("--append-summary");

    public Command Create()
    {
        var command = new Command("logs", "Write the logs of a build from the stored results.") { project, models, results, diagnostics, logOption, summary, appended };
        foreach (var option in files.All) command.Add(option);
        command.Hidden = true;
        command.SetAction(Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        using var log = ConsoleLog.Create(parsed.GetValue(logOption) == "msbuild" ? LogMode.MSBuild : LogMode.Text, json: false, output, error);
        var exitCode = ExitCode.Success;
        try
        {
            var file = parsed.GetRequiredValue(project);
            var items = ItemsSaid(parsed.GetValue(diagnostics));
            var logged = (parsed.GetValue(models) ?? []).Zip(parsed.GetValue(results) ?? [], (model, folder) =>
            {
                var said = Said(Path.Combine(folder, "diagnostics.txt"));
                return LoggedModel.Read(model, StoredPlace(folder, said), [.. said, .. items[model]]);
            }).ToList();
            logged.AddRange(items.Where(i => i.Key.Length > 0 && logged.All(l => l.File != i.Key)).Select(i => LoggedModel.Read(i.Key, null, [.. i])));
            var build = new BuildLog(Path.GetFileNameWithoutExtension(file), file, Path.GetDirectoryName(file)!, logged, [.. items[""]]);
            foreach (var warning in (files.Read(parsed) with { Summary = parsed.GetValue(summary), AppendedSummary = parsed.GetValue(appended) }).Write(build)) log.Warning(warning);
        }
        catch (CompressionException e)
        {
            log.Error(e.Diagnostic);
            exitCode = ExitCode.Error;
        }
        log.Finish(exitCode, null);
        return exitCode;
    }

    /// <summary>Where the figures of the last run lie; null when it ended before there were any. A run removes the failed attempt before it.</summary>
    private static string? StoredPlace(string folder, List<Diagnostic> said)
    {
        if (said.All(d => d.Severity != Severity.Error)) return folder;
        var failed = Path.Combine(folder, "failed");
        return Directory.Exists(failed) ? failed : null;
    }

    /// <summary>What was said of the items, by the path of the model that an error left without a result, else by an empty one: pairs of lines.</summary>
    private static ILookup<string, Diagnostic> ItemsSaid(string? file) => (File.Exists(file) ? File.ReadLines(file) : []).Chunk(2)
        .Where(pair => pair.Length == 2).Select(pair => (Model: pair[0], Said: MachineLog.Parse(pair[1]))).Where(p => p.Said is not null).ToLookup(p => p.Model, p => p.Said!);

    private static List<Diagnostic> Said(string? file) => !File.Exists(file) ? [] : [.. File.ReadLines(file).Select(MachineLog.Parse).OfType<Diagnostic>()];
}
