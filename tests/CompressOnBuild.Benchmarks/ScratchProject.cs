using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks;

/// <summary>
/// A project with models and data, outside the repository's settings, that uses the package as it was just packed. It lies in a temporary folder
/// with a feed and a package folder of its own; what else it needs comes from the user's package folder, so nothing asks the network.
/// </summary>
internal sealed class ScratchProject : IDisposable
{
    private readonly ScratchFolder scratch = new();
    private readonly string version = $"0.0.1-bench.{DateTime.UtcNow.Ticks}";
    private readonly Dictionary<string, string?> environment = new()
    {
        // A build server that stays would measure the second build warmer than the first, and outlive the benchmark.
        ["MSBUILDDISABLENODEREUSE"] = "1",
        ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0",
        ["MSBUILDTERMINALLOGGER"] = "off",
    };

    public ScratchProject()
    {
        var user = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        scratch.Write("nuget.config", $"""
            <configuration>
              <packageSources><clear /><add key="local" value="{scratch["feed"]}" /></packageSources>
              <fallbackPackageFolders><clear /><add key="user" value="{user}" /></fallbackPackageFolders>
            </configuration>
            """);
        foreach (var name in (string[])["Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props"]) scratch.Write(name, "<Project />");
        scratch.Write("global.json", "{}");
        DotNet(packages: null, "pack", Path.Combine(Testing.DotNet.RepositoryRoot, "src", "CompressOnBuild"), "-c", "Release", $"-p:Version={version}", "-o", scratch["feed"], "-v", "q");
    }

    /// <summary>Writes the project <paramref name="name"/> anew: copies of the sample's model, and <paramref name="files"/> of its pictures as the data of all of them.</summary>
    public void Write(string name, int models, int files, string frameworks, string recipe)
    {
        var sample = Path.Combine(Testing.DotNet.RepositoryRoot, "testassets", "samples", "shapes");
        var data = files > 0 ? """EvaluationData="data" """ : "";
        var items = Enumerable.Range(0, models).Select(i => $"""<CompressModel Include="m{i}.onnx" Recipe="{recipe}" {data}/>""");
        scratch.Write($"{name}/app.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFrameworks>{frameworks}</TargetFrameworks>
                <RootNamespace>App</RootNamespace>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="CompressOnBuild" Version="{version}" PrivateAssets="all" />
                {string.Join("\n    ", items)}
              </ItemGroup>
            </Project>
            """);
        for (var i = 0; i < models; i++) File.Copy(Path.Combine(sample, "shapes.onnx"), scratch[$"{name}/m{i}.onnx"]);
        if (files == 0) return;
        Directory.CreateDirectory(scratch[$"{name}/data"]);
        File.Copy(Path.Combine(sample, "preprocessor_config.json"), scratch[$"{name}/preprocessor_config.json"]);
        var labelled = File.ReadLines(Path.Combine(sample, "val", "labels.csv")).Skip(1).Select(l => l.Split(',')).ToArray();
        var lines = new List<string> { "file,label" };
        for (var i = 0; i < files; i++)
        {
            var source = labelled[i % labelled.Length];
            File.Copy(Path.Combine(sample, "val", source[0]), scratch[$"{name}/data/{i:00000}.png"]);
            lines.Add($"{i:00000}.png,{source[1]}");
        }
        scratch.Write($"{name}/data/labels.csv", string.Join('\n', lines) + "\n");
    }

    /// <summary>Builds and returns what the binary log says.</summary>
    public NoOpBuild Build(string name, bool restore)
    {
        var log = scratch[$"{name}.binlog"];
        DotNet(scratch["packages"], ["build", scratch[name], $"-bl:{log}", .. restore ? Array.Empty<string>() : ["--no-restore"]]);
        return NoOpBuild.Read(log);
    }

    public void Dispose() => scratch.Dispose();

    // The repository's own build keeps the package folder it was restored with.
    private void DotNet(string? packages, params string[] arguments)
    {
        var variables = packages is null ? environment : new(environment) { ["NUGET_PACKAGES"] = packages };
        var result = Testing.DotNet.Run(Testing.DotNet.Host, [.. arguments, "-nologo"], scratch.Path, variables);
        if (result.ExitCode != 0) throw new InvalidOperationException($"dotnet {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.Output}");
    }
}
