using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>
/// The one line per model in the build's output:
/// <c>CompressOnBuild: m.onnx 14.0 MB -> 3.7 MB (26.6 %), top1 82.8 % -> 82.5 % (-0.3 pt, 95 % interval -0.9..0.3, limit -1.0), 2.1x faster, 11.2 s [obj/compressed/m/report.html]</c>
/// </summary>
public static class SummaryLine
{
    /// <summary>The line, safe for a build log. The report's path is relative to <paramref name="baseFolder"/> (default: the current folder) where it lies below it.</summary>
    public static string Format(CompressionResult result, string? baseFolder = null)
    {
        ArgumentNullException.ThrowIfNull(result);
        var (before, after) = (result.Original.ShippedBytes, result.Compressed.ShippedBytes);
        var (original, candidate) = result.Request.Names;
        var parts = new List<string>
        {
            $"{original} {Figures.Bytes(before)} -> {(candidate is null ? "" : candidate + " ")}{Figures.Bytes(after)} ({Figures.Share(after, before)})",
            Accuracy(result),
        };
        if (result.Measurements.Latency is { } latency) parts.Add(Figures.Speed(latency.SpeedupMedian));
        if (result.Verdict is Verdict.Inconclusive) parts.Add("inconclusive");
        if (result.Verdict is Verdict.Fail) parts.Add("FAILED");
        parts.Add(Figures.Seconds(result.Measurements.Seconds));
        return ConsoleText.Line($"CompressOnBuild: {string.Join(", ", parts)} [{ReportPath(result, baseFolder ?? Environment.CurrentDirectory)}]");
    }

    /// <summary>The line about a result that was not measured and lies nowhere.</summary>
    public static string Planned(CompressionResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var (before, after) = (result.Original.ShippedBytes, result.Compressed.ShippedBytes);
        return ConsoleText.Line($"{result.Request.Names.Original} {Figures.Bytes(before)} -> {Figures.Bytes(after)} ({Figures.Share(after, before)}), {Figures.Count(result.Weights.Count)} weights compressed, {Figures.Count(result.Skipped.Count)} left alone, {Figures.Seconds(result.Measurements.Seconds)}");
    }

    private static string Accuracy(CompressionResult result)
    {
        if (result.Measurements.Metrics.Count == 0) return "accuracy not measured";
        var metric = result.Measurements.Metrics[0];
        var text = $"{metric.Name} {MetricText.Value(metric.Name, metric.Compressed)}";
        var details = new List<string>();
        // The original's SQNR or agreement with itself is no information; a finite one is.
        if (double.IsFinite(metric.Original))
        {
            text = $"{metric.Name} {MetricText.Value(metric.Name, metric.Original)} -> {MetricText.Value(metric.Name, metric.Compressed)}";
            details.Add(MetricText.Change(metric.Name, metric.Drop));
            if (metric.Confidence is { } interval) details.Add($"95 % interval {MetricText.Interval(metric.Name, interval)}");
            if (metric.Limit is { } limit) details.Add($"limit {MetricText.Limit(metric.Name, limit)}");
        }
        if (Avx2Text.Short(result.Measurements.Avx2) is { } elsewhere) details.Add(elsewhere);
        return details.Count == 0 ? text : $"{text} ({string.Join(", ", details)})";
    }

    private static string ReportPath(CompressionResult result, string baseFolder)
    {
        var path = Path.Combine(result.Request.Output, ReportWriter.Html);
        var relative = Path.GetRelativePath(baseFolder, path);
        return (relative.StartsWith("..", StringComparison.Ordinal) ? path : relative).Replace('\\', '/');
    }
}
