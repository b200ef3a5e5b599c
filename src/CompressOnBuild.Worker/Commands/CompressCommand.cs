using System.CommandLine;
using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Worker.Commands;

/// <summary><c>compress</c>: what a build does for one <c>CompressModel</c> item. Options are the item's metadata in kebab case.</summary>
internal sealed partial class CompressCommand(TextWriter output, TextWriter error,
    Func<CompressionRequest, ICompressionLog, CancellationToken, CompressionResult> compress, Interruption interruption, ResponseFile? response)
{
    private readonly Argument<string> model = new("model") { Description = "The ONNX model." };
    private readonly Option<string> logOption = new("--log") { Hidden = true };
    private readonly Option<string> parent = new("--parent-pid") { Hidden = true };
    // Only part of the response file, so that a newer package makes every result stale.
    private readonly Option<string> packageVersion = new("--package-version") { Hidden = true };
    private readonly Option<bool> json = new("--json") { Description = "Print one JSON object instead of text." };
    private readonly RequestOptions options = new();

    public Command Create()
    {
        var command = new Command("compress", "Compress a model, measure it and write it with its reports.") { model };
        foreach (var option in options.All) command.Add(option);
        foreach (var option in new Option[] { json, logOption, parent, packageVersion }) command.Add(option);
        command.SetAction(Run);
        return command;
    }

    [GeneratedRegex("^'--([a-z-]+)'", RegexOptions.CultureInvariant)]
    private static partial Regex OptionNames();

    private static string AsMetadata(Match option) =>
        $"'{string.Concat(option.Groups[1].Value.Split('-', StringSplitOptions.RemoveEmptyEntries).Select(word => char.ToUpperInvariant(word[0]) + word[1..]))}'";

    private int Run(ParseResult parsed)
    {
        var mode = string.Equals(parsed.GetValue(logOption), "msbuild", StringComparison.OrdinalIgnoreCase) ? LogMode.MSBuild : LogMode.Text;
        using var log = ConsoleLog.Create(mode, parsed.GetValue(json), output, error);
        var (request, errors) = options.Read(parsed, parsed.GetRequiredValue(model));
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
                log.Error(mode == LogMode.Text ? diagnostic : diagnostic with { File = diagnostic.File ?? parsed.GetValue(model), Message = OptionNames().Replace(diagnostic.Message, AsMetadata) });
            log.Finish(ExitCode.Error, null);
            return ExitCode.Error;
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
            result = log.During($"compressing {Path.GetFileName(request.Model)}", () => compress(request, log, interruption.Token));
            DependencyFile.Write(result, request.Output, response?.Sha256);
            log.Summary(SummaryLine.Format(result));
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
        log.Finish(exitCode, result);
        return exitCode;
    }
}
