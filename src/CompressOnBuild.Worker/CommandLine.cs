using System.CommandLine;
using System.CommandLine.Help;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Worker.Commands;

namespace CompressOnBuild.Worker;

/// <summary>The tool: arguments in, exit code out. Everything it touches is passed in, so that tests run it whole.</summary>
/// <param name="output">Standard output.</param>
/// <param name="error">Standard error.</param>
/// <param name="run">Compresses, or compares where the request names a candidate.</param>
/// <param name="interruption">What stops it.</param>
internal sealed class CommandLine(TextWriter output, TextWriter error,
    Func<CompressionRequest, ICompressionLog, CancellationToken, CompressionResult> run, Interruption interruption)
{
    /// <summary>Runs one command.</summary>
    public int Run(string[] args)
    {
        IReadOnlyList<string> tokens;
        ResponseFile? response;
        try { (tokens, response) = ResponseFile.Expand(args); }
        catch (CompressionException e) { return Fail(e.Diagnostic, args, ExitCode.Usage); }

        var root = new RootCommand("Compresses ONNX models, measures them and says what was lost.")
        {
            new CompressCommand(output, error, run, interruption, response).Create(),
            new PlanCommand(output, error, run, interruption).Create(),
            new CompareCommand(output, error, run, interruption).Create(),
            new LogsCommand(output, error).Create(),
            new InspectCommand(output).Create(),
            new RecipeCommand(output).Create(),
            new ExplainCommand(output).Create(),
        };
        root.Directives.Clear();
        var parsed = root.Parse(tokens, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
        // Help and version win over what else is wrong on the line.
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
        {
            var text = string.Join(" ", parsed.Errors.Select(e => e.Message).Distinct());
            return Fail(new Diagnostic(Severity.Error, Codes.WrongUsage, $"{text} Run 'compressonbuild {Verb(parsed)}--help' to see what is valid."), tokens, ExitCode.Usage);
        }
        try
        {
            return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception e)
        {
            var (diagnostic, code) = Outcome(e);
            return Fail(diagnostic, tokens, code);
        }
    }

    /// <summary>The error that <paramref name="e"/> is for the user, and the exit code.</summary>
    public static (Diagnostic Diagnostic, int ExitCode) Outcome(Exception e)
    {
        if (e is AggregateException many)
        {
            // Parallel work wraps what it throws; a cancelled run may bring the cancellation beside the real reason.
            var all = many.Flatten().InnerExceptions;
            return Outcome(all.OfType<CompressionException>().FirstOrDefault() ?? all.FirstOrDefault(x => x is not OperationCanceledException) ?? all[0]);
        }
        if (e is CompressionException { Diagnostic.Code: Codes.EvaluatorFailed, InnerException: { } thrown } failed && IsDebugging)
            return (failed.Diagnostic with { Message = $"{failed.Diagnostic.Message} {thrown}" }, ExitCode.Error);
        if (e is CompressionException expected) return (expected.Diagnostic, ExitCode.Error);
        if (e is OperationCanceledException) return (new Diagnostic(Severity.Error, Codes.Cancelled, "cancelled; the previous output is unchanged."), ExitCode.Error);
        if (e is OutOfMemoryException) return (new Diagnostic(Severity.Error, Codes.RuntimeMemory, "there is not enough memory for this model and its data. Give the machine more, or use fewer or smaller samples."), ExitCode.Error);
        var detail = IsDebugging ? $" {e}" : " Set COMPRESSONBUILD_DEBUG=1 for the stack trace.";
        return (new Diagnostic(Severity.Error, Codes.Bug,
            $"unexpected {e.GetType().Name}: {e.Message} This is a bug in CompressOnBuild {ToolVersion.Text}; please report it with this message and, if you can share it, the model.{detail}"), ExitCode.Bug);
    }

    private static bool IsDebugging => Environment.GetEnvironmentVariable("COMPRESSONBUILD_DEBUG") == "1";

    private int Fail(Diagnostic diagnostic, IReadOnlyList<string> tokens, int exitCode)
    {
        // The command line is not parsed here, or not valid: look for the one option that decides how to speak.
        var log = string.Join('\n', tokens).Replace('=', '\n').Contains("--log\nmsbuild", StringComparison.Ordinal) ? LogMode.MSBuild : LogMode.Text;
        using var console = ConsoleLog.Create(log, tokens.Contains("--json"), output, error);
        console.Error(diagnostic);
        console.Finish(exitCode, null);
        return exitCode;
    }

    private static string Verb(ParseResult parsed) => parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";
}
