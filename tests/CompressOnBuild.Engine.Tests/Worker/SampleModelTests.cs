using System.Security.Cryptography;
using System.Text.Json;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Worker;

/// <summary>The two models in testassets/samples, whole: what the README of the samples states, and what presets make of them.</summary>
[TestClass]
public sealed class SampleModelTests
{
    private static readonly string Samples = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples");

    private static string[] Arguments(string sample) => sample == "shapes"
        ? [Path.Combine(Samples, "shapes", "shapes.onnx"), "--evaluation-data", Path.Combine(Samples, "shapes", "val"), "--calibration-data", Path.Combine(Samples, "shapes", "calib")]
        : [Path.Combine(Samples, "tones", "tones.onnx"), "--evaluation-data", Path.Combine(Samples, "tones", "val.npz"), "--calibration-data", Path.Combine(Samples, "tones", "calib.npz")];

    [TestMethod]
    [DataRow("shapes", "val", 0.992), DataRow("tones", "val.npz", 0.981)]
    public void TheOriginalsAreAsGoodAsStated(string sample, string data, double top1)
    {
        var file = Path.Combine(Samples, sample, sample + ".onnx");
        using var session = new Session(OnnxReader.Load(file), new SessionSettings("original", file));
        var context = new DatasetContext([.. session.Inputs.Select(Known)], [.. session.Outputs.Select(Known)], ModelFolder: Path.GetDirectoryName(file));
        using var dataset = Dataset.Open(Path.Combine(Samples, sample, data), context);
        Assert.AreEqual(1000, dataset.Count);
        var right = 0;
        for (var i = 0; i < dataset.Count; i++)
        {
            var scores = session.Run(dataset.Read(i).Inputs)[0].AsSpan<float>();
            if (System.Numerics.Tensors.TensorPrimitives.IndexOfMax(scores) == ((ClassLabel)dataset.Label(i)!).Id) right++;
        }
        Assert.AreEqual(top1, right / 1000.0, 1e-9);

        static ModelValue Known(Port port) => new(port.Name, port.ElementType, [.. port.Shape.Select(d => d < 0 ? (long?)null : d)]);
    }

    [TestMethod]
    [DataRow("shapes", "auto"), DataRow("shapes", "int8"), DataRow("tones", "auto"), DataRow("tones", "int8")]
    public void PresetsPassTheGateAtAThirdOfTheBytes(string sample, string recipe)
    {
        using var folder = new ScratchFolder();
        var run = WorkerProcess.Compress([.. Arguments(sample), "--recipe", recipe, "--output", folder["out"], "--strict", "--report-images"]);
        Assert.AreEqual(0, run.ExitCode, run.Output);
        using var report = JsonDocument.Parse(File.ReadAllBytes(folder["out/report.json"]));
        Assert.AreEqual("pass", report.RootElement.GetProperty("verdict").GetString());
        var (before, after) = (Bytes("original"), Bytes("compressed"));
        Assert.IsLessThan(0.35, (double)after / before);
        Assert.AreEqual(after, new FileInfo(folder[$"out/{sample}.onnx"]).Length);
        Assert.AreEqual(sample == "shapes", File.ReadAllText(folder["out/report.html"]).Contains("data:image/png;base64,", StringComparison.Ordinal), "pictures, where there are some and they are asked for");

        long Bytes(string model) => report.RootElement.GetProperty(model).GetProperty("bytes").GetInt64();
    }

    [TestMethod]
    public void APlanTellsTheSizeAndTheReasonsAndWritesNothing()
    {
        using var folder = new ScratchFolder();
        var calibration = Path.Combine(Samples, "tones", "calib.npz");
        File.Copy(Path.Combine(Samples, "tones", "tones.onnx"), folder["tones.onnx"]);
        var plan = WorkerProcess.Run("plan", folder["tones.onnx"], "--calibration-data", calibration, "--recipe", "int8", "--json");
        Assert.AreEqual(0, plan.ExitCode, plan.Output);
        Assert.HasCount(1, Directory.GetFileSystemEntries(folder.Path));
        using var planned = JsonDocument.Parse(plan.Output);
        var report = planned.RootElement.GetProperty("report");
        Assert.AreEqual("unmeasured", report.GetProperty("verdict").GetString());
        var built = WorkerProcess.Compress(folder["tones.onnx"], "--calibration-data", calibration, "--recipe", "int8", "--output", folder["out"]);
        Assert.AreEqual(0, built.ExitCode, built.Output);
        using var written = JsonDocument.Parse(File.ReadAllBytes(folder["out/report.json"]));
        foreach (var part in new[] { "compressed", "weights", "skipped" })
            Assert.IsTrue(JsonElement.DeepEquals(written.RootElement.GetProperty(part), report.GetProperty(part)), part);
        var text = WorkerProcess.Run("plan", folder["tones.onnx"], "--calibration-data", calibration, "--recipe", "int8").Output;
        StringAssert.Contains(text, "the recipe 'int8' asks for");
        StringAssert.Contains(text, "weights compressed");
    }

    [TestMethod]
    [DataRow("shapes"), DataRow("tones")]
    public void SameInputsSameBytesWhateverTheThreads(string sample)
    {
        using var folder = new ScratchFolder();
        var hashes = new List<string>();
        foreach (var (name, threads) in new[] { ("a", "1"), ("b", "2"), ("c", "2") })
        {
            var run = WorkerProcess.Compress([.. Arguments(sample), "--threads", threads, "--output", folder[name]]);
            Assert.AreEqual(0, run.ExitCode, run.Output);
            using var measured = JsonDocument.Parse(File.ReadAllBytes(folder[$"{name}/measurements.json"]));
            hashes.Add($"{Hash(folder[$"{name}/{sample}.onnx"])} {Hash(folder[$"{name}/report.json"])} {measured.RootElement.GetProperty("changes").GetRawText()}");
            Assert.DoesNotContain("data:image", File.ReadAllText(folder[$"{name}/report.html"]), "nobody asked for pictures");
        }
        Assert.HasCount(1, hashes.Distinct(), string.Join('\n', hashes));

        static string Hash(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));
    }
}
