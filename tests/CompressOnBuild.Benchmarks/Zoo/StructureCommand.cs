using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>
/// <c>structure</c>: the steps that change the graph, alone, without training and without quantization: multiply-accumulates, bytes and metric as channels go
/// (structured pruning) and as ranks fall (low rank), beside the same by magnitude.
/// </summary>
internal static class StructureCommand
{
    private static readonly string[] Amounts = ["0.05", "0.1", "0.2", "0.3"], RankAmounts = ["0.2", "0.35", "0.5"];
    private const string Limit = "limit";

    public static Command Create()
    {
        var zoo = ZooFolder.Create();
        var prune = new Option<string>("--prune") { Description = "Models whose channels are pruned, separated by commas.", DefaultValueFactory = _ => "mobilenetv2,ocr-rec,ocr-det,dtln-2" };
        var rank = new Option<string>("--low-rank") { Description = "Models whose weights are factored, separated by commas.", DefaultValueFactory = _ => "magika-v3.3,dtln-2,ocr-rec" };
        var amounts = new Option<string?>("--amounts") { Description = $"Shares to take away, separated by commas, or '{Limit}': as much as the default limit of accuracy allows [default: {string.Join(",", Amounts)} of the multiply-accumulates, {string.Join(",", RankAmounts)} of elements and time]." };
        var by = new Option<string>("--by") { Description = "Criteria, separated by commas.", DefaultValueFactory = _ => "calibration" };
        var output = new Option<string>("--output") { Description = "Where working copies, recipes and results go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "structure") };
        var worker = new Option<string>("--worker") { Description = "Another worker (compressonbuild.dll) to measure [default: the one built with this program].", DefaultValueFactory = _ => Worker.Built };
        var command = new Command("structure", "Measures structured pruning and low rank alone, over several amounts.") { zoo, prune, rank, amounts, by, output, worker };
        command.SetAction(parsed =>
        {
            if (zoo.Find(parsed) is not { } folder) return 2;
            var (root, target) = (folder, Path.GetFullPath(parsed.GetValue(output)!));
            var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
            var table = new MarkdownTable("model", "step", "by", "amount", "multiply-adds", "bytes", "metric", "drop (95 %)", "latency ratio", "channels gone (dead)", "verdict");
            var failed = false;
            foreach (var (step, models, standard) in new[] { ("prune-structured", parsed.GetValue(prune)!, Amounts), ("low-rank", parsed.GetValue(rank)!, RankAmounts) })
                foreach (var name in ZooCommand.Names(models))
                {
                    ZooModel model;
                    try { model = ZooModel.Prepare(root, name, target, npm); }
                    catch (SkippedException e) { Console.Error.WriteLine($"{name} is skipped: {e.Message}"); continue; }
                    foreach (var criterion in ZooCommand.Names(parsed.GetValue(by)!))
                        foreach (var amount in parsed.GetValue(amounts) is { } given ? ZooCommand.Names(given) : standard)
                        {
                            Console.Error.WriteLine($"{name}, {step} {amount} by {criterion} ...");
                            failed |= !Measure(table, model, name, step, criterion, amount, target, parsed.GetValue(worker)!);
                        }
                }
            Console.WriteLine(table);
            return failed ? 1 : 0;
        });
        return command;
    }

    private static bool Measure(MarkdownTable table, ZooModel model, string name, string step, string by, string amount, string output, string worker)
    {
        var folder = Path.Combine(output, "recipes");
        Directory.CreateDirectory(folder);
        var recipe = Path.Combine(folder, $"{step}-{by}-{amount}.json");
        File.WriteAllText(recipe, $$"""{ "version": 1, "steps": [ { "step": "{{step}}", "by": "{{by}}"{{(amount == Limit ? "" : $", \"amount\": {amount}")}} } ], "rules": [ { "form": "none" } ] }""" + "\n");
        var run = Worker.Run(worker, [.. ZooCommand.Arguments(model, recipe, Path.Combine(output, name, "out", $"{step}-{by}-{amount}"), null), .. amount == Limit ? Array.Empty<string>() : ["--max-accuracy-drop", "1"]]);
        var row = ZooRow.Read(name, step, run);
        if (row.OriginalBytes == 0)
        {
            Console.Error.WriteLine("  " + row.Message);
            table.Add(name, step, by, amount, "", "", "", "", "", "", row.Verdict);
            return false;
        }
        var report = JsonNode.Parse(run.Output)!["report"]!;
        double before = (double)report["original"]!["multiplyAdds"]!, after = (double)report["compressed"]!["multiplyAdds"]!;
        var metric = row.Metrics[0];
        string Text(FormattableString text) => FormattableString.Invariant(text);
        var (gone, dead) = Channels(report["steps"]!.AsArray().Select(s => (string)s!));
        table.Add(name, step, by, amount == Limit ? amount : Text($"{double.Parse(amount, CultureInfo.InvariantCulture):0 %}"), Text($"{before / 1e6:0.0} -> {after / 1e6:0.0} M ({after / before - 1:+0.0 %;-0.0 %})"), Text($"{row.Share:0.0 %}"),
            Text($"{metric.Name} {metric.Original:0.0000} -> {metric.Compressed:0.0000}"), Text($"{metric.Drop:0.0000} ({metric.Low:0.0000}..{metric.High:0.0000})"), Text($"{row.Latency:0.00}x"), step == "low-rank" ? "" : $"{gone} ({dead})", row.Verdict);
        return true;
    }

    /// <summary>From the sentences of the report: channels that went, and those of them that nothing heard.</summary>
    private static (int Gone, int Dead) Channels(IEnumerable<string> steps)
    {
        var (gone, dead) = (0, 0);
        foreach (var step in steps.Where(s => s.StartsWith("prune-structured took ", StringComparison.Ordinal)))
        {
            gone += int.Parse(step.Split(' ')[2], CultureInfo.InvariantCulture);
            for (var at = step.IndexOf(" of them dead", StringComparison.Ordinal); at >= 0; at = step.IndexOf(" of them dead", at + 1, StringComparison.Ordinal))
                dead += int.Parse(step[(step.LastIndexOf('(', at) + 1)..at], CultureInfo.InvariantCulture);
        }
        return (gone, dead);
    }
}
