using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>
/// <c>families</c>: each family of techniques alone, and steps that change the graph in both orders before integers, each as far as the accuracy
/// limit of one point lets it go: bytes as they are and as they ship, multiply-accumulates, latency, metric and rounds.
/// </summary>
internal static class FamiliesCommand
{
    private const string Prune = """{ "step": "prune-structured" }""", LowRank = """{ "step": "low-rank" }""";

    /// <summary>What runs, and the preset or recipe that says so.</summary>
    private static readonly (string Name, string Recipe)[] Pipelines =
    [
        ("int8", "int8"), ("widths", "smallest"), ("palette of 4 bits", "palette"), ("zeros -> int8", "prune"),
        ("structured", Steps("none", Prune)), ("low rank", Steps("none", LowRank)),
        ("structured -> int8", Steps("weights", Prune)), ("low rank -> int8", Steps("weights", LowRank)),
        ("structured -> low rank -> int8", Steps("weights", Prune, LowRank)), ("low rank -> structured -> int8", Steps("weights", LowRank, Prune)),
    ];

    public static Command Create()
    {
        var zoo = ZooFolder.Create();
        var models = new Option<string?>("--models") { Description = "Names of the models to measure, separated by commas [default: all]." };
        var pipelines = new Option<string?>("--pipelines") { Description = $"Pipelines, separated by commas [default: all of {string.Join(", ", Pipelines.Select(p => p.Name))}]." };
        var output = new Option<string>("--output") { Description = "Where working copies, recipes and results go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "families") };
        var worker = new Option<string>("--worker") { Description = "Another worker (compressonbuild.dll) to measure [default: the one built with this program].", DefaultValueFactory = _ => Worker.Built };
        var command = new Command("families", "Measures each family of techniques alone, and combined in both orders, within one point.") { zoo, models, pipelines, output, worker };
        command.SetAction(parsed =>
        {
            if (zoo.Find(parsed) is not { } folder) return 2;
            var (root, target) = (folder, Path.GetFullPath(parsed.GetValue(output)!));
            var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
            var table = new MarkdownTable("model", "pipeline", ">bytes", ">shipped", ">multiply-adds", ">latency ratio", "metric", ">drop (95 %)", ">rounds tried", ">seconds", "verdict");
            var chosen = parsed.GetValue(pipelines) is { } some ? ZooCommand.Names(some) : null;
            var failed = false;
            foreach (var name in parsed.GetValue(models) is { } names ? ZooCommand.Names(names) : ZooModel.Names(root))
            {
                ZooModel model;
                try { model = ZooModel.Prepare(root, name, target, npm); }
                catch (SkippedException e) { Console.Error.WriteLine($"{name} is skipped: {e.Message}"); continue; }
                foreach (var (pipeline, recipe) in Pipelines.Where(p => chosen?.Contains(p.Name) ?? true))
                {
                    Console.Error.WriteLine($"{name}, {pipeline} ...");
                    failed |= !Measure(table, model, pipeline, recipe, target, parsed.GetValue(worker)!);
                }
            }
            Console.WriteLine(table);
            return failed ? 1 : 0;
        });
        return command;
    }

    private static string Steps(string form, params string[] steps) =>
        $$"""{ "version": 1, "steps": [ {{string.Join(", ", steps)}} ], "rules": [ { "form": "{{form}}" } ] }""" + "\n";

    private static bool Measure(MarkdownTable table, ZooModel model, string pipeline, string recipe, string output, string worker)
    {
        var file = pipeline.Replace(" -> ", "+", StringComparison.Ordinal).Replace(' ', '-');
        if (recipe.StartsWith('{'))
        {
            var path = Path.Combine(output, "recipes", file + ".json");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, recipe);
            recipe = path;
        }
        var run = Worker.Run(worker, [.. ZooCommand.Arguments(model, recipe, Path.Combine(output, model.Name, "out", file), null), "--transport", "packed"]);
        var row = ZooRow.Read(model.Name, pipeline, run);
        if (row.OriginalBytes == 0)
        {
            Console.Error.WriteLine("  " + row.Message);
            table.Add(model.Name, pipeline, "", "", "", "", "", "", "", Text($"{row.Seconds:0}"), row.Verdict);
            return !row.Failed;
        }
        var printed = JsonNode.Parse(run.Output)!;
        var report = printed["report"]!;
        double? before = (double?)report["original"]!["multiplyAdds"], after = (double?)report["compressed"]!["multiplyAdds"];
        var rounds = printed["measurements"]!["candidates"]?.AsArray().Count ?? 0;
        var metric = row.Metrics.FirstOrDefault();
        table.Add(model.Name, pipeline, Text($"{row.Share:0.0 %}"), Text($"{(double)row.ShippedBytes / row.OriginalBytes:0.0 %}"), before > 0 ? Text($"{after / before:0.0 %}") : "",
            row.Latency is { } latency ? Text($"{latency:0.00}x") : "", metric is null ? "" : $"{metric.Name} {ZooReport.Figure(metric.Name, metric.Original)} -> {ZooReport.Figure(metric.Name, metric.Compressed)}",
            metric is null ? "" : ZooReport.Drop(metric), Text($"{rounds}"), Text($"{row.Seconds:0}"), row.Verdict);
        return true;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
