using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Runs the worker with one file of arguments and repeats what it says: <c>dotnet exec compressonbuild.dll &lt;verb&gt; @file …</c>.
/// A process of its own, because native libraries must neither stay loaded in the build nor be able to end it.
/// </summary>
public abstract class WorkerTask : ToolTask
{
    private const int KeptLines = 20;

    /// <summary>Variables of the build that would change what the worker loads.</summary>
    private static readonly string[] s_removedVariables =
        ["DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "MSBuildSDKsPath", "MSBUILD_EXE_PATH", "MSBuildExtensionsPath"];

    private readonly Queue<string> _lastLines = new();
    private volatile bool _cancelled;

    /// <summary>Full path of the worker's assembly.</summary>
    [Required]
    public string Worker { get; set; } = "";

    /// <summary>Where the running SDK says its host is (<c>DOTNET_HOST_PATH</c>); may be empty.</summary>
    public string DotNetHost { get; set; } = "";

    /// <summary>The root of the .NET installation (<c>NetCoreRoot</c>); may be empty.</summary>
    public string DotNetRoot { get; set; } = "";

    /// <summary>The project that messages without a file of their own belong to; empty: the file that calls the task.</summary>
    public string Project { get; set; } = "";

    private protected bool Cancelled => _cancelled;

    private protected bool ErrorLogged { get; private set; }

    /// <summary>Errors and warnings so far, in the form of <see cref="WorkerLine"/>.</summary>
    private protected List<string> Diagnostics { get; } = [];

    private string MessageFile => Project.Length > 0 ? Project : BuildEngine.ProjectFileOfTaskNode;

    protected override string ToolName => Path.DirectorySeparatorChar == '\\' ? "dotnet.exe" : "dotnet";

    protected override Encoding StandardOutputEncoding => new UTF8Encoding(false);

    protected override Encoding StandardErrorEncoding => new UTF8Encoding(false);

    /// <summary>Finds worker and host; says what is missing.</summary>
    private protected bool Prepare()
    {
        YieldDuringToolExecution = true;
        if (!File.Exists(Worker))
            return Fail(TaskCodes.UnsupportedBuild, $"The worker '{Worker}' does not exist. It is part of the package. Restore the package again, or correct CompressOnBuildToolPath.");
        if (FindHost() is not { } host)
            return Fail(TaskCodes.NoDotNetHost, "No 'dotnet' was found: neither DOTNET_HOST_PATH, nor NetCoreRoot, nor PATH names one. The worker needs the .NET 10 runtime or newer. Install it, or set DOTNET_HOST_PATH.");
        ToolExe = Path.GetFileName(host);
        ToolPath = Path.GetDirectoryName(host)!;
        return true;
    }

    /// <summary>The host that runs the build, else the one of its installation, else whatever PATH finds.</summary>
    private string? FindHost()
    {
        if (DotNetHost.Length > 0 && File.Exists(DotNetHost))
            return DotNetHost;
        if (DotNetRoot.Length > 0 && File.Exists(Path.Combine(DotNetRoot, ToolName)))
            return Path.Combine(DotNetRoot, ToolName);
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator))
        {
            if (folder.Length > 0 && Path.IsPathRooted(folder) && File.Exists(Path.Combine(folder, ToolName)))
                return Path.Combine(folder, ToolName);
        }
        return null;
    }

    protected override string GenerateFullPathToTool() => Path.Combine(ToolPath, ToolExe);

    /// <summary><c>exec worker verb @file</c>, what every call begins with.</summary>
    private protected CommandLineBuilder CommandLine(string verb, string responseFile)
    {
        var line = new CommandLineBuilder();
        line.AppendSwitch("exec");
        line.AppendFileNameIfNotNull(Worker);
        line.AppendSwitch(verb);
        line.AppendFileNameIfNotNull("@" + responseFile);
        return line;
    }

    protected override ProcessStartInfo GetProcessStartInfo(string pathToTool, string commandLineCommands, string responseFileSwitch)
    {
        ProcessStartInfo start = base.GetProcessStartInfo(pathToTool, commandLineCommands, responseFileSwitch);
        foreach (string variable in s_removedVariables)
            start.EnvironmentVariables.Remove(variable);
        start.EnvironmentVariables["DOTNET_NOLOGO"] = "1";
        return start;
    }

    protected override void LogEventsFromTextOutput(string singleLine, MessageImportance messageImportance)
    {
        if (WorkerLine.Parse(singleLine) is not { } line)
        {
            string text = LogText.Clean(singleLine);
            if (_lastLines.Count == KeptLines)
                _lastLines.Dequeue();
            _lastLines.Enqueue(text);
            Log.LogMessage(MessageImportance.Low, text);
            return;
        }
        string? code = line.Code.Length > 0 ? line.Code : null;
        string? file = line.File.Length > 0 ? line.File : null;
        switch (line.Kind)
        {
            case WorkerLineKind.Error:
                ErrorLogged = true;
                Diagnostics.Add(WorkerLine.Format("error", code ?? TaskCodes.Bug, line.File, line.Line, line.Column, line.Text));
                Log.LogError(null, code ?? TaskCodes.Bug, code ?? TaskCodes.Bug, file ?? MessageFile, line.Line, line.Column, 0, 0, line.Text);
                break;
            case WorkerLineKind.Warning:
                Diagnostics.Add(WorkerLine.Format("warning", line.Code, line.File, line.Line, line.Column, line.Text));
                Log.LogWarning(null, code, code, file ?? MessageFile, line.Line, line.Column, 0, 0, line.Text);
                break;
            default:
                Log.LogMessage(line.Kind switch
                {
                    WorkerLineKind.Summary => MessageImportance.High,
                    WorkerLineKind.Progress => MessageImportance.Normal,
                    _ => MessageImportance.Low,
                }, line.Text);
                break;
        }
    }

    protected override bool HandleTaskExecutionErrors()
    {
        if (!ErrorLogged && !_cancelled)
            Fail(TaskCodes.Bug, $"The worker ended with exit code {ExitCode} and without an error of its own. This is a bug in CompressOnBuild, or the system ended the worker (memory?). It said last: {string.Join(" | ", _lastLines)}");
        return false;
    }

    public override void Cancel()
    {
        _cancelled = true;
        base.Cancel();
    }

    private protected bool Fail(string code, string text)
    {
        string clean = LogText.Clean(text);
        Diagnostics.Add(WorkerLine.Format("error", code, "", 0, 0, clean));
        Log.LogError(null, code, code, MessageFile, 0, 0, 0, 0, clean);
        return false;
    }
}
