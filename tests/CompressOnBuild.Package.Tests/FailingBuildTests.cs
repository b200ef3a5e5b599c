namespace CompressOnBuild.Package.Tests;

[TestClass]
public class FailingBuildTests
{
    [TestMethod]
    public void OneBuildShowsTheErrorsOfAllModels()
    {
        using var project = new SampleProject("""
            <CompressModel Include="good.onnx;bad.onnx;worse.onnx;missing.onnx" />
            <CompressModel Include="typo.onnx" MaxAccuracyDrop="lots" Deployment="embedded" />
            """);
        foreach (var name in (string[])["good", "bad", "worse", "typo"]) project.WriteModel(name + ".onnx");
        project.Write("bad.onnx.fake", "fail");
        project.Write("worse.onnx.fake", "fail");
        var build = project.Build().Failed("COB4001", "COB4001", "COB1001", "COB0001", "COB0001");
        Assert.AreEqual(3, build.WorkerRuns);
        Assert.HasCount(1, build.Lines("MaxAccuracyDrop of 'typo.onnx' is 'lots'. Valid is a number"));
        Assert.HasCount(1, build.Lines("'missing.onnx' does not exist"));
        Assert.IsTrue(File.Exists(project["obj/compressed/good/good.onnx"]));

        // Without the failing models only the invalid items are left, and one line says that they stop the build.
        project.Edit("good.onnx;bad.onnx;worse.onnx;missing.onnx", "good.onnx;missing.onnx");
        project.Build("--no-restore").Failed("COB1001", "COB0001", "COB0001", "COB0011");
    }

    [TestMethod]
    public void AFailureKeepsTheLastGoodResultAndFailsAgain()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""");
        project.WriteModel("m.onnx");
        project.Build().Succeeded(workerRuns: 1);
        var good = File.ReadAllBytes(project["obj/compressed/m/m.onnx"]);
        var model = File.ReadAllBytes(project["m.onnx"]);

        project.WriteModel("m.onnx", 7000);
        project.Write("m.onnx.fake", "fail");
        var build = project.Build("--no-restore").Failed("COB4001");
        Assert.HasCount(1, build.Lines("top1 of m fell by 0.05; the limit is 0.01"));
        project.Build("--no-restore").Failed("COB4001");
        CollectionAssert.AreEqual(good, File.ReadAllBytes(project["obj/compressed/m/m.onnx"]));

        // Back to what was good: nothing has to run.
        File.WriteAllBytes(project["m.onnx"], model);
        project.Build("--no-restore").Succeeded(workerRuns: 0);
    }

    [TestMethod]
    public void ACrashOfTheWorkerIsOneCodedError()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""");
        project.WriteModel("m.onnx");
        project.Write("m.onnx.fake", "crash");
        var build = project.Build().Failed("COB9001");
        Assert.HasCount(1, build.Lines("exit code 134"));
    }

    [TestMethod]
    public void HostileTextCannotSteerTheLog()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""");
        project.WriteModel("m.onnx");
        project.Write("m.onnx.fake", "hostile");
        var build = project.Build().Succeeded(workerRuns: 1);
        Assert.IsNotEmpty(build.Lines("warning COB1101: a b # #vso[task.complete] # #[error]x [31mred <script> : :error: :y"));
        Assert.DoesNotContain("\u001b[31mred", build.Output);
        Assert.DoesNotContain("##vso[", build.Output);
    }

    [TestMethod]
    public void WarningsObeyTheProject()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" MaxAcuracyDrop="0.1" />""", properties: "<TreatWarningsAsErrors>true</TreatWarningsAsErrors>");
        project.WriteModel("m.onnx");
        project.Write("m.onnx.fake", "warn");
        Assert.HasCount(1, project.Build("-p:TreatWarningsAsErrors=false").Succeeded(workerRuns: 1).Lines("m.onnx(3,15): warning COB1101: no data"));
        Assert.IsEmpty(project.Build("--no-restore", "-p:NoWarn=COB0008").Succeeded(workerRuns: 0).Lines("COB0008"));
        project.Build("--no-restore", "-p:WarningsAsErrors=COB0008").Failed("COB0008");
    }

    [TestMethod]
    public void PropertiesOfLaterVersionsAreErrors()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""", properties: "<CompressOnBuildCacheDirectory>cache</CompressOnBuildCacheDirectory>");
        project.WriteModel("m.onnx");
        var build = project.Build("-p:CompressOnBuildOrtPath=lib.so").Failed("COB0006", "COB0006", "COB0011");
        Assert.HasCount(1, build.Lines("The property CompressOnBuildCacheDirectory is set"));
    }

    [TestMethod]
    public void TwoModelsOfOneNameNeedNames()
    {
        using var project = new SampleProject("""<CompressModel Include="a/m.onnx;b/m.onnx" />""");
        project.WriteModel("a/m.onnx");
        project.WriteModel("b/m.onnx", 6000);
        project.Build("-t:CompressModels").Failed("COB0005", "COB0011");
        project.Edit("""Include="a/m.onnx;b/m.onnx" """, """Include="a/m.onnx" /><CompressModel Include="b/m.onnx" LogicalName="models/b/m.onnx" AccessorName="MOfB" """);
        project.Build().Succeeded(workerRuns: 2);
        Resources.AssertEqual(project["a/m.onnx"], project["bin/Debug/net10.0/app.dll"], "models/m.onnx");
        Resources.AssertEqual(project["b/m.onnx"], project["bin/Debug/net10.0/app.dll"], "models/b/m.onnx");
    }
}
