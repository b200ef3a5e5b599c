namespace CompressOnBuild.Package.Tests;

[TestClass]
public class ShippingTests
{
    private const string Program = """
        using System;
        using App;
        Console.WriteLine(CompressedModels.OcrRec.ToArray().Length);
        Console.WriteLine(CompressedModels.Copied.ToArray().Length);
        using var stream = CompressedModels.OcrRec.OpenRead();
        Console.WriteLine(stream.Length);
        """;

    [TestMethod]
    public void EachDeploymentArrivesWhereItBelongs()
    {
        using var project = new SampleProject("""
            <CompressModel Include="models/ocr-rec.onnx" />
            <CompressModel Include="models/copied.onnx" Deployment="content" />
            <CompressModel Include="models/unused.de.onnx" Deployment="none" />
            """, program: Program + "Console.WriteLine(CompressedModels.OcrRec.Inputs.PixelValues + CompressedModels.OcrRec.Inputs.Class + CompressedModels.Copied.Outputs.Logits);");
        project.WriteModel("models/ocr-rec.onnx", 1111);
        project.WriteModel("models/copied.onnx", 2222);
        project.WriteModel("models/unused.de.onnx", 3333);
        project.Build().Succeeded(workerRuns: 3);
        Assert.AreEqual("1111\n2222\n1111\npixel valuesclasslogits", project.RunProgram());
        CollectionAssert.AreEquivalent((string[])["models/ocr-rec.onnx", "models/ocr-rec.onnx.report.json"], Resources.Names(project["bin/Debug/net10.0/app.dll"]).ToList());
        CollectionAssert.AreEquivalent((string[])["copied.onnx"], Directory.GetFiles(project["bin/Debug/net10.0/models"]).Select(f => Path.GetFileName(f)).ToList());
        Assert.HasCount(6, Directory.GetFiles(project["bin/Debug/net10.0/compression"]));

        project.Run("publish", "--no-build", "-c", "Debug", "-o", project["out"]).Succeeded(workerRuns: 0);
        Assert.AreEqual("1111\n2222\n1111\npixel valuesclasslogits", project.RunProgram("out/app.dll"));
        Assert.IsFalse(Directory.Exists(project["out/compression"]));
        project.Run("publish", "-c", "Debug", "-o", project["out2"], "-p:CompressOnBuildPublishReports=true").Succeeded(workerRuns: 0);
        Assert.HasCount(6, Directory.GetFiles(project["out2/compression"]));
        project.Run("publish", "-c", "Debug", "-o", project["single"], "-r", System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier,
            "--self-contained", "false", "-p:PublishSingleFile=true", "-p:UseAppHost=true").Succeeded(workerRuns: 0);
        Assert.AreEqual("1111\n2222\n1111\npixel valuesclasslogits", CompressOnBuild.Testing.DotNet.Run(project[OperatingSystem.IsWindows() ? "single/app.exe" : "single/app"], [], project.Folder, project.Environment).Output.Trim());
    }

