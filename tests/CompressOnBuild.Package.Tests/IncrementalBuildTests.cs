namespace CompressOnBuild.Package.Tests;

[TestClass]
public class IncrementalBuildTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    public void DoesNothingWhenNothingChanged()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" EvaluationData="data" />""");
        project.WriteModel("m.onnx");
        for (int i = 0; i < 1000; i++) project.Write($"data/{i % 10}/{i}.png", "picture " + i);
        project.Build().Succeeded(workerRuns: 1);
        var written = File.GetLastWriteTimeUtc(project["bin/Debug/net10.0/app.dll"]);
        double best = double.MaxValue, bestShare = double.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            var again = project.Build("--no-restore").Succeeded(workerRuns: 0);
            CollectionAssert.DoesNotContain(again.PackageTargets().ToList(), "CompressModel");
            double cost = again.PackageTargetMilliseconds();
            best = Math.Min(best, cost);
            bestShare = Math.Min(bestShare, cost / again.TargetMilliseconds("ResolveAssemblyReferences"));
        }
        TestContext.WriteLine($"The package's targets took {best:0.0} ms ({bestShare:0.00} times ResolveAssemblyReferences) with 1000 data files.");
        Assert.AreEqual(written, File.GetLastWriteTimeUtc(project["bin/Debug/net10.0/app.dll"]));
        // The promise of 20 ms, and 10 ms for 1000 data files, is what the benchmark "build" measures on a quiet machine. Under other work every
        // target takes a multiple: so here the cost is compared with the SDK's own ResolveAssemblyReferences in the same build. Reading the data,
        // or starting a process, takes far more.
        Assert.IsLessThan(4, bestShare, $"{best:0.0} ms");
    }

    [TestMethod]
    public void CostsNothingWithoutItems()
    {
        using var project = new SampleProject("");
        Assert.IsEmpty(project.Build().Succeeded(workerRuns: 0).PackageTargets().Where(t => t != "_CobClean").ToList());
    }

    [TestMethod]
    public void TimesWithoutContentChangeNothing()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" EvaluationData="data" />""");
        var model = project.WriteModel("m.onnx");
        project.Write("data/a.png", "a");
        project.Build().Succeeded(workerRuns: 1);
        File.SetLastWriteTimeUtc(model, DateTime.UtcNow.AddMinutes(1));
        File.SetLastWriteTimeUtc(project["data/a.png"], new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        project.Build("--no-restore").Succeeded(workerRuns: 0);
        Assert.Contains(File.GetLastWriteTimeUtc(model).Ticks.ToString(), File.ReadAllText(project["obj/compressed/m/inputs.txt"]), "the new time is remembered");
        project.WriteModel("m.onnx", 5001);
        project.Build("--no-restore").Succeeded(workerRuns: 1);
    }

    [TestMethod]
    public void EveryInputCounts()
    {
        using var project = new SampleProject("""
            <CompressModel Include="m.onnx" EvaluationData="data" CalibrationData="calib.npz" Preprocessing="pre.json" Recipe="recipe.json" Seed="1" />
            """);
        project.WriteModel("m.onnx");
        project.Write("data/a/1.png", "a");
        project.Write("data/notes.txt", "nobody reads this");
        project.Write("calib.npz", "c");
        project.Write("pre.json", "p");
        project.Write("recipe.json", "r");
        project.Build().Succeeded(workerRuns: 1);

        void RunsAgainAfter(string what, Action change)
        {
            TestContext.WriteLine(what);
            change();
            project.Build("--no-restore").Succeeded(workerRuns: 1);
        }
        RunsAgainAfter("changed data", () => project.Write("data/a/1.png", "b"));
        RunsAgainAfter("added data", () => project.Write("data/b/2.png", "b"));
        RunsAgainAfter("removed data", () => File.Delete(project["data/b/2.png"]));
        RunsAgainAfter("calibration data", () => project.Write("calib.npz", "d"));
        RunsAgainAfter("preprocessing", () => project.Write("pre.json", "q"));
        RunsAgainAfter("recipe", () => project.Write("recipe.json", "s"));
        RunsAgainAfter("metadata", () => project.Edit("Seed=\"1\"", "Seed=\"2\""));
        RunsAgainAfter("strict", () => project.Edit("<UseAppHost>", "<CompressOnBuildStrict>true</CompressOnBuildStrict><UseAppHost>"));
        RunsAgainAfter("deleted model", () => File.Delete(project["obj/compressed/m/m.onnx"]));
        RunsAgainAfter("tampered model", () => File.WriteAllText(project["obj/compressed/m/m.onnx"], "other"));
        RunsAgainAfter("deleted report", () => File.Delete(project["obj/compressed/m/report.html"]));

        project.Write("data/notes.txt", "still nobody");
        project.Edit("Seed=\"2\"", "Seed=\"2\" Deployment=\"content\"");
        project.Edit("<UseAppHost>", "<CompressOnBuildThreads>1</CompressOnBuildThreads><UseAppHost>");
        project.Build("--no-restore").Succeeded(workerRuns: 0);
    }

    [TestMethod]
    public void CompressesOnlyTheModelThatChanged()
    {
        using var project = new SampleProject("""<CompressModel Include="a.onnx;b.onnx" />""");
        project.WriteModel("a.onnx");
        project.WriteModel("b.onnx");
        project.Build("-t:CompressModels", "-p:CompressOnBuildThreads=2").Succeeded(workerRuns: 2);
        CollectionAssert.AreEquivalent((string[])["a\t2", "b\t2"], project.Runs.Select(r => r[..r.LastIndexOf('\t')]).ToList());
        project.WriteModel("b.onnx", 6000);
        project.Build().Succeeded(workerRuns: 1);
        Assert.StartsWith("b\t", project.Runs[^1]);
    }

    [TestMethod]
    public void CleanRemovesTheResults()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""");
        project.WriteModel("m.onnx");
        project.Build().Succeeded(workerRuns: 1);
        project.Run("clean").Succeeded(workerRuns: 0);
        Assert.IsFalse(Directory.Exists(project["obj/compressed"]));
        project.Build().Succeeded(workerRuns: 1);
    }
}
