using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;
using Microsoft.Build.Framework;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Compresses one model: the worker's <c>compress @request.rsp …</c>. What it said of the model stays in the model's folder, for the logs of later builds.
/// </summary>
[MSBuildMultiThreadableTask]
public sealed class RunCompressor : WorkerTask
{
    private const int PollMilliseconds = 50;

    private bool _ran;

    /// <summary>Full path of <c>request.rsp</c>; the result goes into its folder.</summary>
    [Required]
    public string RequestFile { get; set; } = "";

    /// <summary>Threads of the worker; empty: all processors.</summary>
    public string Threads { get; set; } = "";

    /// <summary>The model is evaluated anew even if its result is up to date, and its lock file renewed.</summary>
    public bool ForceEvaluate { get; set; }

    public override bool Execute()
    {
        bool succeeded = Compress();
        // Another build may have answered, and then said what there was to say.
        if (_ran || Diagnostics.Count > 0)
            KeepDiagnostics(Path.GetDirectoryName(RequestFile)!);
        return succeeded;
    }

    private bool Compress()
    {
        string folder = Path.GetDirectoryName(RequestFile)!;
        if (!Prepare())
            return false;
        if (Threads.Length > 0 && !(int.TryParse(Threads, NumberStyles.None, CultureInfo.InvariantCulture, out int threads) && threads > 0))
            return Fail(TaskCodes.BadMetadata, $"CompressOnBuildThreads is '{Threads}'. Valid is a whole number from 1. Correct the property or remove it.");
        using FileStream? claim = Claim(folder);
        if (claim is null)
            return false;
        try
        {
            byte[] request = File.ReadAllBytes(RequestFile);
            // Another build may have answered since this one saw that it must: while this one waited, or before it asked for the folder.
            if (!ForceEvaluate && Placement.WhyStale(folder, request, new FileStates()) is null)
                return true;
            // The result of this request stays the answer until a better one is complete; that of another request is none.
            if (!Placement.IsAnswered(folder, request))
                Placement.ForgetAnswered(folder);
            _ran = true;
            if (!base.Execute() || ErrorLogged)
                return false;
            if (!InputsFile.IsFor(folder, InputsFile.Hash(request)))
                return Fail(TaskCodes.Bug, "The worker ended without an error, but left no complete result. This is a bug in CompressOnBuild; please report it.");
            Placement.MarkAnswered(folder, request);
            InputsFile.WhyStale(folder, new FileStates()); // leaves what the next build compares with
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
        while (!Cancelled)
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

    protected override string GenerateCommandLineCommands()
    {
        using var process = Process.GetCurrentProcess();
        var line = CommandLine("compress", RequestFile);
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

    private void KeepDiagnostics(string folder)
    {
        try
        {
            InputsFile.WriteAtomically(Path.Combine(folder, Placement.DiagnosticsFile), Placement.Encode(string.Concat(Diagnostics.ConvertAll(d => d + "\n"))));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // the build's own log has them
    }
}
