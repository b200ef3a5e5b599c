using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Worker;

/// <summary>What the worker says its result depends on: the build looks at nothing else.</summary>
[TestClass]
public sealed class InputsListTests : BadInput
{
    [TestMethod]
    public void FilesLookedForInVainAreListed()
    {
        Directory.CreateDirectory(Folder["data"]);
        Lines(Save(Layer()), SaveData(name: "data/val.npz"), out var lines);
        CollectionAssert.AreEqual(new[] { "data/evaluation.json", "data/val.evaluation.json", "evaluation.json", "m.onnx.lock.json" }.Select(f => $"absent {Folder[f]}").ToArray(),
            lines.Where(l => l.StartsWith("absent ", StringComparison.Ordinal)).ToArray());

        // What is found hides what comes after it, and only that.
        Folder.Write("data/evaluation.json", "{}");
        Lines(Folder["m.onnx"], Folder["data/val.npz"], out lines);
        CollectionAssert.AreEqual(new[] { "data/val.evaluation.json", "m.onnx.lock.json" }.Select(f => $"absent {Folder[f]}").ToArray(), lines.Where(l => l.StartsWith("absent ", StringComparison.Ordinal)).ToArray());
        Assert.HasCount(1, lines.Where(l => l.EndsWith(" " + Folder["data/evaluation.json"], StringComparison.Ordinal)).ToArray());
    }

    [TestMethod]
    public void AModelBehindALinkIsListedWithTheModelsSizeAndTime()
    {
        Directory.CreateDirectory(Folder["store"]);
        var real = Save(Layer(), "store/real.onnx");
        var time = new DateTime(2011, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(real, time);
        try { File.CreateSymbolicLink(Folder["m.onnx"], real); }
        catch (IOException) when (OperatingSystem.IsWindows()) { Assert.Inconclusive("Links need a privilege on Windows."); }
        Lines(Folder["m.onnx"], SaveData(), out var lines);
        Assert.HasCount(1, lines.Where(l => l.EndsWith($" {new FileInfo(real).Length} {time.Ticks} {Folder["m.onnx"]}", StringComparison.Ordinal)).ToArray(), string.Join('\n', lines));
    }

    private void Lines(string model, string data, out string[] lines)
    {
        var run = WorkerProcess.Compress(model, "--evaluation-data", data, "--output", Output, "--max-accuracy-drop", "1");
        Assert.AreEqual(0, run.ExitCode, run.Output);
        lines = File.ReadAllLines(Path.Combine(Output, "inputs.txt"));
    }
}
