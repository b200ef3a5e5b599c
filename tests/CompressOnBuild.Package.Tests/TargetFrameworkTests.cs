namespace CompressOnBuild.Package.Tests;

[TestClass]
public class TargetFrameworkTests
{
    private const string Both = "net10.0;netstandard2.0";

    [TestMethod]
    public void AllFrameworksAndConfigurationsShareOneRun()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""", Both);
        project.WriteModel("m.onnx");
        project.Build("-m:2").Succeeded(workerRuns: 1);
        project.Build("-c", "Release").Succeeded(workerRuns: 0);
        project.Build("-f", "net10.0", "-r", "linux-x64", "-p:SelfContained=false").Succeeded(workerRuns: 0);
        Assert.HasCount(1, Directory.GetDirectories(project["obj/compressed"]));
        foreach (var framework in Both.Split(';')) Resources.AssertEqual(project["m.onnx"], project[$"bin/Debug/{framework}/app.dll"], "models/m.onnx");

        project.WriteModel("m.onnx", 6000);
        project.Build("-graph", "-isolate", "-m:2").Succeeded(workerRuns: 1);
        project.WriteModel("m.onnx", 6001);
        project.Build("-t:CompressModels").Succeeded(workerRuns: 1);

        project.Run("clean").Succeeded(workerRuns: 0);
        Assert.IsFalse(Directory.Exists(project["obj/compressed"]));
    }

    [TestMethod]
    public void DifferentRequestsForOneNameAreBothRight()
    {
        using var project = new SampleProject("""
            <CompressModel Include="m.onnx" Recipe="one.json" Condition="'$(TargetFramework)' == 'net10.0'" />
            <CompressModel Include="m.onnx" Recipe="two.json" Condition="'$(TargetFramework)' != 'net10.0'" />
            """, Both);
        project.WriteModel("m.onnx");
        project.Write("one.json", "1");
        project.Write("two.json", "2");
        void AssertRecipes(string first, string second)
        {
            Assert.Contains(first, Resources.Text(project["bin/Debug/net10.0/app.dll"], "models/m.onnx.report.json"));
            Assert.Contains(second, Resources.Text(project["bin/Debug/netstandard2.0/app.dll"], "models/m.onnx.report.json"));
        }
        project.Build("-m:2").Succeeded(workerRuns: 2);
        AssertRecipes("one.json", "two.json");
        CollectionAssert.AreEquivalent((string[])["m", "m.netstandard2.0"], Directory.GetDirectories(project["obj/compressed"]).Select(d => Path.GetFileName(d)).ToList());
        project.Build("--no-restore", "-m:2").Succeeded(workerRuns: 0);
        AssertRecipes("one.json", "two.json");

        // The first one changes; the second keeps its result and its folder.
        project.Write("three.json", "3");
        project.Edit("one.json", "three.json");
        project.Build("--no-restore", "-m:2").Succeeded(workerRuns: 1);
        AssertRecipes("three.json", "two.json");

        // Both agree again.
        project.Edit("three.json", "two.json");
        project.Build("--no-restore", "-m:2").Succeeded(workerRuns: 0);
        AssertRecipes("two.json", "two.json");

        // From there one of them leaves: it must not overwrite what the other still uses.
        project.Edit("""Recipe="two.json" Condition="'$(TargetFramework)' == 'net10.0'""", """Recipe="one.json" Condition="'$(TargetFramework)' == 'net10.0'""");
        project.Build("--no-restore", "-m:2").Succeeded(workerRuns: 1);
        AssertRecipes("one.json", "two.json");
    }

    [TestMethod]
    public void ItemsConditionedOnAFrameworkStayThere()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" Condition="'$(TargetFramework)' == 'net10.0'" />""", Both);
        project.WriteModel("m.onnx");
        project.Build().Succeeded(workerRuns: 1);
        Assert.Contains("models/m.onnx", Resources.Names(project["bin/Debug/net10.0/app.dll"]));
        Assert.IsEmpty(Resources.Names(project["bin/Debug/netstandard2.0/app.dll"]));
    }
}
