using System.Globalization;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>The tables of a run.</summary>
internal static class ZooReport
{
    /// <summary>Two measurements of one ratio on one machine differ by this much: a larger one is slower only beyond it.</summary>
    private const double LatencyNoise = 0.05;
    /// <summary>Shares are given to a tenth of a percent.</summary>
    private const double ShareStep = 0.0005;

    /// <summary>One line a row.</summary>
    public static string Rows(IEnumerable<ZooRow> rows)
    {
        var table = new MarkdownTable("model", "recipe", ">bytes", ">shipped", ">latency ratio (min..max)", "metric", ">drop (95 %)", ">n", ">transformed", ">seconds", ">peak MB", "verdict");
        foreach (var row in rows)
        {
            var verdict = row.Message is { } message ? $"{(message.StartsWith(row.Verdict, StringComparison.Ordinal) ? "" : row.Verdict + ": ")}{message}" : row.Verdict;
            if (row.Latency > 1 + LatencyNoise) verdict += ", slower than the original";
            if (row.Failed) verdict = $"**{verdict}**";
            var cost = (Seconds: row.Seconds > 0 ? Text($"{row.Seconds:0.0}") : "", Memory: row.PeakBytes > 0 ? Text($"{row.PeakBytes / 1e6:0}") : "");
            if (row.OriginalBytes == 0)
            {
                table.Add(row.Model, row.Recipe, "", "", "", "", "", "", "", cost.Seconds, cost.Memory, verdict);
                continue;
            }
            table.Add(row.Model, row.Recipe, Text($"{row.Bytes} ({row.Share * 100:0.0} %)"), Text($"{row.ShippedBytes}"),
                row.Latency is null ? "" : Text($"{row.Latency:0.00}x ({row.LatencyMin:0.00}..{row.LatencyMax:0.00})"),
                string.Join("; ", row.Metrics.Select(m => Text($"{m.Name} {Figure(m.Name, m.Original)} -> {Figure(m.Name, m.Compressed)}"))),
                row.Metrics.Count == 0 ? "" : Drop(row.Metrics[0]), row.Metrics.Count == 0 ? "" : Text($"{row.Metrics[0].Samples}"),
                row.Transformed is { } share ? Text($"{share * 100:0.0} %") : "", cost.Seconds, cost.Memory, verdict);
        }
        return table.ToString();
    }

    /// <summary>Our rows beside the best that the other tool reaches in each respect, over its forms that lose at most one point.</summary>
    public static string? Comparison(IEnumerable<ZooRow> rows, IReadOnlyDictionary<string, IReadOnlyList<OtherResult>> others)
    {
        var compared = rows.Where(r => r.OriginalBytes > 0 && others.ContainsKey(r.Model)).ToList();
        if (compared.Count == 0) return null;
        var table = new MarkdownTable("model", "recipe", ">ours: size", ">latency", ">drop", "other: size", "latency", "drop", "we are worse in");
        foreach (var row in compared)
        {
            var drop = row.Metrics.Count > 0 ? row.Metrics[0] : null;
            var ours = (Size: Text($"{row.Share * 100:0.0} %"), Latency: row.Latency is null ? "" : Text($"{row.Latency:0.00}x"), Drop: drop is null ? "" : Points(drop.Name, drop.Drop));
            // The zoo compares masks and waveforms with the original's own, whose cosine is 1.
            var usable = others[row.Model].Where(o => o.Drop <= OtherTool.UsableDrop).ToList();
            if (usable.Count == 0)
            {
                var least = others[row.Model].MinBy(o => o.Drop)!;
                table.Add(row.Model, row.Recipe, ours.Size, ours.Latency, ours.Drop, "none usable", "", Text($"{Points(drop?.Name ?? "", least.Drop)} ({least.Form})"), "");
                continue;
            }
            var (size, latency, metric) = (usable.MinBy(o => o.Share)!, usable.MinBy(o => o.Latency)!, usable.MinBy(o => o.Drop)!);
            var worse = new List<string>();
            if (row.Share > size.Share + ShareStep) worse.Add("bytes");
            if (row.Latency > latency.Latency * (1 + LatencyNoise)) worse.Add("latency");
            // Beyond our own interval, which is the figure that has one, and half of the last digit of theirs; what it gained by chance is no number to beat.
            if (drop is not null && Math.Max(0, metric.Drop) < (drop.Low ?? drop.Drop) - (IsShare(drop.Name) ? 5e-4 : 5e-5)) worse.Add("metric");
            table.Add(row.Model, row.Recipe, ours.Size, ours.Latency, ours.Drop, Text($"{size.Share * 100:0.0} % ({size.Form})"), Text($"{latency.Latency:0.00}x ({latency.Form})"),
                Text($"{Points(drop?.Name ?? "", metric.Drop)} ({metric.Form})"), worse.Count == 0 ? "-" : "**" + string.Join(", ", worse) + "**");
        }
        return table.ToString();
    }

    public static string Drop(MetricChange m) => Points(m.Name, m.Drop) + (m.Low is { } low && m.High is { } high ? $" ({Points(m.Name, low, unit: false)}..{Points(m.Name, high, unit: false)})" : "");

    private static bool IsShare(string metric) => metric is "top1" or "top5" or "exact" or "agreement";

    public static string Figure(string metric, double value) => double.IsNaN(value) ? "-" : IsShare(metric) ? Text($"{value * 100:0.0} %") : metric == "sqnr" ? Text($"{value:0.0} dB") : Text($"{value:0.0000}");

    // A drop is positive where the compressed model is worse.
    private static string Points(string metric, double value, bool unit = true) => IsShare(metric) ? Text($"{value * 100:0.0;-0.0;0.0}") + (unit ? " pt" : "") : Text($"{value:0.0000;-0.0000;0.0000}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
