using System.CommandLine;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>The option <c>--zoo</c> of commands that have nothing to measure without a zoo.</summary>
internal sealed class ZooFolder() : Option<string?>("--zoo")
{
    public static ZooFolder Create() => new() { Description = "Folder of models: one folder each, with model.onnx, <folder>.onnx or model.npm [default: the zoo beside or above the repository]." };

    /// <summary>The folder, absolute; null, and a word on the console, where there is none.</summary>
    public string? Find(ParseResult parsed)
    {
        if ((parsed.GetValue(this) ?? Testing.Zoo.Folder) is { } folder && Directory.Exists(folder)) return Path.GetFullPath(folder);
        Console.Error.WriteLine("There is no zoo here. Name its folder with --zoo.");
        return null;
    }
}
