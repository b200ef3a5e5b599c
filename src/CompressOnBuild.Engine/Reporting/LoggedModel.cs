using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>One model in a <see cref="BuildLog"/>. <paramref name="File"/> is the original's path; <paramref name="Result"/> is null when the last run ended before it measured.</summary>
internal sealed record LoggedModel(string Name, string File, LoggedResult? Result, IReadOnlyList<Diagnostic> Diagnostics)
{
    public IEnumerable<Diagnostic> Errors => Diagnostics.Where(d => d.Severity == Severity.Error);

    /// <summary>Reads what lies in a folder of reports.</summary>
    /// <param name="file">The original's path.</param>
    /// <param name="folder">The folder; null: the last run left none.</param>
    /// <param name="diagnostics">What the last run said.</param>
    /// <exception cref="CompressionException">COB5003: the stored result is damaged.</exception>
    public static LoggedModel Read(string file, string? folder, IReadOnlyList<Diagnostic> diagnostics) =>
        new(Path.GetFileName(file), file, folder is null ? null : LoggedResult.Read(folder), diagnostics);
}

/// <summary>What the logs say of one result, from its <c>report.json</c> and <c>measurements.json</c>.</summary>
internal sealed record LoggedResult
{
    public required Verdict Verdict { get; init; }
    public required ModelFacts Original { get; init; }
    public required ModelFacts Compressed { get; init; }
    public IReadOnlyList<MetricResult> Metrics { get; init; } = [];
    public Latency? Latency { get; init; }
    public IReadOnlyList<Requirement> Require { get; init; } = [];
    public SizeLimit? MaxSize { get; init; }
    public double? MaxLatency { get; init; }
    public IReadOnlyList<string> Steps { get; init; } = [];
    public int WeightsCompressed { get; init; }
    public string? Recipe { get; init; }
    public string ToolVersion { get; init; } = "";
    public double Seconds { get; init; }

    /// <summary>Null when there is no result.</summary>
    /// <exception cref="CompressionException">COB5003.</exception>
    public static LoggedResult? Read(string folder)
    {
        string report = Path.Combine(folder, ReportWriter.Json), measurements = Path.Combine(folder, ReportWriter.Measurements);
        if (!System.IO.File.Exists(report) || !System.IO.File.Exists(measurements)) return null;
        var at = report;
        try
        {
            using var facts = JsonDocument.Parse(System.IO.File.ReadAllBytes(report));
            at = measurements;
            using var measured = JsonDocument.Parse(System.IO.File.ReadAllBytes(measurements));
            return Read(facts.RootElement, measured.RootElement);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.StoredResultUnreadable, $"the stored result cannot be read: {e.Message} Valid is the file as the last run left it. Delete its folder and build again.", at, inner: e);
        }
    }

    private static LoggedResult Read(JsonElement report, JsonElement measured)
    {
        var limits = report.GetProperty("limits");
        var provenance = report.GetProperty("provenance");
        return new LoggedResult
        {
            Verdict = report.GetProperty("verdict").GetString() switch { "pass" => Verdict.Pass, "fail" => Verdict.Fail, "inconclusive" => Verdict.Inconclusive, _ => Verdict.Unmeasured },
            Original = Facts(report.GetProperty("original")),
            Compressed = Facts(report.GetProperty("compressed")),
            Metrics = [.. measured.GetProperty("metrics").EnumerateArray().Select(Metric)],
            Latency = Number(measured, "latencyOriginalMs") is { } before && Number(measured, "latencyCompressedMs") is { } after && measured.TryGetProperty("speedup", out var speedup)
                ? new Latency(before, after, Number(speedup, "min") ?? double.NaN, Number(speedup, "median") ?? double.NaN, Number(speedup, "max") ?? double.NaN) : null,
            Require = limits.TryGetProperty("require", out var require)
                ? [.. require.EnumerateArray().Select(r => new Requirement(r.GetProperty("metric").GetString()!, r.GetProperty("condition").GetString() == ">=", Number(r, "value") ?? double.NaN))] : [],
            MaxSize = limits.TryGetProperty("maxSizeBytes", out var bytes) ? new SizeLimit(bytes.GetInt64(), null) : Number(limits, "maxSizeShare") is { } share ? new SizeLimit(null, share) : null,
            MaxLatency = Number(limits, "maxLatencyShare"),
            Steps = [.. report.GetProperty("steps").EnumerateArray().Select(s => s.GetString()!)],
            WeightsCompressed = report.GetProperty("weights").GetArrayLength(),
            Recipe = provenance.TryGetProperty("recipe", out var recipe) ? recipe.GetString() : null,
            ToolVersion = provenance.GetProperty("toolVersion").GetString()!,
            Seconds = Number(measured, "seconds") ?? 0,
        };
    }

    private static ModelFacts Facts(JsonElement facts) => new(facts.GetProperty("sha256").GetString()!, facts.GetProperty("bytes").GetInt64(), facts.GetProperty("shippedBytes").GetInt64(),
        facts.GetProperty("parameters").GetInt64(), facts.GetProperty("nonZeroParameters").GetInt64(), facts.GetProperty("multiplyAdds").GetInt64());

    // What is not finite is left out of the file.
    private static MetricResult Metric(JsonElement metric) => new(metric.GetProperty("name").GetString()!, Number(metric, "original") ?? double.NaN, Number(metric, "compressed") ?? double.NaN,
        Number(metric, "drop") ?? double.NaN, Number(metric, "limit"), metric.GetProperty("samples").GetInt32(),
        metric.TryGetProperty("confidence", out var c) ? new Interval(c[0].GetDouble(), c[1].GetDouble()) : null, metric.GetProperty("passed").GetBoolean());

    private static double? Number(JsonElement owner, string name) => owner.TryGetProperty(name, out var value) ? value.GetDouble() : null;
}
