using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

[TestClass]
public class RealWorkerTests
{
    [TestMethod]
    public void ABuildWithTheShippedWorkerCompressesMeasuresAndEmbeds()
    {
        var tones = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "tones");
        using var project = new SampleProject("""<CompressModel Include="tones.onnx" EvaluationData="val.npz" CalibrationData="calib.npz" MaxAccuracyDrop="0.02" />""",
            program: "System.Console.WriteLine(App.CompressedModels.Tones.Inputs.Frames + ' ' + App.CompressedModels.Tones.Outputs.Logits);", realWorker: true);
        foreach (var name in (string[])["tones.onnx", "val.npz", "calib.npz"]) File.Copy(Path.Combine(tones, name), project[name]);
        var build = project.Build().Succeeded(workerRuns: 0);
        Assert.IsNotEmpty(build.Lines("CompressOnBuild: tones.onnx"));
        var compressed = new FileInfo(project["obj/compressed/tones/tones.onnx"]);
        Assert.IsLessThan(new FileInfo(project["tones.onnx"]).Length / 2, compressed.Length);
        Resources.AssertEqual(compressed.FullName, project["bin/Debug/net10.0/app.dll"], "models/tones.onnx");
        Assert.Contains("\"verdict\": \"pass\"", Resources.Text(project["bin/Debug/net10.0/app.dll"], "models/tones.onnx.report.json"));
        Assert.AreEqual("frames logits", project.RunProgram());

        var written = compressed.LastWriteTimeUtc;
        CollectionAssert.DoesNotContain(project.Build("--no-restore").Succeeded(workerRuns: 0).PackageTargets().ToList(), "CompressModel");
        compressed.Refresh();
        Assert.AreEqual(written, compressed.LastWriteTimeUtc);

        // A truncated model: one coded error, and the last good output stays.
        File.WriteAllBytes(project["tones.onnx"], File.ReadAllBytes(project["tones.onnx"])[..20000]);
        var failed = project.Build("--no-restore");
        Assert.AreNotEqual(0, failed.ExitCode);
        Assert.IsNotEmpty(failed.Lines("error COB10"));
        compressed.Refresh();
        Assert.AreEqual(written, compressed.LastWriteTimeUtc);
    }

    [TestMethod]
    public void WeightsInAFileOfTheirOwnAndDescriptionsThatAppearLaterCount()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" EvaluationData="data/val.npz" Recipe="int8-weights" MaxAccuracyDrop="1" />""", realWorker: true);
        OnnxWriter.Write(new ModelBuilder().Input("x", 1, 64).Weight("w", 1, 0.1f, 64, 64).Node("MatMul", ["x", "w"], ["y"]).Output("y", 1, 64).Build(), project["m.onnx"], externalData: true);
        var weights = File.ReadAllBytes(project["m.onnx.data"]);
        Directory.CreateDirectory(project["data"]);
        new NpzBuilder().Floats("x", [.. Enumerable.Range(0, 40 * 64).Select(i => i * 7919 % 2001 / 1000f - 1)], 40, 64).Save(project["data/val.npz"]);

        bool Runs() => project.Build().Succeeded(workerRuns: 0).PackageTargets().Contains("CompressModel");
        Assert.IsTrue(Runs());
        Assert.IsFalse(Runs());
        weights.AsSpan(0, 400).Clear();
        File.WriteAllBytes(project["m.onnx.data"], weights);
        Assert.IsTrue(Runs(), "weights of the same size");
        project.Write("data/evaluation.json", "{}");
        Assert.IsTrue(Runs(), "a description of the data");
        Assert.IsFalse(Runs());
    }
}
