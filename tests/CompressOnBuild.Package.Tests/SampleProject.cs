using CompressOnBuild.Testing;
using Microsoft.Build.Logging.StructuredLogger;
using LoggedTarget = Microsoft.Build.Logging.StructuredLogger.Target;

namespace CompressOnBuild.Package.Tests;

/// <summary>
/// A project that uses the package, in a folder of its own. Unless a test wants the real one, the worker is the fake of <c>testassets/fakeworker</c>,
/// which counts its runs.
/// </summary>
public sealed class SampleProject : IDisposable
{
    private readonly string _log;
    private int _binlogs;

    /// <param name="items">Items of the project, such as <c>CompressModel</c>.</param>
    /// <param name="frameworks">One, or several separated by semicolons.</param>
    /// <param name="properties">Properties, as XML.</param>
    /// <param name="program">Source of the program; without it the project is a library.</param>
    /// <param name="folder">Name of the project's folder.</param>
    /// <param name="realWorker">Whether the worker of the package runs.</param>
    public SampleProject(string items, string frameworks = "net10.0", string properties = "", string? program = null, string? folder = null, bool realWorker = false)
    {
        Root = Path.Combine(PackedPackage.Projects, Guid.NewGuid().ToString("N")[..8]);
        Folder = Path.Combine(Root, folder ?? "app");
        Directory.CreateDirectory(Folder);
        _log = Path.Combine(Root, "runs.log");
        Environment = new Dictionary<string, string?>
        {
            ["NUGET_PACKAGES"] = PackedPackage.Packages,
            ["FAKEWORKER_LOG"] = _log,
            ["CompressOnBuildToolPath"] = realWorker ? null : PackedPackage.FakeWorker,
            ["MSBUILDDISABLENODEREUSE"] = "1",
            ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0",
            ["MSBUILDTERMINALLOGGER"] = "off",
            // The tests may themselves run on a build server.
            ["GITHUB_STEP_SUMMARY"] = null,
            ["TF_BUILD"] = null,
        };
        var framework = frameworks.Contains(';') ? $"<TargetFrameworks>{frameworks}</TargetFrameworks>" : $"<TargetFramework>{frameworks}</TargetFramework>";
        Write("app.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                {framework}
                <RootNamespace>App</RootNamespace>
                <UseAppHost>false</UseAppHost>
                {(program is null ? "" : "<OutputType>Exe</OutputType>")}
                {properties}
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="CompressOnBuild" Version="{PackedPackage.Version}" PrivateAssets="all" />
                {items}
              </ItemGroup>
            </Project>
            """);
        if (program is not null) Write("Program.cs", program);
    }

    /// <summary>The folder that goes when the test ends; the project's own folder lies in it.</summary>
    public string Root { get; }
    public string Folder { get; }
    public Dictionary<string, string?> Environment { get; }

    public string this[string name] => Path.Combine(Folder, name);

    /// <summary>Lines that the fake worker wrote: one per run.</summary>
    public string[] Runs => File.Exists(_log) ? File.ReadAllLines(_log) : [];

    public string Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[name])!);
        File.WriteAllText(this[name], text);
        return this[name];
    }

    /// <summary>Bytes that stand for a model; the fake worker never looks into them.</summary>
    public string WriteModel(string name, int size = 5000)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[name])!);
        var bytes = new byte[size];
        new Random(name.Length + size).NextBytes(bytes);
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    /// <summary>Replaces text in the project file.</summary>
    public void Edit(string old, string replacement)
    {
        var text = File.ReadAllText(this["app.csproj"]);
        Assert.Contains(old, text);
        File.WriteAllText(this["app.csproj"], text.Replace(old, replacement, StringComparison.Ordinal));
    }

    /// <summary>The <c>dotnet build</c>, with how many workers it started.</summary>
    public BuildResult Build(params string[] arguments) => Run(["build", .. arguments]);

    /// <summary>Any verb of <c>dotnet</c> that takes MSBuild's arguments.</summary>
    public BuildResult Run(params string[] arguments)
    {
        var binlog = Path.Combine(Root, $"{++_binlogs}.binlog");
        int before = Runs.Length;
        var result = DotNet.Run(DotNet.Host, [.. arguments, "-nologo", $"-bl:{binlog}"], Folder, Environment);
        return new BuildResult(result.ExitCode, result.Output, binlog, Runs.Length - before);
    }

    /// <summary>Runs what the build made and returns what it printed.</summary>
    public string RunProgram(string dll = "bin/Debug/net10.0/app.dll")
    {
        var result = DotNet.Run(DotNet.Host, ["exec", this[dll]], Folder, Environment);
        Assert.AreEqual(0, result.ExitCode, result.Output);
        return result.Output.Trim();
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

/// <summary>One run of <c>dotnet</c> on a project. <paramref name="WorkerRuns"/>: workers it started.</summary>
public sealed record BuildResult(int ExitCode, string Output, string BinaryLog, int WorkerRuns)
{
    /// <summary>The build worked and started so many workers.</summary>
    public BuildResult Succeeded(int workerRuns)
    {
        Assert.AreEqual(0, ExitCode, Output);
        Assert.AreEqual(workerRuns, WorkerRuns, Output);
        return this;
    }

    /// <summary>The build failed with these codes, each on a line of its own, and no other of ours.</summary>
    public BuildResult Failed(params string[] codes)
    {
        Assert.AreNotEqual(0, ExitCode, Output);
        var errors = Lines("error COB").Select(l => l[(l.IndexOf("error COB", StringComparison.Ordinal) + 6)..][..7]).Order(StringComparer.Ordinal);
        Assert.AreEqual(string.Join(' ', codes.Order(StringComparer.Ordinal)), string.Join(' ', errors), Output);
        return this;
    }

    /// <summary>Distinct lines that contain the text: the console logger repeats errors at the end.</summary>
    public IReadOnlyList<string> Lines(string text) =>
        Output.Split('\n').Select(l => l.Trim()).Where(l => l.Contains(text, StringComparison.Ordinal)).Distinct(StringComparer.Ordinal).ToList();

    /// <summary>Time of all of the package's targets that ran, in milliseconds.</summary>
    public double PackageTargetMilliseconds() => Milliseconds(IsOurs);

    /// <summary>Time of one target of the SDK, in milliseconds: what a no-op build costs on this machine at this moment.</summary>
    public double TargetMilliseconds(string name) => Milliseconds(t => t.Name == name);

    private double Milliseconds(Func<LoggedTarget, bool> counts)
    {
        double sum = 0;
        Log().VisitAllChildren<LoggedTarget>(target =>
        {
            if (counts(target) && !target.Skipped) sum += target.Duration.TotalMilliseconds;
        });
        return sum;
    }

    /// <summary>Names of the package's targets that ran.</summary>
    public IReadOnlyList<string> PackageTargets()
    {
        var names = new List<string>();
        Log().VisitAllChildren<LoggedTarget>(target =>
        {
            if (IsOurs(target) && !target.Skipped) names.Add(target.Name);
        });
        return names;
    }

    private static bool IsOurs(LoggedTarget target) =>
        target.Name.StartsWith("_Cob", StringComparison.Ordinal) || target.Name is "CompressModels" or "CompressModel";

    private Build Log() => Microsoft.Build.Logging.StructuredLogger.BinaryLog.ReadBuild(BinaryLog);
}
