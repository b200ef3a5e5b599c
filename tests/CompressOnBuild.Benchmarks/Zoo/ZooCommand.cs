using System.CommandLine;
using System.Text.Json;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary><c>zoo</c>: recipes over a folder of models, each pair in a process of its own, as Markdown tables.</summary>
internal static class ZooCommand
{
    public static Command Create()
    {
        var zoo = new Option<string?>("--zoo") { Description = "Folder of models: one folder each, with model.onnx, <folder>.onnx or model.npm [default: the zoo beside or above the repository, else testassets/samples]." };
        var recipes = new Option<string>("--recipe") { Description = "Recipes, separated by commas.", DefaultValueFactory = _ => "auto" };
        var models = new Option<string?>("--models") { Description = "Names of the models to measure, separated by commas [default: all]." };
        var output = new Option<string>("--output") { Description = "Where working copies and results go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "zoo") };
        var threads = new Option<int?>("--threads") { Description = "Threads of the worker [default: its own default]. Latency is measured with one whatever this is." };
        var json = new Option<string?>("--json") { Description = "File to write the rows to." };
        var worker = new Option<string>("--worker") { Description = "Another worker (compressonbuild.dll) to measure [default: the one built with this program].", DefaultValueFactory = _ => Worker.Built };
        var command = new Command("zoo", "Runs recipes over a folder of models and prints what became of them.") { zoo, recipes, models, output, threads, json, worker };
        command.SetAction(parsed => Run(
            Path.GetFullPath(parsed.GetValue(zoo) ?? Testing.Zoo.Folder ?? Path.Combine(DotNet.RepositoryRoot, "testassets", "samples")),
            Names(parsed.GetValue(recipes)!), parsed.GetValue(models) is { } names ? Names(names) : null,
            Path.GetFullPath(parsed.GetValue(output)!), parsed.GetValue(threads), parsed.GetValue(json), parsed.GetValue(worker)!));
        return command;
    }

    private static int Run(string zoo, string[] recipes, string[]? chosen, string output, int? threads, string? json, string worker)
    {
        if (!Directory.Exists(zoo))
        {
            Console.Error.WriteLine($"The folder of models {zoo} does not exist.");
            return 2;
        }
        var known = ZooModel.Names(zoo);
        if (chosen?.Except(known).ToArray() is { Length: > 0 } unknown)
        {
            Console.Error.WriteLine($"{zoo} has no model {string.Join(", ", unknown)}. It has {string.Join(", ", known)}.");
            return 2;
        }
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var rows = new List<ZooRow>();
        foreach (var name in known.Where(n => chosen?.Contains(n) ?? true))
        {
            foreach (var recipe in recipes)
            {
                // Progress goes to the other stream: what is redirected is the tables.
                Console.Error.WriteLine($"{name}, {recipe} ...");
                rows.Add(Measure(zoo, name, recipe, output, npm, threads, worker));
                if (rows[^1].Message is { } message) Console.Error.WriteLine("  " + message);
            }
        }
        Console.WriteLine(ZooReport.Rows(rows));
        if (ZooReport.Comparison(rows, OtherTool.Read(zoo)) is { } comparison)
        {
            Console.WriteLine("Numbers to beat: the best that ONNX Runtime's own tool reaches in each respect, over its forms that lose at most 1 point.\n");
            Console.WriteLine(comparison);
        }
        if (json is not null) File.WriteAllText(json, JsonSerializer.Serialize(rows, new JsonSerializerOptions(JsonSerializerDefaults.Web) { WriteIndented = true, NewLine = "\n" }) + "\n");
        var failed = rows.Where(r => r.Failed).Select(r => $"{r.Model} ({r.Recipe})").ToList();
        if (failed.Count > 0) Console.Error.WriteLine($"Failed: {string.Join(", ", failed)}");
        return failed.Count > 0 ? 1 : 0;
    }

    private static ZooRow Measure(string zoo, string name, string recipe, string output, NpmCache npm, int? threads, string worker)
    {
        ZooModel model;
        try { model = ZooModel.Prepare(zoo, name, output, npm); }
        catch (SkippedException e) { return ZooRow.Skipped(name, recipe, e.Message); }
        return ZooRow.Read(name, recipe, Worker.Run(worker, Arguments(model, recipe, Path.Combine(output, name, "out", Path.GetFileNameWithoutExtension(recipe)), threads)));
    }

    /// <summary>The worker's command line for a model of a zoo.</summary>
    public static IEnumerable<string> Arguments(ZooModel model, string recipe, string output, int? threads)
    {
        List<string> arguments = ["compress", model.Model, "--json", "--name", model.Name, "--recipe", recipe, "--output", output];
        if (model.Calibration is { } calibration) arguments.AddRange(["--calibration-data", calibration]);
        if (model.Evaluation is { } evaluation) arguments.AddRange(["--evaluation-data", evaluation]);
        if (model.Metrics is { } metrics) arguments.AddRange(["--metric", metrics]);
        if (threads is { } count) arguments.AddRange(["--threads", $"{count}"]);
        return arguments;
    }

    public static string[] Names(string list) => list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
