using System.CommandLine;
using System.Globalization;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Numerics;

namespace CompressOnBuild.Benchmarks.Statistics;

/// <summary>
/// <c>gate</c>: how often the gate is wrong. Simulated models whose true drop is known, just inside and just outside the limit, are judged by the code
/// that judges real ones. A 95 % interval promises that at most 2.5 % of the good ones fail and 2.5 % of the bad ones pass.
/// </summary>
internal static class GateCommand
{
    private const double Promise = 0.025;
    // How near to the limit: no interval can tell these from the limit itself.
    private const double Inside = 0.99, Outside = 1.01;

    public static Command Create()
    {
        var seeds = new Option<int>("--seeds") { Description = "Simulated data sets in each row.", DefaultValueFactory = _ => 1000 };
        var command = new Command("gate", "Judges simulated models whose true drop is known and counts false alarms and misses.") { seeds };
        command.SetAction(parsed => Run(parsed.GetValue(seeds)));
        return command;
    }

    private static int Run(int seeds)
    {
        var table = new MarkdownTable("metric", "samples change", ">n", ">limit", ">false alarms", ">misses", ">passes without a drop", ">fails at 3x the limit");
        // What chance adds to a share of so many seeds, three standard errors.
        var most = Promise + 3 * Math.Sqrt(Promise * (1 - Promise) / seeds);
        var broken = 0;
        foreach (var scenario in Scenario.All)
        {
            Console.Error.WriteLine($"{scenario.Metric}, {scenario.Changes}, n = {scenario.Samples} ...");
            var alarms = Share(scenario, Inside * scenario.Limit, Verdict.Fail, seeds);
            var misses = Share(scenario, Outside * scenario.Limit, Verdict.Pass, seeds);
            var isBroken = alarms > most || misses > most;
            if (isBroken) broken++;
            table.Add(scenario.Metric, scenario.Changes, $"{scenario.Samples}", Text($"{scenario.Limit:0.###}"), Percent(alarms), Percent(misses) + (isBroken ? " **broken**" : ""),
                Percent(Share(scenario, 0, Verdict.Pass, seeds)), Percent(Share(scenario, 3 * scenario.Limit, Verdict.Fail, seeds)));
        }
        Console.WriteLine(table);
        Console.WriteLine(Text($"{seeds} data sets a figure. Promised: false alarms (true drop {Inside} x limit, verdict fail) and misses (true drop {Outside} x limit, verdict pass) at most {100 * Promise} %; counted as broken above {100 * most:0.0} %: {broken} rows."));
        return broken > 0 ? 1 : 0;
    }

    private static double Share(Scenario scenario, double drop, Verdict verdict, int seeds)
    {
        var hits = new bool[seeds];
        var judge = scenario.Judge(drop);
        Parallel.For(0, seeds, seed => hits[seed] = judge(new Pcg32((ulong)seed + 1, 7), seed + 1) == verdict);
        return hits.Count(h => h) / (double)seeds;
    }

    private static string Percent(double share) => Text($"{100 * share:0.0} %");
    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
