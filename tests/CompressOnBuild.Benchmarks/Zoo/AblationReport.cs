using System.Globalization;
using System.Text;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>The tables of an ablation: one for each technique, then what each buys.</summary>
internal static class AblationReport
{
    /// <param name="recipe">The recipe whose techniques were switched.</param>
    /// <param name="rows">Rows whose <see cref="ZooRow.Recipe"/> says what was switched.</param>
    public static string Write(string recipe, IReadOnlyList<ZooRow> rows)
    {
        var text = new StringBuilder();
        var bought = new MarkdownTable("technique", "model", "instead of", ">agreement or cosine, without -> with", ">kl, without -> with", ">SQNR in dB, without -> with", "");
        foreach (var technique in AblationVariant.All.GroupBy(v => v.Technique))
        {
            var table = new MarkdownTable("model", "switched", ">bytes", "primary metric", ">drop (95 %)", ">n", ">agreement or cosine", ">kl (95 %)", ">SQNR (95 %)", ">transformed", ">seconds", "");
            var variants = rows.Where(r => technique.Any(v => v.Switched == r.Recipe)).ToList();
            if (variants.Count == 0) continue;
            foreach (var of in variants.GroupBy(r => r.Model))
            {
                var full = rows.First(r => r.Model == of.Key && r.Recipe == AblationCommand.Full);
                Add(table, full);
                foreach (var without in of)
                {
                    Add(table, without);
                    bought.Add(technique.Key, of.Key, without.Recipe, Share(without, full), Divergence(without, full), Decibels(without, full),
                        full.OriginalBytes == 0 || without.OriginalBytes == 0 ? "not measured" : Same(without, full) ? "changes nothing here" : "");
                }
            }
            text.Append(CultureInfo.InvariantCulture, $"{technique.Key} ({recipe})\n\n{table}\n");
        }
        return text.Append("What each technique buys, against the original's outputs.\n\n").Append(bought).ToString();
    }

    /// <summary>One row for each thing that was switched, as signal-to-noise ratio (dB) of the outputs.</summary>
    public static string Write(string recipe, IReadOnlyList<(string Model, string Switched, FidelityRow Row)> rows)
    {
        var table = new MarkdownTable("model", "recipe " + recipe, ">bytes", ">SQNR in dB", ">against the recipe as it is", ">samples", ">seconds");
        foreach (var of in rows.GroupBy(r => r.Model))
        {
            var full = of.First(r => r.Switched == AblationCommand.Full).Row;
            foreach (var (_, switched, row) in of)
                table.Add(of.Key, switched, Text($"{row.Share * 100:0.0} %"), Text($"{row.Decibels:0.00}"), row == full ? "" : row.Decibels == full.Decibels ? "changes nothing here" : Text($"{row.Decibels - full.Decibels:+0.00;-0.00;0.00}"), Text($"{row.Samples}"), Text($"{row.Seconds:0.0}"));
        }
        return table.ToString();
    }

    private static void Add(MarkdownTable table, ZooRow row)
    {
        if (row.OriginalBytes == 0)
        {
            table.Add(row.Model, row.Recipe, "", "", "", "", "", "", "", "", Text($"{row.Seconds:0.0}"), $"**{row.Message ?? row.Verdict}**");
            return;
        }
        var primary = row.Metrics.Count > 0 ? row.Metrics[0] : null;
        table.Add(row.Model, row.Recipe, Text($"{row.Share * 100:0.0} %"), primary is null ? "" : Text($"{primary.Name} {ZooReport.Figure(primary.Name, primary.Original)} -> {ZooReport.Figure(primary.Name, primary.Compressed)}"),
            primary is null ? "" : ZooReport.Drop(primary), primary is null ? "" : Text($"{primary.Samples}"),
            Kept(row) is not { } kept ? "" : kept.Name == "cosine" ? Text($"{kept.Compressed:0.00000}") : Text($"{kept.Compressed * 100:0.00} %"),
            Find(row, "kl") is { } kl ? Text($"{kl.Compressed:0.00000}") + Interval(kl.Low, kl.High, "0.00000") : "",
            // The interval is that of the drop from the original's own.
            Find(row, "sqnr") is { } sqnr ? Text($"{sqnr.Compressed:0.0} dB") + Interval(sqnr.Original - sqnr.High, sqnr.Original - sqnr.Low, "0.0") : "",
            row.Transformed is { } share ? Text($"{share * 100:0.0} %") : "", Text($"{row.Seconds:0.0}"), row.Message ?? "");
    }

    private static string Share(ZooRow without, ZooRow full)
    {
        if (Kept(without) is not { } a || Kept(full) is not { } b) return "";
        if (b.Name == "cosine") return Text($"{a.Compressed:0.00000} -> {b.Compressed:0.00000} ({b.Compressed - a.Compressed:+0.00000;-0.00000;0})");
        // Of masks and the like a sample agrees in part.
        var samples = (b.Compressed - a.Compressed) * b.Samples;
        var counted = Math.Abs(samples - Math.Round(samples)) < 1e-6 * b.Samples ? Text($", {Math.Round(samples):+0;-0;0} of {b.Samples}") : "";
        return Text($"{a.Compressed * 100:0.00} % -> {b.Compressed * 100:0.00} % ({(b.Compressed - a.Compressed) * 100:+0.00;-0.00;0.00} pt{counted})");
    }

    private static string Divergence(ZooRow without, ZooRow full)
    {
        if (Find(without, "kl") is not { } a || Find(full, "kl") is not { } b) return "";
        return Text($"{a.Compressed:0.00000} -> {b.Compressed:0.00000}") + (a.Compressed > 0 ? Text($" ({(b.Compressed / a.Compressed - 1) * 100:+0;-0;0} %)") : "");
    }

    private static string Decibels(ZooRow without, ZooRow full) => Find(without, "sqnr") is { } a && Find(full, "sqnr") is { } b
        ? Text($"{a.Compressed:0.0} -> {b.Compressed:0.0} ({b.Compressed - a.Compressed:+0.0;-0.0;0.0})") : "";

    private static bool Same(ZooRow a, ZooRow b) => a.Metrics.Count > 0 && a.Metrics.Select(m => m.Compressed).SequenceEqual(b.Metrics.Select(m => m.Compressed));

    private static string Interval(double? low, double? high, string format) => low is { } l && high is { } h
        ? $" ({l.ToString(format, CultureInfo.InvariantCulture)}..{h.ToString(format, CultureInfo.InvariantCulture)})" : "";

    private static MetricChange? Kept(ZooRow row) => Find(row, "agreement") ?? Find(row, "cosine");

    private static MetricChange? Find(ZooRow row, string metric) => row.Metrics.FirstOrDefault(m => m.Name == metric);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
