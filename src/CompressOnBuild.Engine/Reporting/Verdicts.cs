namespace CompressOnBuild.Reporting;

/// <summary>The verdict in one plain sentence, first in every report.</summary>
internal static class Verdicts
{
    public static string Sentence(CompressionResult result)
    {
        var (before, after) = (result.Original.ShippedBytes, result.Compressed.ShippedBytes);
        var speed = result.Measurements.Latency is { } latency ? $" One run: {Figures.Speed(latency.SpeedupMedian)}." : "";
        var size = before > 0 && after < before
            ? $"The model is {Figures.Bytes(after)} instead of {Figures.Bytes(before)} ({Figures.Share(after, before)})"
            : $"The model has {Figures.Bytes(after)}, as many as before or more ({Figures.Bytes(before)})";
        var metrics = result.Measurements.Metrics;
        if (metrics.Count == 0)
            return $"{size}. Its accuracy was not measured, because there was no data to measure it on.";
        var metric = metrics[0];
        var values = double.IsFinite(metric.Original)
            ? $"its {metric.Name} went from {MetricText.Value(metric.Name, metric.Original)} to {MetricText.Value(metric.Name, metric.Compressed)}"
            : $"its {metric.Name} is {MetricText.Value(metric.Name, metric.Compressed)}";
        if (double.IsFinite(metric.Original) && metric.Drop == 0) values = $"its {metric.Name} is unchanged at {MetricText.Value(metric.Name, metric.Compressed)}";
        var limit = metric.Limit is { } l ? $" ({MetricText.Change(metric.Name, l)} is allowed)" : "";
        return result.Verdict switch
        {
            Verdict.Pass => $"{size}, and {values}{limit}.{speed}",
            Verdict.Fail => $"{size}, but {values}{limit}: {Failures(result)}.",
            Verdict.Inconclusive => $"{size}, and {values}{limit}, but {Figures.Count(metric.Samples)} samples are too few to be sure.{speed}",
            _ => $"{size}, and {values}, but the verdict is open.",
        };
    }

    public static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Pass => "Passed", Verdict.Fail => "Failed", Verdict.Inconclusive => "Inconclusive", _ => "Not measured",
    };

    private static string Failures(CompressionResult result)
    {
        var failed = result.Measurements.Metrics.Where(m => m.Verdict == Verdict.Fail).Select(m => m.Name).ToList();
        if (failed.Count == 0 && Avx2Text.Failed(result.Measurements.Avx2).ToList() is { Count: > 0 } there) return $"on processors without VNNI the limit for {string.Join(" and ", there)} is not met";
        return failed.Count == 0 ? "a limit is not met" : $"the limit for {string.Join(" and ", failed)} is not met";
    }
}
