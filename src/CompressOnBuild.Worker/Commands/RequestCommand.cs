using System.CommandLine;
using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Worker.Commands;

/// <summary>What a command does that turns its options into a request and runs it: says what is wrong, shows progress, ends with the result.</summary>
internal abstract partial class RequestCommand(TextWriter output, TextWriter error,
    Func<CompressionRequest, ICompressionLog, CancellationToken, CompressionResult> run, Interruption interruption)
{
    private readonly Option<bool> json = new("--json") { Description = "Print one JSON object instead of text." };
    private readonly Option<string> logOption = new("--log") { Hidden = true };
    private readonly Option<string> parent = new("--parent-pid") { Hidden = true };
    private readonly LogOptions files = new();

    /// <summary>Options of every such command.</summary>
    protected IEnumerable<Option> SharedOptions => [.. files.All, json, logOption, parent];

    /// <summary>What stands above the progress.</summary>
    protected abstract string Title(CompressionRequest request);

    /// <summary>The line about a result.</summary>
    protected virtual string Summary(CompressionResult result) => SummaryLine.Format(result);

    /// <summary>What a result leaves beside the reports.</summary>
    protected virtual void Keep(CompressionResult result) { }

    /// <summary>What a person sees above the line.</summary>
    protected virtual void Show(CompressionResult result) { }

    /// <summary>Runs the request. <paramref name="model"/> is the path as it was given, which errors without a file of their own are about.</summary>
    protected int Run(ParseResult parsed, string model, CompressionRequest request, List<Diagnostic> errors)
    {
        var mode = string.Equals(parsed.GetValue(logOption), "msbuild", StringComparison.OrdinalIgnoreCase) ? LogMode.MSBuild : LogMode.Text;
        using var log = ConsoleLog.Create(mode, parsed.GetValue(json), output, error);
        if (parsed.GetValue(logOption) is { } text && mode == LogMode.Text && !text.Equals("text", StringComparison.OrdinalIgnoreCase))
            errors.Add(new Diagnostic(Severity.Error, Codes.InvalidChoice, $"'--log' is '{text}'. Valid values are text, msbuild."));
        if (parsed.GetValue(parent) is { } pid)
        {
            if (int.TryParse(pid, out var id) && id > 0) interruption.Watch(id);
            else errors.Add(new Diagnostic(Severity.Error, Codes.InvalidNumber, $"'--parent-pid' is '{pid}'. Valid is the number of a process."));
        }
        if (errors.Count > 0)
        {
            // In a build the user wrote metadata of an item, one of several perhaps, and no options.
            foreach (var diagnostic in errors)
                log.Error(mode == LogMode.Text ? diagnostic : diagnostic with { File = diagnostic.File ?? model, Message = OptionNames().Replace(diagnostic.Message, AsMetadata) });
            return End(ExitCode.Error, null);
        }
        // Other threads are inside the runtime and do not come back: say why, and go.
        Compressor.OnBreach = breach =>
        {
            log.Error(breach.Diagnostic);
            log.Finish(ExitCode.Error, null);
            HardExit.Now(ExitCode.Error);
        };
        var exitCode = ExitCode.Success;
        CompressionResult? result = null;
        try
        {
            result = log.During(Title(request), () => run(request, log, interruption.Token));
            Keep(result);
            if (!parsed.GetValue(json)) Show(result);
            log.Summary(Summary(result));
        }
        catch (GateException e)
        {
            foreach (var broken in e.Errors) log.Error(broken);
            (exitCode, result) = (ExitCode.Error, e.Result);
        }
        catch (Exception e)
        {
            (var diagnostic, exitCode) = CommandLine.Outcome(e);
            log.Error(diagnostic);
            result = null;
        }
        return End(exitCode, result);

        int End(int code, CompressionResult? left)
        {
            try
            {
                var asked = files.Read(parsed);
                if (!asked.IsEmpty) asked.Write(new BuildLog(request.Name, null, Environment.CurrentDirectory, [LoggedModel.Read(request.Candidate ?? request.Model, left?.Folder, log.Diagnostics)], []));
            }
            catch (CompressionException e)
            {
                log.Error(e.Diagnostic);
                code = ExitCode.Error;
            }
            log.Finish(code, left);
            return code;
        }
    }

    [GeneratedRegex("^'--([a-z-]+)'", RegexOptions.CultureInvariant)]
    private static partial Regex OptionNames();

    private static string AsMetadata(Match option) =>
        $"'{string.Concat(option.Groups[1].Value.Split('-', StringSplitOptions.RemoveEmptyEntries).Select(word => char.ToUpperInvariant(word[0]) + word[1..]))}'";
}
