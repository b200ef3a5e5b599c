using System.Runtime.InteropServices;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

/// <summary>The accessor and its decoder in programs published in the forms that cut away what nobody seems to use: it opens its session and predicts as in a plain build, with overflow checked, which no arithmetic of the decoder may mind.</summary>
[TestClass]
public class PublishedProgramTests
{
    private const string Items = """
        <PackageReference Include="Microsoft.ML.OnnxRuntime" Version="1.31.1" />
        <PackageReference Include="System.Numerics.Tensors" Version="10.0.15" />
        <CompressModel Include="tones.onnx" Recipe="int8-weights" Transport="packed" />
        """;

    private const string Program = """
        using System;
        using System.Linq;
        using App;
        using Microsoft.ML.OnnxRuntime;
        using Microsoft.ML.OnnxRuntime.Tensors;

        using var session = CompressedModels.Tones.CreateSession();
        var frames = new DenseTensor<float>(Enumerable.Range(0, 32 * 16).Select(i => i % 16 == i / 32 ? 1f : 0f).ToArray(), [1, 32, 16]);
        using var outputs = session.Run([NamedOnnxValue.CreateFromTensor(CompressedModels.Tones.Inputs.Frames, frames)]);
        var logits = outputs.Single(o => o.Name == CompressedModels.Tones.Outputs.Logits).AsEnumerable<float>().ToArray();
        using var report = typeof(CompressedModels).Assembly.GetManifestResourceStream(CompressedModels.Tones.ReportResourceName);
        Console.WriteLine($"class {Array.IndexOf(logits, logits.Max())} of {logits.Length}, {CompressedModels.Tones.ToArray().Length} bytes, report {report.Length} bytes");
        """;

    private static string App => OperatingSystem.IsWindows() ? "app.exe" : "app";

    [TestMethod]
    public void TrimmedSingleFile()
    {
        using var project = Project();
        project.Build("-c", "Release").Succeeded(workerRuns: 0);
        var plain = project.RunProgram("bin/Release/net10.0/app.dll");
        Assert.StartsWith("class ", plain);
        Assert.AreEqual(plain, Published(project, "-p:PublishSingleFile=true", "-p:PublishTrimmed=true", "--self-contained"));
        Assert.IsFalse(File.Exists(project["out/app.dll"]), "everything managed is in one file");
    }

    [TestMethod]
    public void NativeCode()
    {
        if (NativeLinker() is not { } linker)
        {
            Assert.Inconclusive("No clang and no gcc here, which link native code.");
            return;
        }
        using var project = Project();
        var native = Published(project, "-p:PublishAot=true", $"-p:CppCompilerAndLinker={linker}");
        Assert.AreEqual(project.RunProgram($"bin/Release/net10.0/{RuntimeInformation.RuntimeIdentifier}/app.dll"), native);
        Assert.IsFalse(File.Exists(project["out/app.dll"]), "there is nothing managed");
    }

    private static SampleProject Project()
    {
        var project = new SampleProject(Items, properties: "<InvariantGlobalization>true</InvariantGlobalization><CheckForOverflowUnderflow>true</CheckForOverflowUnderflow>", program: Program, realWorker: true);
        File.Copy(Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "tones", "tones.onnx"), project["tones.onnx"]);
        return project;
    }

    private static string Published(SampleProject project, params string[] form)
    {
        var publish = project.Run(["publish", "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier, "-o", project["out"], "-p:UseAppHost=true",
            "-p:TrimmerSingleWarn=false", "-p:DisableTransitiveFrameworkReferenceDownloads=true", .. form]).Succeeded(workerRuns: 0);
        Assert.IsEmpty(publish.Lines("CompressedModels.g.cs"), "neither the trimmer nor the native compiler warns about the accessor");
        var result = DotNet.Run(project["out/" + App], [], project.Folder, project.Environment);
        Assert.AreEqual(0, result.ExitCode, result.Output);
        return result.Output.Trim();
    }

    /// <summary>The SDK links with clang, and with gcc where it is told to. On Windows it finds Visual Studio's linker, if there is one.</summary>
    private static string? NativeLinker() => OperatingSystem.IsWindows() ? null
        : ((string[])["clang", "gcc"]).FirstOrDefault(c => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, c))));
}
