using System.Text.Json;
using System.Xml.Linq;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

/// <summary>What a build leaves for those who look at it from outside: code scanning, test reports, bills of materials, the page of the build.</summary>
[TestClass]
public class BuildLogTests
{
    private static readonly string[] s_asked = ["-p:CompressOnBuildErrorLog=logs/cob.sarif", "-p:CompressOnBuildTestLog=logs/cob.xml", "-p:CompressOnBuildBom=logs/bom.json"];
    private static readonly string[] s_files = ["logs/cob.sarif", "logs/cob.xml", "logs/bom.json"];

    [TestMethod]
    public void LogsComeWithAndWithoutCompressingAndCostNothingUnlessAskedFor()
    {
        using var project = Project("""<CompressModel Include="m.onnx" EvaluationData="val.npz" Recipe="int8-weights" MaxAccuracyDrop="1" />""");
        project.Environment["GITHUB_STEP_SUMMARY"] = project.Write("step.md", "");
        project.Environment["TF_BUILD"] = "True";
        var build = project.Build(s_asked).Succeeded(workerRuns: 0);
        var first = s_files.Select(f => File.ReadAllText(project[f])).ToArray();
        foreach (var text in first) Assert.DoesNotContain(project.Root, text, "no folder of this machine");
        Assert.AreEqual("2 0 0 0", Counts(project));
        StringAssert.Contains(File.ReadAllText(project["step.md"]), "| `m.onnx` | ");
        var upload = build.Lines("##vso[").Single();
        Assert.AreEqual(File.ReadAllText(project["step.md"]), File.ReadAllText(upload["##vso[task.uploadsummary]".Length..]));

        Directory.Delete(project["logs"], recursive: true);
        Assert.DoesNotContain("CompressModel", project.Build(["--no-restore", .. s_asked]).Succeeded(workerRuns: 0).PackageTargets());
        CollectionAssert.AreEqual(first, s_files.Select(f => File.ReadAllText(project[f])).ToArray());
        Assert.HasCount(2, File.ReadAllText(project["step.md"]).Split("### CompressOnBuild: app"), "appended once");

        project.Environment["GITHUB_STEP_SUMMARY"] = project.Environment["TF_BUILD"] = null;
        Assert.DoesNotContain("_CobLogs", project.Build("--no-restore").Succeeded(workerRuns: 0).PackageTargets());
    }

    [TestMethod]
    public void AFailedBuildLogsTheErrorsOfItemsAndOfModels()
    {
        using var project = Project("""
            <CompressModel Include="m.onnx" EvaluationData="val.npz" Recipe="int8-weights" MaxAccuracyDrop="1" Require="cosine&gt;=1.5" Recepi="int8" />
            <CompressModel Include="none.onnx" />
            """);
        var build = project.Build(s_asked);
        Assert.AreNotEqual(0, build.ExitCode);
        using var sarif = JsonDocument.Parse(File.ReadAllBytes(project[s_files[0]]));
        var results = sarif.RootElement.GetProperty("runs")[0].GetProperty("results").EnumerateArray()
            .Select(r => $"{r.GetProperty("level").GetString()} {r.GetProperty("ruleId").GetString()} {r.GetProperty("locations")[0].GetProperty("physicalLocation").GetProperty("artifactLocation").GetProperty("uri").GetString()}").Order(StringComparer.Ordinal);
        Assert.AreEqual("error COB1001 app.csproj, error COB4002 m.onnx, warning COB0008 app.csproj", string.Join(", ", results), build.Output);
        Assert.AreEqual("4 1 1 0", Counts(project));
        Assert.IsFalse(File.Exists(project["logs/bom.json"]), "nothing was made that could be listed");
        Assert.IsEmpty(build.Lines("MSB4181"));
    }

    private static string Counts(SampleProject project)
    {
        var suite = XElement.Load(project["logs/cob.xml"]).Element("testsuite")!;
        return string.Join(' ', new[] { "tests", "failures", "errors", "skipped" }.Select(name => (string)suite.Attribute(name)!));
    }

    private static SampleProject Project(string items)
    {
        var project = new SampleProject(items, realWorker: true);
        OnnxWriter.Write(new ModelBuilder().Input("x", -1, 64).Weight("w", 1, 0.1f, 64, 64).Node("MatMul", ["x", "w"], ["y"]).Output("y", -1, 64).Build(), project["m.onnx"]);
        new NpzBuilder().Floats("x", [.. Enumerable.Range(0, 60 * 64).Select(i => i * 7919 % 2001 / 1000f - 1)], 60, 64).Save(project["val.npz"]);
        return project;
    }
}
