using System.IO.Compression;
using System.Text.Json;

namespace CompressOnBuild.Package.Tests;

[TestClass]
public class PackageContentTests
{
    private static readonly string[] s_systems = ["linux-x64", "linux-arm64", "osx-arm64", "win-x64", "win-arm64"];

    [TestMethod]
    public void HoldsTheNativeLibrariesOfTheServedSystemsAndNoOthers()
    {
        using var package = ZipFile.OpenRead(PackedPackage.File);
        var names = package.Entries.Select(e => e.FullName).ToList();
        foreach (var system in s_systems)
        {
            var runtimes = names.Where(n => n.StartsWith($"tools/worker/runtimes/{system}/native/", StringComparison.Ordinal)).Select(Path.GetFileNameWithoutExtension).ToList();
            Assert.Contains(system.StartsWith("win", StringComparison.Ordinal) ? "onnxruntime" : "libonnxruntime", runtimes, system);
            if (system != "osx-arm64") Assert.Contains("libSkiaSharp", runtimes, system);
        }
        Assert.Contains("tools/worker/runtimes/osx/native/libSkiaSharp.dylib", names);
        var folders = names.Where(n => n.StartsWith("tools/worker/runtimes/", StringComparison.Ordinal)).Select(n => n.Split('/')[3]).Distinct().Order(StringComparer.Ordinal);
        CollectionAssert.AreEqual(s_systems.Append("osx").Order(StringComparer.Ordinal).ToList(), folders.ToList());

        // What the host is told to look for is what is there.
        using var deps = JsonDocument.Parse(package.GetEntry("tools/worker/compressonbuild.deps.json")!.Open());
        var targets = deps.RootElement.GetProperty("targets").EnumerateObject().SelectMany(t => t.Value.EnumerateObject())
            .Where(l => l.Value.TryGetProperty("runtimeTargets", out _)).SelectMany(l => l.Value.GetProperty("runtimeTargets").EnumerateObject().Select(f => "tools/worker/" + f.Name));
        foreach (var target in targets) Assert.Contains(target, names);
    }

    [TestMethod]
    public void HoldsTheBuildFilesOfTheRepositoryAndTheLicences()
    {
        using var package = ZipFile.OpenRead(PackedPackage.File);
        string Text(string name)
        {
            using var reader = new StreamReader(package.GetEntry(name)!.Open());
            return reader.ReadToEnd();
        }
        foreach (var name in (string[])["CompressOnBuild.props", "CompressOnBuild.targets"])
        {
            Assert.AreEqual(File.ReadAllText(Path.Combine(Testing.DotNet.RepositoryRoot, "build", name)), Text("build/" + name));
            Assert.Contains($"../build/{name}", Text("buildMultiTargeting/" + name));
        }
        Assert.Contains("developmentDependency>true", Text("CompressOnBuild.nuspec"));
        Assert.DoesNotContain("<dependency ", Text("CompressOnBuild.nuspec"));
        foreach (var name in (string[])["THIRD-PARTY-NOTICES.md", "OnnxRuntime/LICENSE", "OnnxRuntime/ThirdPartyNotices.txt", "SkiaSharp/LICENSE.txt", "SkiaSharp/THIRD-PARTY-NOTICES.txt", "Tokenizers/LICENSE", "Tokenizers/THIRD-PARTY-NOTICES.TXT"])
            Assert.IsNotEmpty(Text("licenses/" + name));
        CollectionAssert.AreEqual((string[])["tools/tasks/CompressOnBuild.Tasks.dll"], package.Entries.Select(e => e.FullName).Where(n => n.StartsWith("tools/tasks/", StringComparison.Ordinal)).ToList());
    }
}
