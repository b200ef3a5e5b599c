using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;

namespace CompressOnBuild.Tasks;

/// <summary>
/// The logs of a project for those who look at builds from outside (SARIF, JUnit XML, CycloneDX, the page of the build), written by the worker from
/// the stored results: a build that compresses nothing writes them too.
/// </summary>
[MSBuildMultiThreadableTask]
public sealed class WriteBuildLogs : WorkerTask
{
    private string _responseFile = "";

    /// <summary>Full path of <c>obj/compressed</c>.</summary>
    [Required]
    public string OutputRoot { get; set; } = "";

    /// <summary>From <see cref="ResolveCompressModels.Results"/>.</summary>
    public ITaskItem[] Results { get; set; } = [];

    /// <summary>From <see cref="ResolveCompressModels.Diagnostics"/>.</summary>
    public ITaskItem[] ItemDiagnostics { get; set; } = [];

    /// <summary>The framework of this build of the project; may be empty.</summary>
    public string TargetFramework { get; set; } = "";

    /// <summary>Path of the SARIF file, relative to the project; empty: none.</summary>
    public string ErrorLog { get; set; } = "";

    /// <summary>Path of the JUnit XML file, relative to the project; empty: none.</summary>
    public string TestLog { get; set; } = "";

    /// <summary>Path of the CycloneDX file, relative to the project; empty: none.</summary>
    public string Bom { get; set; } = "";

    /// <summary>The file that GitHub Actions shows on the page of the run (<c>GITHUB_STEP_SUMMARY</c>); empty: none.</summary>
    public string GitHubSummary { get; set; } = "";

    /// <summary><c>TF_BUILD</c>; anything but empty: Azure Pipelines is told to show a summary.</summary>
    public string AzurePipelines { get; set; } = "";

    public override bool Execute()
    {
        string name = Path.GetFileNameWithoutExtension(Project);
        string summary = AzurePipelines.Length > 0 ? Path.Combine(OutputRoot, "CompressOnBuild." + name + ".md") : "";
        // Builds of several frameworks run side by side.
        _responseFile = Path.Combine(OutputRoot, name + "." + TargetFramework + ".logs.rsp");
        string diagnostics = Path.ChangeExtension(_responseFile, ".txt");
        StringBuilder text = new(), said = new();
        Append(text, "project", Project);
        foreach (ITaskItem result in Results)
        {
            Append(text, "model", result.GetMetadata("Model"));
            Append(text, "result", result.ItemSpec);
        }
        // Those of a model without a result come after its path.
        foreach (ITaskItem line in ItemDiagnostics)
            said.Append(line.GetMetadata("Model").Replace('\n', ' ').Replace('\r', ' ')).Append('\n').Append(line.ItemSpec).Append('\n');
        Append(text, "diagnostics", diagnostics);
        Append(text, "error-log", Absolute(ErrorLog));
        Append(text, "test-log", Absolute(TestLog));
        Append(text, "bom", Absolute(Bom));
        Append(text, "append-summary", GitHubSummary);
        Append(text, "summary", summary);
        try
        {
            Directory.CreateDirectory(OutputRoot);
            InputsFile.WriteAtomically(diagnostics, Placement.Encode(said.ToString()));
            InputsFile.WriteAtomically(_responseFile, Placement.Encode(text.ToString()));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Fail(TaskCodes.OutputFolderNotWritable, $"The logs cannot be prepared in '{OutputRoot}': {e.Message} The folder must be writable. Change its permissions or BaseIntermediateOutputPath.");
        }
        if (!Prepare() || !base.Execute() || ErrorLogged)
            return false;
        if (summary.Length > 0)
            Upload(summary);
        return true;
    }

    protected override string GenerateCommandLineCommands()
    {
        var line = CommandLine("logs", _responseFile);
        line.AppendSwitch("--log msbuild");
        return line.ToString();
    }

    /// <summary>
    /// The agent of Azure Pipelines obeys <c>##vso[</c> wherever it stands in a line, so the indentation of MSBuild's console does no harm. It is
    /// the only command that this package ever prints, and its path holds nothing that could end it or start another.
    /// </summary>
    private void Upload(string summary)
    {
        foreach (char c in summary)
        {
            if (!(char.IsLetterOrDigit(c) || "/\\:._- ()+~".IndexOf(c) >= 0))
            {
                Log.LogMessage(MessageImportance.High, LogText.Clean($"CompressOnBuild: the summary for Azure Pipelines is in '{summary}'. Its path holds the character '{c}', so it is not uploaded."));
                return;
            }
        }
        // The builds of all target frameworks say the same.
        if (BuildEngine is IBuildEngine4 engine)
        {
            if (engine.GetRegisteredTaskObject(summary, RegisteredTaskObjectLifetime.Build) is not null)
                return;
            engine.RegisterTaskObject(summary, summary, RegisteredTaskObjectLifetime.Build, allowEarlyCollection: false);
        }
        Log.LogMessage(MessageImportance.High, "##vso[task.uploadsummary]{0}", summary);
    }

    private string Absolute(string path) => path.Length == 0 ? "" : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Project) ?? "", path));

    // A line end in a path would read as another argument; such a path exists nowhere where this file system's tools work.
    private static void Append(StringBuilder text, string option, string value)
    {
        if (value.Length > 0)
            text.Append("--").Append(option).Append('=').Append(value.Replace('\n', ' ').Replace('\r', ' ')).Append('\n');
    }
}
