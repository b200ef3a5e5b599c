using System.CommandLine;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Worker.Commands;

/// <summary>Files for those who look at a run from outside.</summary>
internal sealed class LogOptions
{
    private readonly Option<string> errorLog = Path("error-log", "Write errors and warnings as SARIF 2.1.0.");
    private readonly Option<string> testLog = Path("test-log", "Write one test for each limit as JUnit XML.");
    private readonly Option<string> bom = Path("bom", "Write a bill of materials with the model's hashes and metrics, CycloneDX 1.6.");

    public IReadOnlyList<Option> All => [errorLog, testLog, bom];

    public BuildLogFiles Read(ParseResult parsed) => new(Full(parsed.GetValue(errorLog)), Full(parsed.GetValue(testLog)), Full(parsed.GetValue(bom)));

    private static Option<string> Path(string name, string description) => new("--" + name) { Description = description, HelpName = "file" };

    private static string? Full(string? path) => string.IsNullOrEmpty(path) ? null : System.IO.Path.GetFullPath(path);
}
