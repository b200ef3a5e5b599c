using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

[TestClass]
public class LockFileTests
{
    private const string Both = "net10.0;netstandard2.0";

    [TestMethod]
    public void ALockIsWrittenFollowedRefusedAndRenewed()
    {
        using var project = Tones("""Recipe="int8" """);
        const string Lock = "tones.onnx.lock.json";
        Assert.IsTrue(Compresses(project));
        Assert.IsFalse(File.Exists(project[Lock]), "nobody asked for one");
        Assert.IsTrue(Compresses(project, "-p:CompressOnBuildLock=true"));
        var (written, time) = (File.ReadAllText(project[Lock]), File.GetLastWriteTimeUtc(project[Lock]));
        Assert.DoesNotContain(project.Root, written);
        Assert.IsFalse(Compresses(project, "-p:CompressOnBuildLock=true"), "the lock that was written is no news");
        Assert.IsTrue(Compresses(project), "other options, followed");
        Assert.IsFalse(Compresses(project));

        // Another machine: a clone without obj, in locked mode, on a file system of other line ends.
        var compressed = File.ReadAllBytes(project["obj/compressed/tones/tones.onnx"]);
        Directory.Delete(project["obj"], recursive: true);
        File.WriteAllText(project[Lock], written.ReplaceLineEndings("\r\n"));
        const string LockedMode = "-p:CompressOnBuildLockedMode=true";
        project.Build(LockedMode).Succeeded(workerRuns: 0);
        CollectionAssert.AreEqual(compressed, File.ReadAllBytes(project["obj/compressed/tones/tones.onnx"]));
        Assert.IsFalse(Compresses(project, LockedMode));
        File.WriteAllText(project[Lock], written);
        Assert.IsFalse(Compresses(project, LockedMode), "line ends are no change");

        // Other samples: refused with what changed and what to do, until somebody renews.
        File.Delete(project["calib.npz"]);
        project.Edit("CalibrationData=\"calib.npz\"", "");
        var refused = project.Build("--no-restore", LockedMode).Failed("COB3001");
        Assert.HasCount(1, refused.Lines("the calibration samples ("));
        Assert.HasCount(1, refused.Lines("dotnet build -p:CompressOnBuildForceEvaluate=true"));
        Assert.HasCount(1, refused.Lines($"{Lock} : error COB3001"));
        Assert.AreEqual(written, File.ReadAllText(project[Lock]));
        Assert.IsTrue(Compresses(project, "-p:CompressOnBuildForceEvaluate=true"));
        var renewed = File.ReadAllText(project[Lock]);
        Assert.AreNotEqual(written, renewed);
        Assert.IsFalse(Compresses(project), "the renewed lock is no news");
        Assert.IsTrue(Compresses(project, LockedMode));

        // A merge that stopped.
        File.WriteAllText(project[Lock], "<<<<<<< HEAD\n" + renewed);
        Assert.HasCount(1, project.Build("--no-restore").Failed("COB3004").Lines($"{Lock}(1,1): error COB3004"));
    }

    [TestMethod]
    public void TwoFrameworksThatAskDifferentThingsShareTheFileAndStayUpToDate()
    {
        using var project = Tones("""Recipe="fp16" Condition="'$(TargetFramework)' == 'net10.0'" """, """Recipe="int8-weights" Condition="'$(TargetFramework)' != 'net10.0'" """);
        Assert.IsTrue(Compresses(project, "-m:2", "-p:CompressOnBuildLock=true"));
        var written = File.ReadAllText(project["tones.onnx.lock.json"]);
        Assert.Contains("\"fp16 balanced cpu\": {", written);
        Assert.Contains("\"int8-weights balanced cpu\": {", written);
        Assert.IsFalse(Compresses(project, "-m:2", "-p:CompressOnBuildLock=true"), "the entry of the other is no news");
        Assert.AreEqual(written, File.ReadAllText(project["tones.onnx.lock.json"]));
    }

    [TestMethod]
    public void ForceEvaluateRunsOnceForAllFrameworksThoughNothingIsStale()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""", Both);
        project.WriteModel("m.onnx");
        project.Build("-m:2").Succeeded(workerRuns: 1);
        project.Build("--no-restore", "-m:2", "-p:CompressOnBuildForceEvaluate=true").Succeeded(workerRuns: 1);
        project.Build("--no-restore", "-m:2").Succeeded(workerRuns: 0);
    }

    private static bool Compresses(SampleProject project, params string[] arguments) => project.Build(arguments).Succeeded(workerRuns: 0).PackageTargets().Contains("CompressModel");

    private static SampleProject Tones(params string[] requests)
    {
        var tones = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "tones");
        var project = new SampleProject(string.Concat(requests.Select(r => $"""<CompressModel Include="tones.onnx" EvaluationData="val.npz" CalibrationData="calib.npz" MaxAccuracyDrop="0.05" {r} />""")),
            requests.Length > 1 ? Both : "net10.0", realWorker: true);
        foreach (var name in (string[])["tones.onnx", "val.npz", "calib.npz"]) File.Copy(Path.Combine(tones, name), project[name]);
        return project;
    }
}
