using System.CommandLine;
using System.Globalization;

namespace CompressOnBuild.Benchmarks;

/// <summary><c>build</c>: what the package's targets cost a build in which nothing changed, as its binary log tells.</summary>
internal static class BuildCommand
{
    /// <summary>What the product promises: milliseconds, and milliseconds more for 1000 data files.</summary>
    private const double Budget = 20, BudgetPerThousandFiles = 10;

    public static Command Create()
    {
        var models = new Option<int>("--models") { Description = "Models in the project.", DefaultValueFactory = _ => 2 };
        var files = new Option<string>("--files") { Description = "Sizes of the data set, separated by commas.", DefaultValueFactory = _ => "0,1000,5000" };
        var runs = new Option<int>("--runs") { Description = "No-op builds of each project.", DefaultValueFactory = _ => 7 };
        var frameworks = new Option<string>("--frameworks") { Description = "Target frameworks.", DefaultValueFactory = _ => "net10.0;netstandard2.0" };
        var recipe = new Option<string>("--recipe") { Description = "Recipe of the first build.", DefaultValueFactory = _ => "int8-weights" };
        var command = new Command("build", "Packs the package, builds a project with it, and measures builds in which nothing changed.") { models, files, runs, frameworks, recipe };
        command.SetAction(parsed => Run(parsed.GetValue(models), [.. parsed.GetValue(files)!.Split(',').Select(f => int.Parse(f, CultureInfo.InvariantCulture))],
            Math.Max(1, parsed.GetValue(runs)), parsed.GetValue(frameworks)!, parsed.GetValue(recipe)!));
        return command;
    }

    private static int Run(int models, int[] fileCounts, int runs, string frameworks, string recipe)
    {
        Console.Error.WriteLine("packing ...");
        using var project = new ScratchProject();
        var table = new MarkdownTable(">data files", "target", ">runs in a build", ">median ms", ">least ms", "workers started");
        var summary = new MarkdownTable(">data files", ">package's targets, median ms", ">least ms", ">least ms of one framework", ">budget ms", ">ResolveAssemblyReferences, median ms", ">whole build, median ms", ">workers of the first build", ">of a no-op build", "verdict");
        var missed = false;
        foreach (var files in fileCounts)
        {
            var name = $"app{files}";
            Console.Error.WriteLine($"{models} models, {frameworks}, {files} data files ...");
            project.Write(name, models, files, frameworks, recipe);
            var first = project.Build(name, restore: true);
            var builds = Enumerable.Range(0, runs).Select(_ => project.Build(name, restore: false)).ToList();
            foreach (var target in builds.SelectMany(b => b.Targets.Keys).Distinct().Order(StringComparer.Ordinal))
            {
                var times = builds.Select(b => b.Targets.GetValueOrDefault(target)).ToList();
                table.Add($"{files}", target, $"{times[^1].Runs}", Text(Median(times.Select(t => t.Milliseconds))), Text(times.Min(t => t.Milliseconds)), "");
            }
            var workers = builds.Max(b => b.Workers);
            var (median, least, budget) = (Median(builds.Select(b => b.Milliseconds)), builds.Min(b => b.Milliseconds), Budget + BudgetPerThousandFiles * files / 1000);
            table.Add($"{files}", "all", "", Text(median), Text(least), workers == 0 ? "none" : $"{workers}");
            // Other work on the machine only ever adds time: the least is the nearest to what the targets cost.
            var alone = builds.Min(b => b.LargestMilliseconds);
            var verdict = workers > 0 ? "**a worker started**" : least <= budget ? "in budget" : alone <= budget ? "one framework in budget, all together over it" : "**over budget**";
            missed |= workers > 0 || alone > budget;
            summary.Add($"{files}", Text(median), Text(least), Text(alone), Text(budget), Text(Median(builds.Select(b => b.ReferencesMilliseconds))), Text(Median(builds.Select(b => b.BuildMilliseconds))), $"{first.Workers}", $"{workers}", verdict);
        }
        Console.WriteLine($"No-op builds of {models} models for {frameworks}, {runs} runs each; times of all target frameworks together.\n");
        Console.WriteLine(summary);
        Console.WriteLine(table);
        return missed ? 1 : 0;
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Text(double milliseconds) => milliseconds.ToString("0.0", CultureInfo.InvariantCulture);
}
