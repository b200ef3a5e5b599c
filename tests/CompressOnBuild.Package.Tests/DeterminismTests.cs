using System.Security.Cryptography;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

[TestClass]
public class DeterminismTests
{
    [TestMethod]
    public void TheSameSourcesGiveTheSameBytesInAnyFolderWithAnyNumberOfThreads()
    {
        var one = Sums("here", threads: 1);
        var two = Sums("somewhere else", threads: 2);
        Assert.AreEqual(one, two);
    }

    private static string Sums(string folder, int threads)
    {
        var tones = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "tones");
        using var project = new SampleProject("""<CompressModel Include="tones.onnx" EvaluationData="val.npz" CalibrationData="calib.npz" MaxAccuracyDrop="0.02" />""",
            properties: "<Deterministic>true</Deterministic><PathMap>$(MSBuildProjectDirectory)=/src</PathMap>",
            program: "System.Console.WriteLine(App.CompressedModels.Tones.ToArray().Length);", folder: folder, realWorker: true);
        foreach (var name in (string[])["tones.onnx", "val.npz", "calib.npz"]) File.Copy(Path.Combine(tones, name), project[name]);
        project.Build("-c", "Release", $"-p:CompressOnBuildThreads={threads}").Succeeded(workerRuns: 0);
        return string.Join('\n', ((string[])["obj/compressed/tones/tones.onnx", "obj/compressed/tones/report.json", "bin/Release/net10.0/app.dll"])
            .Select(f => $"{f} {Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(project[f])))}"));
    }
}
