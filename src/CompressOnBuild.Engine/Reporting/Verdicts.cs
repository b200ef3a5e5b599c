using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>The verdict in plain words, first in every report.</summary>
internal static class Verdicts
{
    /// <summary>One sentence on size and accuracy, with what was measured, how sure it is and what would make it surer; then one on the speed.</summary>
    public static string Sentence(CompressionResult result)
    {
        var (before, after) = (result.Original.ShippedBytes, result.Compressed.ShippedBytes);
        var size = before > 0 && after < before
            ? $"The model is {Figures.Bytes(after)} instead of {Figures.Bytes(before)} ({Figures.Share(after, before)})"
            : after == before ? $"The model has {Figures.Bytes(after)}, as many as before" : $"The model has {Figures.Bytes(after)}, more than before ({Figures.Bytes(before)})";
        var metrics = result.Measurements.Metrics;
        if (metrics.Count == 0)
            return $"{size}{(Broken(result).Any() ? $", but {Failures(result)}" : "")}. Its accuracy was not measured, because there was no data to measure it on.";
        var metric = metrics[0];
        var speed = result.Measurements.Latency is { } latency && result.Verdict != Verdict.Fail ? $" One run: {Figures.Speed(latency.SpeedupMedian)}." : "";
        return result.Verdict switch
        {
            Verdict.Pass => $"{size}, and {Values(metric)}{Certainty(metric)}{Same(result, metric)}.{speed}",
            Verdict.Fail when Failed(result) is [] && metric.Verdict == Verdict.Inconclusive && result.Request.Strict => $"{size}, and {Values(metric)}, but {Doubt(metric)}, and strict mode lets nothing pass that is not decided.",
            Verdict.Fail => $"{size}, but {Failures(result)}: {Values(metric)}{Certainty(metric)}.",
            Verdict.Inconclusive when metric.Passed => $"{size}, and {Values(metric)}{Certainty(metric)}{Same(result, metric)}, but on processors without VNNI so few samples do not decide.{speed}",
            _ => $"{size}, and {Values(metric)}, but {Doubt(metric)}{Same(result, metric)}.{speed}",
        };
    }

    public static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Pass => "Passed", Verdict.Fail => "Failed", Verdict.Inconclusive => "Inconclusive", _ => "Not measured",
    };

    private static string Values(MetricResult metric)
    {
        var samples = $"on {Figures.Count(metric.Samples)} samples";
        var (name, after) = (metric.Name, MetricText.Value(metric.Name, metric.Compressed));
        return !double.IsFinite(metric.Original) ? $"its {name} is {after} {samples}"
            : metric.Drop == 0 ? $"its {name} is unchanged at {after} {samples}"
            : $"its {name} went from {MetricText.Value(name, metric.Original)} to {after} {samples}";
    }

    // The worse end of the interval is what the limit is held against.
    private static string Certainty(MetricResult metric) => metric is not { Limit: { } limit, Confidence: { } interval } || !double.IsFinite(metric.Original) ? ""
        : BrokeLimit(metric) ? $" (a change of {MetricText.Change(metric.Name, interval.Low)} at best, {MetricText.Change(metric.Name, limit)} is allowed)"
        : interval.High == 0 && interval.Low == 0 ? ""
        : $" (at worst {MetricText.Change(metric.Name, interval.High)} with 95 % confidence, {MetricText.Change(metric.Name, limit)} is allowed)";

    private static string Doubt(MetricResult metric)
    {
        if (metric.Confidence is not { } interval || metric.Limit is not { } limit) return "so few samples, or samples that calibrated too, show nothing for sure";
        var possible = $"{MetricText.Change(metric.Name, interval.High)} cannot be excluded with 95 % confidence where {MetricText.Change(metric.Name, limit)} is allowed";
        return metric.SamplesToDecide is { } needed
            ? $"{possible}: about {Figures.Count(needed)} samples would decide, {Figures.Count(needed - metric.Samples)} more than these"
            : $"{possible}, and no number of samples would decide, because the change is the limit itself";
    }

    /// <summary>What needs no labels backs up what does.</summary>
    private static string Same(CompressionResult result, MetricResult primary)
    {
        if (primary.Name == "agreement" || result.Measurements.Metrics.FirstOrDefault(m => m.Name == "agreement") is not { } agreement) return "";
        return agreement.Compressed == 1 ? "; both models decide the same on every one of them" : $"; both models decide the same on {MetricText.Value(agreement.Name, agreement.Compressed)} of them";
    }

    private static List<MetricResult> Failed(CompressionResult result) => [.. result.Measurements.Metrics.Where(m => m.Verdict == Verdict.Fail)];

    // A metric fails for its drop, or for a value that Require asks for.
    private static bool BrokeLimit(MetricResult metric) => metric.Limit is { } limit && (metric.Confidence is { } interval ? interval.Low > limit : metric.Drop > limit);

    private static readonly (string Code, string What)[] Others =
    [
        (Codes.Regressed, "MaxRegression"), (Codes.TooLarge, "MaxSize"), (Codes.TooSlow, "MaxLatency"), (Codes.Grew, "the aim of a smaller model"),
    ];

    private static IEnumerable<string> Broken(CompressionResult result) => Others.Where(o => result.Errors.Any(e => e.Code == o.Code)).Select(o => o.What);

    private static string Failures(CompressionResult result)
    {
        var failed = Failed(result);
        List<string> reasons = [.. Named("the limit for", failed.Where(BrokeLimit)), .. Named("the requirement on", failed.Where(m => !BrokeLimit(m))),
            .. failed.Count == 0 && Avx2Text.Failed(result.Measurements.Avx2).ToList() is { Count: > 0 } there ? [$"on processors without VNNI the limit for {string.Join(" and ", there)}"] : Array.Empty<string>(), .. Broken(result)];
        return (reasons.Count == 0 ? "a limit" : string.Join(" and ", reasons)) + " is not met";
    }

    private static IEnumerable<string> Named(string what, IEnumerable<MetricResult> metrics)
    {
        var names = string.Join(" and ", metrics.Select(m => m.Name));
        if (names.Length > 0) yield return $"{what} {names}";
    }
}
