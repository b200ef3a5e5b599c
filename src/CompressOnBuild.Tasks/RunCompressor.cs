using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Runs the worker on one <c>request.rsp</c> and repeats what it says: <c>dotnet exec compressonbuild.dll compress @request.rsp …</c>.
/// A process of its own, because native libraries must neither stay loaded in the build nor be able to end it.
/// </summary>
[MSBuildMultiThreadableTask]
public sealed class RunCompressor : ToolTask
{
    private const int PollMilliseconds = 50;
    private const int KeptLines = 20;

    /// <summary>Variables of the build that would change what the worker loads.</summary>
    private static readonly string[] s_removedVariables =
        ["DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "MSBuildSDKsPath", "MSBUILD_EXE_PATH", "MSBuildExtensionsPath"];

    private readonly Queue<string> _lastLines = new();
    private volatile bool _cancelled;
    private bool _errorLogged;

    /// <summary>Full path of the worker's assembly.</summary>
    [Required]
    public string Worker { get; set; } = "";

    /// <summary>Full path of <c>request.rsp</c>; the result goes into its folder.</summary>
    [Required]
    public string RequestFile { get; set; } = "";

    /// <summary>Where the running SDK says its host is (<c>DOTNET_HOST_PATH</c>); may be empty.</summary>
    public string DotNetHost { get; set; } = "";

    /// <summary>The root of the .NET installation (<c>NetCoreRoot</c>); may be empty.</summary>
    public string DotNetRoot { get; set; } = "";

    /// <summary>The project that messages without a file of their own belong to; empty: the file that calls the task.</summary>
    public string Project { get; set; } = "";

    private string MessageFile => Project.Length > 0 ? Project : BuildEngine.ProjectFileOfTaskNode;

    /// <summary>Threads of the worker; empty: all processors.</summary>
    public string Threads { get; set; } = "";

    /// <summary>The model is evaluated anew even if its result is up to date, and its lock file renewed.</summary>
    public bool ForceEvaluate { get; set; }

    protected override string ToolName => Path.DirectorySeparatorChar == '\\' ? "dotnet.exe" : "dotnet";

    protected override Encoding StandardOutputEncoding => new UTF8Encoding(false);

    protected override Encoding StandardErrorEncoding => new UTF8Encoding(false);

    public override bool Execute()
    {
        YieldDuringToolExecution = true;
        string folder = Path.GetDirectoryName(RequestFile)!;
        if (!File.Exists(Worker))
            return Fail(TaskCodes.UnsupportedBuild, $"The worker '{Worker}' does not exist. It is part of the package. Restore the package again, or correct CompressOnBuildToolPath.");
        if (Threads.Length > 0 && !(int.TryParse(Threads, NumberStyles.None, CultureInfo.InvariantCulture, out int threads) && threads > 0))
            return Fail(TaskCodes.BadMetadata, $"CompressOnBuildThreads is '{Threads}'. Valid is a whole number from 1. Correct the property or remove it.");
        if (FindHost() is not { } host)
            return Fail(TaskCodes.NoDotNetHost, "No 'dotnet' was found: neither DOTNET_HOST_PATH, nor NetCoreRoot, nor PATH names one. The worker needs the .NET 10 runtime or newer. Install it, or set DOTNET_HOST_PATH.");
        ToolExe = Path.GetFileName(host);
        ToolPath = Path.GetDirectoryName(host)!;
        using FileStream? claim = Claim(folder);
        if (claim is null)
            return false;
        try
        {
            byte[] request = File.ReadAllBytes(RequestFile);
            // Another build may have answered since this one saw that it must: while this one waited, or before it asked for the folder.
            if (!ForceEvaluate && Placement.WhyStale(folder, request) is null)
                return true;
            // The result of this request stays the answer until a better one is complete; that of another request is none.
            if (!Placement.IsAnswered(folder, request))
                Placement.ForgetAnswered(folder);
            if (!base.Execute() || _errorLogged)
                return false;
            if (!InputsFile.IsFor(folder, InputsFile.Hash(request)))
                return Fail(TaskCodes.Bug, "The worker ended without an error, but left no complete result. This is a bug in CompressOnBuild; please report it.");
            Placement.MarkAnswered(folder, request);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Fail(TaskCodes.OutputFolderNotWritable, $"The result cannot be written to '{folder}': {e.Message} The folder must be writable. Change its permissions or BaseIntermediateOutputPath.");
        }
    }

    /// <summary>
    /// One worker at a time for a folder: two builds of one project may run at once. The second waits and then finds the result of the first.
    /// </summary>
    private FileStream? Claim(string folder)
    {
        string path = Path.Combine(folder, ".lock");
        while (!_cancelled)
        {
            try
            {
                // The file stays: deleting it would let a third build lock a new one beside a waiting second.
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (UnauthorizedAccessException e)
            {
                Fail(TaskCodes.OutputFolderNotWritable, $"The result cannot be written to '{folder}': {e.Message} The folder must be writable. Change its permissions or BaseIntermediateOutputPath.");
                return null;
            }
            catch (DirectoryNotFoundException e)
            {
                Fail(TaskCodes.OutputFolderNotWritable, $"The result cannot be written to '{folder}': {e.Message} Build again.");
                return null;
            }
            catch (IOException)
            {
                Thread.Sleep(PollMilliseconds);
            }
        }
        return null;
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

    protected override string GenerateCommandLineCommands()
    {
        using var process = Process.GetCurrentProcess();
        var line = new CommandLineBuilder();
        line.AppendSwitch("exec");
        line.AppendFileNameIfNotNull(Worker);
        line.AppendSwitch("compress");
        line.AppendFileNameIfNotNull("@" + RequestFile);
        line.AppendSwitch("--output");
        line.AppendFileNameIfNotNull(Path.GetDirectoryName(RequestFile));
        if (Threads.Length > 0)
            line.AppendSwitch("--threads " + Threads);
        if (ForceEvaluate)
            line.AppendSwitch("--force-evaluate");
        line.AppendSwitch("--log msbuild");
        line.AppendSwitch("--parent-pid " + process.Id.ToString(CultureInfo.InvariantCulture));
        return line.ToString();
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
                _errorLogged = true;
                Log.LogError(null, code ?? TaskCodes.Bug, code ?? TaskCodes.Bug, file ?? MessageFile, line.Line, line.Column, 0, 0, line.Text);
                break;
            case WorkerLineKind.Warning:
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
        if (!_errorLogged && !_cancelled)
            Fail(TaskCodes.Bug, $"The worker ended with exit code {ExitCode} and without an error of its own. This is a bug in CompressOnBuild, or the system ended the worker (memory?). It said last: {string.Join(" | ", _lastLines)}");
        return false;
    }

    public override void Cancel()
    {
        _cancelled = true;
        base.Cancel();
    }

    private bool Fail(string code, string text)
    {
        Log.LogError(null, code, code, MessageFile, 0, 0, 0, 0, LogText.Clean(text));
        return false;
    }
}
