using System.Reflection;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

/// <summary>
/// The package as it ships, packed once per run with a version that no cache can know, in a feed of its own. Projects restore it into a package
/// folder of their own; everything else they need lies in the user's package folder, so no restore asks the network.
/// </summary>
[TestClass]
public static class PackedPackage
{
    private static readonly ScratchFolder s_scratch = new();

    public static string Version { get; } = $"0.0.1-test.{DateTime.UtcNow.Ticks}";

    public static string Feed => s_scratch["feed"];

    /// <summary>The package itself.</summary>
    public static string File => Path.Combine(Feed, $"CompressOnBuild.{Version}.nupkg");

    /// <summary>The NuGet package folder of the sample projects.</summary>
    public static string Packages => s_scratch["packages"];

    /// <summary>Where the sample projects lie.</summary>
    public static string Projects => s_scratch["projects"];

    /// <summary>The restored package.</summary>
    public static string Folder => Path.Combine(Packages, "compressonbuild", Version);

    public static string FakeWorker { get; } = Path.Combine(DotNet.RepositoryRoot, "testassets", "fakeworker", "bin",
        typeof(PackedPackage).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration, "net10.0", "FakeWorker.dll");

    private static string UserPackages => Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder ? folder
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    [AssemblyInitialize]
    public static void Pack(TestContext _)
    {
        Directory.CreateDirectory(Projects);
        foreach (var source in (string[])["src/CompressOnBuild", "src/CompressOnBuild.Evaluation"])
        {
            var packed = DotNet.Run(DotNet.Host, ["pack", source, "-c", "Release", $"-p:Version={Version}", "-o", Feed, "-v", "q", "-nologo"],
                DotNet.RepositoryRoot, new Dictionary<string, string?> { ["MSBUILDDISABLENODEREUSE"] = "1" });
            Assert.AreEqual(0, packed.ExitCode, packed.Output);
        }
        s_scratch.Write("projects/nuget.config", $"""
            <configuration>
              <packageSources><clear /><add key="local" value="{Feed}" /></packageSources>
              <fallbackPackageFolders><clear /><add key="user" value="{UserPackages}" /></fallbackPackageFolders>
            </configuration>
            """);
        // The repository's own settings must not leak in, and nobody else's either.
        s_scratch.Write("projects/Directory.Build.props", "<Project />");
        s_scratch.Write("projects/Directory.Build.targets", "<Project />");
        s_scratch.Write("projects/Directory.Packages.props", "<Project />");
        s_scratch.Write("projects/global.json", "{}");
    }

    [AssemblyCleanup]
    public static void Remove() => s_scratch.Dispose();
}
