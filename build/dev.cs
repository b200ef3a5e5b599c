// What those who work on the project run: `dotnet run build/dev.cs -- <verb>`.
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

string root = Path.GetDirectoryName((string)AppContext.GetData("EntryPointFileDirectoryPath")!)!;
string Option(string name, string fallback) => Array.IndexOf(args, name) is var i and >= 0 && i + 1 < args.Length ? args[i + 1] : fallback;

switch (args.FirstOrDefault())
{
    case "pack":
        return Pack(Option("--version", ""), Path.GetFullPath(Option("--output", Path.Combine(root, "artifacts", "packages"))));
    case "demo":
        return Demo();
    case "test":
        return Test();
    case "bench":
        return Run("dotnet", ["run", "-c", "Release", "--project", "tests/CompressOnBuild.Benchmarks", "--", .. args[1..]]);
    default:
        Console.Error.WriteLine("""
            dotnet run build/dev.cs -- <verb>
              pack [--version V] [--output DIR]   the packages, into artifacts/packages by default
              demo                                packs, builds a sample that compresses a model, says where its report is
              test                                builds everything and runs every test
              bench zoo|build ...                 the benchmarks
            """);
        return 2;
}

int Pack(string version, string output, bool tool = true)
{
    string[] projects = tool ? ["src/CompressOnBuild", "src/CompressOnBuild.Worker", "src/CompressOnBuild.Evaluation"] : ["src/CompressOnBuild"];
    foreach (string project in projects)
    {
        string[] versionArgument = version.Length > 0 ? [$"-p:Version={version}"] : [];
        if (Run("dotnet", ["pack", project, "-c", "Release", "-o", output, "-v", "q", "-nologo", .. versionArgument]) is not 0 and var exit)
            return exit;
    }
    Console.WriteLine("Packages are in " + output);
    return 0;
}

// A sample as a user would write it, outside the repository's settings, with packages that nothing has cached.
int Demo()
{
    string folder = Path.Combine(root, "artifacts", "demo"), feed = Path.Combine(folder, "feed"), packages = Path.Combine(folder, "packages");
    string version = "1.0.0-demo." + DateTime.UtcNow.Ticks.ToString(CultureInfo.InvariantCulture);
    if (Directory.Exists(folder))
        Directory.Delete(folder, recursive: true);
    Console.WriteLine("Packing. The first time takes a minute or two.");
    if (Pack(version, feed, tool: false) is not 0 and var packed)
        return packed;
    string source = Path.Combine(root, "testassets", "projects", "demo"), project = Path.Combine(folder, "app");
    foreach (string file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
    {
        string relative = Path.GetRelativePath(source, file);
        if (relative.Split('/', '\\').Any(part => part is "bin" or "obj"))
            continue;
        string target = Path.Combine(project, relative);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Copy(file, target);
    }
    string sample = Path.Combine(root, "testassets", "samples", "shapes");
    foreach (var (from, to) in ((string, string)[])[("shapes.onnx", "models"), ("preprocessor_config.json", "models"), ("calib", "data/calib"), ("val", "data/val")])
    {
        string target = Directory.CreateDirectory(Path.Combine(project, to)).FullName;
        foreach (string file in File.Exists(Path.Combine(sample, from)) ? [Path.Combine(sample, from)] : Directory.GetFiles(Path.Combine(sample, from)))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
    }
    foreach (string name in (string[])["Directory.Build.targets", "Directory.Packages.props"])
        File.WriteAllText(Path.Combine(folder, name), "<Project />\n");
    // NU1603: offline, a dependency of ONNX Runtime is resolved to the version that the worker brought.
    File.WriteAllText(Path.Combine(folder, "Directory.Build.props"), "<Project><PropertyGroup><NoWarn>$(NoWarn);NU1603</NoWarn></PropertyGroup></Project>\n");
    // ONNX Runtime lies in the user's package folder already: the worker uses the same version, so the demo downloads nothing.
    string user = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } own ? own
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
    File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""
        <configuration>
          <packageSources><clear /><add key="demo" value="{feed}" /></packageSources>
          <fallbackPackageFolders><clear /><add key="user" value="{user}" /></fallbackPackageFolders>
        </configuration>
        """);
    Dictionary<string, string> environment = new()
    {
        ["NUGET_PACKAGES"] = packages,
        ["CompressOnBuildDemoVersion"] = version,
    };
    if (Run("dotnet", ["build", project, "-nologo", "-tl:off"], environment) is not 0 and var built)
        return built;
    if (Run("dotnet", ["run", "--no-build", "--project", project], environment) is not 0 and var ran)
        return ran;
    foreach (string report in Directory.EnumerateFiles(Path.Combine(project, "obj", "compressed"), "report.html", SearchOption.AllDirectories))
        Console.WriteLine("Report: " + report);
    return 0;
}

int Test()
{
    string npm = Path.Combine(root, "testassets", "npm");
    if (Exists("npm") && Run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], null, npm) is not 0)
        Console.WriteLine("npm could not restore testassets/npm: the tests on its models will say that they are skipped.");
    if (Run("dotnet", ["build", "CompressOnBuild.sln", "-c", "Release", "-v", "q", "-nologo"]) is not 0 and var built)
    {
        Console.WriteLine("0 passed, 1 failed, 0 skipped");
        return built;
    }
    int passed = 0, failed = 0, skipped = 0;
    bool broken = false;
    foreach (string folder in Directory.GetDirectories(Path.Combine(root, "tests"), "*.Tests").Order(StringComparer.Ordinal))
    {
        string project = Path.GetFileName(folder);
        Console.WriteLine($"== {project}");
        var output = new List<string>();
        int exit = Run("dotnet", ["exec", Path.Combine(folder, "bin", "Release", "net10.0", project + ".dll"), "--progress", "off", "--ansi", "off"], null, root, output);
        int Count(string what) => output.Select(l => Regex.Match(l, $@"^\s*{what}: (\d+)\s*$")).LastOrDefault(m => m.Success) is { } m ? int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
        passed += Count("succeeded");
        failed += Count("failed");
        skipped += Count("skipped");
        // Exit code 2: tests failed, and they are counted. Anything else but 0 is a run that broke: no tests, or a crash.
        broken |= exit is not (0 or 2) || (exit == 2 && Count("failed") == 0);
        if (exit is not (0 or 2))
            Console.WriteLine($"{project} ended with exit code {exit}");
    }
    if (broken)
        failed++;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{passed} passed, {failed} failed, {skipped} skipped"));
    return failed > 0 || passed == 0 ? 1 : 0;
}

bool Exists(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
    .Any(folder => File.Exists(Path.Combine(folder, program)) || File.Exists(Path.Combine(folder, program + ".cmd")));

int Run(string program, string[] arguments, Dictionary<string, string>? environment = null, string? directory = null, List<string>? output = null)
{
    if (OperatingSystem.IsWindows() && program == "npm")
        (program, arguments) = ("cmd", ["/c", "npm", .. arguments]);
    var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = directory ?? root, RedirectStandardOutput = output is not null };
    // Settings of `dotnet run` are not meant for what it starts.
    foreach (string name in start.Environment.Keys.Where(k => k.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) && !k.StartsWith("MSBUILDDISABLE", StringComparison.OrdinalIgnoreCase)).ToList())
        start.Environment.Remove(name);
    foreach (var (name, value) in environment ?? [])
        start.Environment[name] = value;
    using var process = Process.Start(start)!;
    if (output is not null)
    {
        while (process.StandardOutput.ReadLine() is { } line)
        {
            output.Add(line);
            Console.WriteLine(line);
        }
    }
    process.WaitForExit();
    return process.ExitCode;
}
