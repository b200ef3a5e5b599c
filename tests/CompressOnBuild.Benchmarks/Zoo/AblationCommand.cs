using System.CommandLine;
using System.Text.Json;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary><c>ablation</c>: a recipe beside itself with one technique switched, over a few models: what each technique buys.</summary>
internal static class AblationCommand
{
    /// <summary>The row of the recipe as it is.</summary>
    public const string Full = "full recipe";

    public static Command Create()
    {
        var zoo = ZooFolder.Create();
        var models = new Option<string>("--models") { Description = "Names of the models to measure, separated by commas.", DefaultValueFactory = _ => "mobilenetv2,ocr-rec,magika-v3.3" };
        var recipe = new Option<string>("--recipe") { Description = "The recipe whose techniques are switched: a preset or a file.", DefaultValueFactory = _ => "int8" };
        var output = new Option<string>("--output") { Description = "Where working copies, recipes and results go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "ablation") };
        var samples = new Option<int?>("--samples") { Description = "Only how near the outputs stay on so many samples, which is quick [default: all metrics on all samples]." };
        var techniques = new Option<string?>("--techniques") { Description = "Only techniques whose names begin with one of these, separated by commas [default: all]." };
        var threads = new Option<int?>("--threads") { Description = "Threads of the worker [default: its own default]." };
        var json = new Option<string?>("--json") { Description = "File to write the rows to." };
        var worker = new Option<string>("--worker") { Description = "Another worker (compressonbuild.dll) to measure [default: the one built with this program].", DefaultValueFactory = _ => Worker.Built };
        var command = new Command("ablation", "Measures a recipe with each of its techniques on and off.") { zoo, models, recipe, output, samples, techniques, threads, json, worker };
        command.SetAction(parsed =>
        {
            if (zoo.Find(parsed) is not { } folder) return 2;
            return Run(folder, ZooCommand.Names(parsed.GetValue(models)!), parsed.GetValue(recipe)!, Path.GetFullPath(parsed.GetValue(output)!),
                parsed.GetValue(samples), parsed.GetValue(techniques) is { } only ? ZooCommand.Names(only) : null, parsed.GetValue(threads), parsed.GetValue(json), parsed.GetValue(worker)!);
        });
        return command;
    }

    private static int Run(string zoo, string[] models, string recipe, string output, int? samples, string[]? techniques, int? threads, string? json, string worker)
    {
        if (models.Except(ZooModel.Names(zoo)).ToArray() is { Length: > 0 } unknown)
        {
            Console.Error.WriteLine($"{zoo} has no model {string.Join(", ", unknown)}. It has {string.Join(", ", ZooModel.Names(zoo))}.");
            return 2;
        }
        bool search;
        try { search = Recipe.Load(recipe).Search; }
        catch (CompressionException e)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
        var files = Write(recipe, techniques, Path.Combine(output, "recipes", Path.GetFileNameWithoutExtension(recipe)));
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var rows = new List<ZooRow>();
        var near = new List<(string Model, string Switched, FidelityRow Row)>();
        foreach (var name in models)
        {
            ZooModel model;
            try { model = ZooModel.Prepare(zoo, name, output, npm); }
            catch (SkippedException e)
            {
                Console.Error.WriteLine($"{name} is skipped: {e.Message}");
                continue;
            }
            foreach (var (switched, file) in files)
            {
                Console.Error.WriteLine($"{name}, {switched} ...");
                if (samples is { } count)
                {
                    near.Add((name, switched, FidelityRow.Measure(model, file, Target.Cpu, count, threads, Path.Combine(output, name, "out", "near"))));
                    continue;
                }
                var arguments = ZooCommand.Arguments(model with { Metrics = Metrics(model.Metrics) }, file,
                    Path.Combine(output, name, "out", Path.GetFileNameWithoutExtension(recipe), Path.GetFileNameWithoutExtension(file)), threads);
                // A gate would hide the figures of the worst variants. A search needs it: what it chooses depends on the limit.
                if (!search) arguments = [.. arguments, "--max-accuracy-drop", "1000"];
                rows.Add(ZooRow.Read(name, switched, Worker.Run(worker, arguments)));
                if (rows[^1].Message is { } message) Console.Error.WriteLine("  " + message);
            }
        }
        if (samples is not null)
        {
            Console.WriteLine(AblationReport.Write(recipe, near));
            return near.Count == 0 ? 1 : 0;
        }
        Console.WriteLine(AblationReport.Write(recipe, rows));
        if (json is not null) File.WriteAllText(json, JsonSerializer.Serialize(rows, new JsonSerializerOptions(JsonSerializerDefaults.Web) { WriteIndented = true, NewLine = "\n" }) + "\n");
        var failed = rows.Where(r => r.OriginalBytes == 0).Select(r => $"{r.Model} ({r.Recipe})").ToList();
        if (failed.Count > 0) Console.Error.WriteLine($"Without figures: {string.Join(", ", failed)}");
        return failed.Count > 0 || rows.Count == 0 ? 1 : 0;
    }

    // The recipe as it is goes through a file too: its runs differ from the others' in nothing but the switch.
    private static List<(string Switched, string File)> Write(string recipe, string[]? techniques, string folder)
    {
        Directory.CreateDirectory(folder);
        var text = Recipe.PresetText(recipe) ?? File.ReadAllText(recipe);
        var files = new List<(string, string)> { (Full, Path.Combine(folder, "full.json")) };
        File.WriteAllText(files[0].Item2, text);
        foreach (var variant in AblationVariant.All.Where(v => techniques?.Any(t => v.Technique.StartsWith(t, StringComparison.Ordinal)) ?? true))
        {
            var file = Path.Combine(folder, $"{variant.Switched}.json".Replace(' ', '-'));
            if (variant.Write(text, file)) files.Add((variant.Switched, file));
            else Console.Error.WriteLine($"{recipe} has {variant.Switched} already.");
        }
        return files;
    }

    /// <summary>The model's metrics and those that see a change long before a metric of labels moves. Without any the worker chooses, and shows them beside.</summary>
    private static string? Metrics(string? metrics) => metrics is null ? null
        : string.Join(';', metrics.Split(';').Concat(metrics.StartsWith("cosine", StringComparison.Ordinal) ? ["sqnr"] : ["agreement", "kl", "sqnr"]).Distinct());
}