    [TestMethod]
    public void WithoutBuildAnOldResultIsUsedWithAWarning()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" Deployment="content" />""", program: "return;");
        project.WriteModel("m.onnx");
        project.Build().Succeeded(workerRuns: 1);
        project.WriteModel("m.onnx", 6000);
        var publish = project.Run("publish", "--no-build", "-c", "Debug", "-o", project["out"]).Succeeded(workerRuns: 0);
        Assert.IsNotEmpty(publish.Lines("warning COB0010"));
        Assert.AreEqual(5000, new FileInfo(project["out/models/m.onnx"]).Length);
    }

    [TestMethod]
    public void SwitchedOffTheOriginalsShipUnderTheSameNames()
    {
        using var project = new SampleProject("""
            <CompressModel Include="models/ocr-rec.onnx" MaxAccuracyDrop="0.01" />
            <CompressModel Include="models/copied.onnx" Deployment="content" />
            """, program: Program, properties: "<CompressOnBuild>false</CompressOnBuild>");
        project.WriteModel("models/ocr-rec.onnx", 1111);
        project.WriteModel("models/copied.onnx", 2222);
        project.Build().Succeeded(workerRuns: 0);
        Assert.AreEqual("1111\n2222\n1111", project.RunProgram());
        Assert.IsFalse(Directory.Exists(project["obj/compressed"]));
    }

    [TestMethod]
    public void TooLargeToEmbedIsSaidBeforeTheCompilerFails()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""", properties: "<CompressOnBuild>false</CompressOnBuild>");
        using (var file = File.Create(project["m.onnx"])) file.SetLength((1L << 30) + 1);
        Assert.HasCount(1, project.Build().Failed("COB0007").Lines("Set Deployment=\"content\""));
    }

    [TestMethod]
    public void DesignTimeBuildsKnowTheAccessorAndDoNoWork()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""");
        project.WriteModel("m.onnx");
        project.Run("restore").Succeeded(workerRuns: 0);
        var build = project.Run("msbuild", "-t:Compile", "-p:DesignTimeBuild=true", "-p:BuildingProject=false", "-p:SkipCompilerExecution=true",
            "-p:ProvideCommandLineArgs=true", "-getItem:Compile", "-getItem:EmbeddedResource").Succeeded(workerRuns: 0);
        Assert.Contains("CompressedModels.g.cs", build.Output);
        Assert.Contains("models/m.onnx", build.Output);
        Assert.Contains("class M\n", File.ReadAllText(project["obj/Debug/net10.0/CompressedModels.g.cs"]));
        Assert.IsFalse(Directory.Exists(project["obj/compressed"]));
    }

    [TestMethod]
    public void SessionsAreThereWhereOnnxRuntimeIs()
    {
        using var project = new SampleProject("""
            <PackageReference Include="Microsoft.ML.OnnxRuntime.Managed" Version="1.31.1" />
            <PackageReference Include="System.Numerics.Tensors" Version="10.0.15" />
            <CompressModel Include="m.onnx" />
            """, program: "System.Func<Microsoft.ML.OnnxRuntime.SessionOptions, Microsoft.ML.OnnxRuntime.InferenceSession> open = App.CompressedModels.M.CreateSession; System.Console.Write(open.Method.Name);");
        project.WriteModel("m.onnx");
        project.Build().Succeeded(workerRuns: 1);
        Assert.AreEqual("CreateSession", project.RunProgram());
        Assert.Contains("\n--onnx-runtime-version=1.31.1\n", File.ReadAllText(project["obj/compressed/m/request.rsp"]), "the worker hears what will run its model");
        project.Build("-t:CompressModels", "-p:DesignTimeBuild=true", "--no-restore").Succeeded(workerRuns: 0);
        project.Build("-t:CompressModels", "--no-restore").Succeeded(workerRuns: 0);
    }

    [TestMethod]
    public void NothingFlowsToThoseWhoUseTheLibrary()
    {
        // The decoder of packed models is compiled by the rules of the project: by those of C# 7.3 for netstandard2.0.
        using var project = new SampleProject("""<CompressModel Include="m.onnx" Transport="packed" />""", "net10.0;netstandard2.0",
            "<TreatWarningsAsErrors>true</TreatWarningsAsErrors><CheckForOverflowUnderflow>true</CheckForOverflowUnderflow><AnalysisMode>All</AnalysisMode><EnforceCodeStyleInBuild>true</EnforceCodeStyleInBuild>");
        project.WriteModel("m.onnx");
        project.Run("pack", "-o", project["feed"]).Succeeded(workerRuns: 1);
        using var package = System.IO.Compression.ZipFile.OpenRead(Directory.GetFiles(project["feed"], "*.nupkg").Single());
        using var reader = new StreamReader(package.Entries.Single(e => e.Name == "app.nuspec").Open());
        Assert.DoesNotContain("CompressOnBuild", reader.ReadToEnd());
        CollectionAssert.AreEquivalent((string[])["lib/net10.0/app.dll", "lib/netstandard2.0/app.dll"], package.Entries.Select(e => e.FullName).Where(n => n.StartsWith("lib/", StringComparison.Ordinal)).ToList());
    }
}
