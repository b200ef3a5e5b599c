using System.Diagnostics;
using System.Security.Cryptography;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Worker;

/// <summary>What the system may refuse while files are written, and a process that ends in the middle: the last good output stays whole.</summary>
[TestClass]
public sealed class BadOutputTests : BadInput
{
    // Doubly mapped code lives in a file of its own, which a limit on the size of files would hit before the output.
    private static readonly Dictionary<string, string?> PlainCode = new() { ["DOTNET_EnableWriteXorExecute"] = "0" };
    private const string SmallDisk = "trap '' XFSZ; ulimit -f 8; exec";

    [TestMethod]
    public void AReadOnlyFolder()
    {
        var model = Save(Layer());
        Directory.CreateDirectory(Output);
        Posix.SetMode(Output, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        StringAssert.Contains(Refused("COB5001", Posix.CompressWithoutPrivileges(model, "--output", Output)), $"Access to the path '{Output}' is denied");
        // The folder is still to be made, and its parent is read-only.
        StringAssert.Contains(Refused("COB5001", Posix.CompressWithoutPrivileges(model, "--output", Path.Combine(Output, "a", "b"))), "denied");
    }

    [TestMethod]
    public void AFileInTheFoldersPlace()
    {
        var file = Folder.Write("file", "x");
        StringAssert.Contains(Refused("COB5001", WorkerProcess.Compress(Save(Layer()), "--output", file)), $"'{file}' is a file");
        Refused("COB5001", WorkerProcess.Compress(Folder["m.onnx"], "--output", Path.Combine(file, "below")));
        Assert.AreEqual("x", File.ReadAllText(file));
    }

    [TestMethod]
    public void AFullDisk()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("A full disk is simulated by a limit of the shell.");
        var (model, data) = (Save(Layer().Weight("v", 2, 0.1f, 32, 256).Node("MatMul", ["y", "v"], ["z"]).Output("z", -1, 256)), SaveData());
        // Nothing was there before: nothing is there after.
        StringAssert.Contains(Refused("COB5001", WorkerProcess.CompressUnder(SmallDisk, PlainCode, model, "--evaluation-data", data, "--output", Output)), "too large");
        // A good output was there before: the same is there after, file by file.
        Assert.AreEqual(0, WorkerProcess.Compress(model, "--evaluation-data", data, "--output", Output).ExitCode);
        var good = Hashes();
        var run = WorkerProcess.CompressUnder(SmallDisk, PlainCode, model, "--evaluation-data", data, "--output", Output, "--recipe", "int8-weights");
        Assert.AreEqual(1, run.ExitCode, run.Output);
        StringAssert.Contains(run.Output, ": error COB5001: ");
        CollectionAssert.AreEqual(good, Hashes());
    }

    [TestMethod]
    public void AWorkerKilledInTheMiddle()
    {
        var samples = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "tones");
        string[] arguments = [Path.Combine(samples, "tones.onnx"), "--evaluation-data", Path.Combine(samples, "val.npz"), "--output", Output];
        Assert.AreEqual(0, WorkerProcess.Compress([.. arguments, "--recipe", "int8-weights"]).ExitCode);
        var good = Hashes();
        foreach (var stage in new[] { "loading", "calibrating", "measuring on the gate split" })
        {
            using var reached = new ManualResetEventSlim();
            using var process = DotNet.Start(DotNet.Host, WorkerProcess.Command([.. arguments, "--recipe", "int8"]), Folder.Path, null, line => { if (line == stage) reached.Set(); });
            Assert.IsTrue(reached.Wait(TimeSpan.FromMinutes(1)), stage);
            process.Kill();
            process.WaitForExit();
            CollectionAssert.AreEqual(good, Hashes(), stage);
        }
    }

    [TestMethod]
    public void LeftoversOfAKilledWorkerGoNextTime()
    {
        var model = Save(Layer());
        using var ended = DotNet.Start(DotNet.Host, ["--version"], Folder.Path, null, _ => { });
        ended.WaitForExit();
        using var self = Process.GetCurrentProcess();
        var dead = Folder.Write($"out/m.onnx.{ended.Id:x}-{Guid.NewGuid():n}.tmp", "half a model");
        var deadAttempt = Folder.Write($"out/failed/report.json.{ended.Id:x}-{Guid.NewGuid():n}.tmp", "half a report");
        var living = Folder.Write($"out/m.onnx.{self.Id:x}-{Guid.NewGuid():n}.tmp", "another build writes this now");
        var foreign = Folder.Write("out/notes.tmp", "the user's own");
        var run = WorkerProcess.Compress(model, "--output", Output);
        Assert.AreEqual(0, run.ExitCode, run.Output);
        Assert.IsFalse(File.Exists(dead));
        Assert.IsFalse(Directory.Exists(Path.GetDirectoryName(deadAttempt)), "an empty folder of failed attempts is of no use");
        Assert.IsTrue(File.Exists(living) && File.Exists(foreign));
    }

    [TestMethod]
    public void ATerminatedWorkerSaysSoAndLeavesAtMostTheJournalOfItsSearch()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("Windows has no SIGTERM.");
        var samples = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "tones");
        var output = new List<string>();
        using var reached = new ManualResetEventSlim();
        using var process = DotNet.Start(DotNet.Host, WorkerProcess.Command(Path.Combine(samples, "tones.onnx"), "--evaluation-data", Path.Combine(samples, "val.npz"), "--output", Output), Folder.Path, null, line =>
        {
            lock (output) output.Add(line);
            if (line == "calibrating") reached.Set();
        });
        Assert.IsTrue(reached.Wait(TimeSpan.FromMinutes(1)));
        using (var kill = Process.Start("kill", ["-TERM", $"{process.Id}"])) kill.WaitForExit();
        Assert.IsTrue(process.WaitForExit(TimeSpan.FromSeconds(20)));
        process.WaitForExit();
        // How far it came is chance. What a search had measured by then is kept on purpose, and nothing else.
        var journal = Path.Combine(Output, Compressor.JournalFile);
        if (File.Exists(journal)) File.Delete(journal);
        StringAssert.Contains(Refused("COB0038", new ProcessResult(process.ExitCode, string.Join('\n', output))), "cancelled");
    }

    private string[] Hashes() => [.. Directory.GetFiles(Output, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        .Select(f => $"{Path.GetRelativePath(Output, f)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f)))}")];
}
