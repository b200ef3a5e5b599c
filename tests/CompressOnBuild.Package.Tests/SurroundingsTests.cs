using System.Diagnostics;
using System.Globalization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

[TestClass]
public class SurroundingsTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    public void SpacesAccentsAndMSBuildsOwnCharactersInPaths()
    {
        using var project = new SampleProject("""
            <CompressModel Include="mo dels/grö%40ße %25 #1 (x)'.onnx" EvaluationData="d ätä/ @x" AccessorName="Odd" />
            """, program: "System.Console.WriteLine(App.CompressedModels.Odd.ToArray().Length + App.CompressedModels.Odd.ResourceName);", folder: "sp ace ünï (x) @ & #");
        project.WriteModel("mo dels/grö@ße % #1 (x)'.onnx", 4321);
        project.Write("d ätä/ @x/1.png", "x");
        project.Build().Succeeded(workerRuns: 1);
        Assert.AreEqual("4321models/grö@ße % #1 (x)'.onnx", project.RunProgram());
        project.Build("--no-restore").Succeeded(workerRuns: 0);
        project.Write("d ätä/ @x/1.png", "y");
        project.Build("--no-restore").Succeeded(workerRuns: 1);
    }

    [TestMethod]
    public void ThePackageFolderMayBeReadOnly()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("Windows has no read-only folders in this sense.");
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""");
        project.WriteModel("m.onnx");
        // The other user may not see the packages of this one.
        project.Write("nuget.config", "<configuration><fallbackPackageFolders><clear /></fallbackPackageFolders></configuration>");
        project.Run("restore").Succeeded(workerRuns: 0);
        string[] build = [DotNet.Host, "build", "--no-restore", "-nologo"];
        string[] user = [];
        // Root writes wherever it likes, so there another user builds.
        if (Environment.IsPrivilegedProcess)
        {
            user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
            Sh($"chmod o+rx '{Path.GetDirectoryName(PackedPackage.Projects)}' && chmod -R o+rX '{PackedPackage.Packages}' && chown -R 65534:65534 '{project.Root}'");
            project.Environment["HOME"] = project.Root;
            project.Environment["DOTNET_CLI_HOME"] = project.Root;
            project.Environment["CompressOnBuildToolPath"] = CopyFakeWorker(project.Root);
        }
        Sh($"chmod -R a-w '{PackedPackage.Folder}'");
        try
        {
            string[] command = [.. user, .. build];
            var result = DotNet.Run(command[0], command[1..], project.Folder, project.Environment);
            Assert.AreEqual(0, result.ExitCode, result.Output);
            Assert.HasCount(1, project.Runs);
        }
        finally
        {
            Sh($"chmod -R u+w '{PackedPackage.Folder}'");
        }
    }

    [TestMethod]
    public void CancellingTheBuildEndsTheWorker()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("Windows has no signal that ends a build as Ctrl+C does.");
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""");
        project.WriteModel("m.onnx");
        project.Write("m.onnx.fake", "hang");
        project.Run("restore").Succeeded(workerRuns: 0);
        using var build = DotNet.Start(DotNet.Host, ["build", "--no-restore", "-nologo"], project.Folder, project.Environment, line => TestContext.WriteLine(line));
        Assert.IsTrue(SpinWait.SpinUntil(() => project.Runs.Length == 1, TimeSpan.FromMinutes(2)), "the worker starts");
        int worker = int.Parse(project.Runs[0].Split('\t')[2], CultureInfo.InvariantCulture);
        Sh($"kill -INT {build.Id}");
        Assert.IsTrue(build.WaitForExit(TimeSpan.FromMinutes(1)), "the build ends");
        Assert.AreNotEqual(0, build.ExitCode);
        Assert.IsTrue(SpinWait.SpinUntil(() => !IsAlive(worker), TimeSpan.FromSeconds(30)), "the worker ends");
        File.Delete(project["m.onnx.fake"]);
        project.Build("--no-restore").Succeeded(workerRuns: 1);
    }

    [TestMethod]
    public async Task TwoBuildsAtOnceCompressOnce()
    {
        using var project = new SampleProject("""<CompressModel Include="m.onnx" />""");
        project.WriteModel("m.onnx");
        project.Run("restore").Succeeded(workerRuns: 0);
        ProcessResult Build() => DotNet.Run(DotNet.Host, ["msbuild", "-t:CompressModels", "-nologo"], project.Folder, project.Environment);
        var results = await Task.WhenAll(Task.Run(Build), Task.Run(Build));
        foreach (var result in results) Assert.AreEqual(0, result.ExitCode, result.Output);
        Assert.HasCount(1, project.Runs);
    }

    private static string CopyFakeWorker(string folder)
    {
        var target = Directory.CreateDirectory(Path.Combine(folder, "fakeworker")).FullName;
        foreach (var file in Directory.GetFiles(Path.GetDirectoryName(PackedPackage.FakeWorker)!)) File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        Sh($"chmod -R a+rX '{target}'");
        return Path.Combine(target, Path.GetFileName(PackedPackage.FakeWorker));
    }

    private static void Sh(string command)
    {
        var result = DotNet.Run("/bin/sh", ["-c", command], Path.GetTempPath());
        Assert.AreEqual(0, result.ExitCode, result.Output);
    }

    private static bool IsAlive(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
