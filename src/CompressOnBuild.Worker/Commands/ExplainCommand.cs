using System.CommandLine;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Worker.Commands;

/// <summary><c>explain COB2003</c>: prints the page of a code.</summary>
internal sealed class ExplainCommand(TextWriter output)
{
    private readonly Argument<string> code = new("code") { Description = "A code such as COB2003." };

    public Command Create()
    {
        var command = new Command("explain", "Explain an error or warning: its cause and what to do.") { code };
        command.SetAction(Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        var wanted = parsed.GetRequiredValue(code);
        if (DiagnosticPages.Get(wanted) is not { } page)
        {
            var near = Spelling.Nearest(wanted, DiagnosticPages.All);
            throw new CompressionException(Codes.UnknownCode, $"there is no code '{wanted}'.{(near is null ? "" : $" Did you mean {near}?")} Valid are {DiagnosticPages.All[0]} to {DiagnosticPages.All[^1]}; codes are COB and four digits.");
        }
        output.Write(page);
        return ExitCode.Success;
    }
}
