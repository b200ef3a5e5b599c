using System.Text.Json;
using System.Text.Json.Nodes;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>A metric before and after, with the 95 % interval of the drop where there is one.</summary>
internal sealed record MetricChange(string Name, double Original, double Compressed, double Drop, double? Low, double? High, int Samples);

/// <summary>
/// What one recipe made of one model. Sizes in bytes; latency ratio = compressed / original (below 1 is faster); <paramref name="Transformed"/>:
/// share of the eligible weight bytes; seconds and peak bytes are those of the whole worker process.
/// </summary>
internal sealed record ZooRow(string Model, string Recipe)
{
    public long OriginalBytes { get; init; }
    public long Bytes { get; init; }
    public long ShippedBytes { get; init; }
    public double? Latency { get; init; }
    public double? LatencyMin { get; init; }
    public double? LatencyMax { get; init; }
    public IReadOnlyList<MetricChange> Metrics { get; init; } = [];
    public string Verdict { get; init; } = "";
    public double? Transformed { get; init; }
    public double Seconds { get; init; }
    public long PeakBytes { get; init; }
    /// <summary>Why there are no figures, or which ones break a promise.</summary>
    public string? Message { get; init; }
    /// <summary>Whether the run as a whole fails because of this row.</summary>
    public bool Failed { get; init; }

    public double Share => (double)Bytes / OriginalBytes;

    // Left alone because nothing could be gained: no weight that a technique could have taken.
    private static readonly string[] NotEligible = ["COB2101", "COB2102"];
    // A missed limit is a finding about any recipe but 'auto', which exists to keep it. Every other error is one of the run.
    private static readonly string[] MissedLimits = ["COB4001", "COB4002", "COB4003", "COB4004", "COB4006"];

    public static ZooRow Skipped(string model, string recipe, string why) => new(model, recipe) { Verdict = "skipped", Message = why };

    /// <summary>Reads the JSON object that the worker printed.</summary>
    public static ZooRow Read(string model, string recipe, WorkerRun run)
    {
        var row = new ZooRow(model, recipe) { Seconds = run.Seconds, PeakBytes = run.PeakBytes };
        JsonObject printed;
        try { printed = JsonNode.Parse(run.Output)!.AsObject(); }
        catch (JsonException) { return row with { Verdict = "error", Failed = true, Message = $"exit code {run.ExitCode}, no JSON: {(run.Output + run.Error).Trim()}" }; }
        if (printed["report"] is not { } report || printed["measurements"] is not { } measurements)
        {
            var errors = printed["diagnostics"]!.AsArray().Where(d => (string?)d!["severity"] == "error").Select(d => (Code: (string?)d!["code"], Message: (string?)d["message"])).ToList();
            return row with
            {
                Verdict = errors.Count > 0 ? errors[0].Code! : "error",
                Message = string.Join(" ", errors.Select(e => $"{e.Code}: {e.Message}")),
                Failed = recipe == "auto" || run.ExitCode is not 1 || errors.Any(e => !MissedLimits.Contains(e.Code)),
            };
        }
        var metrics = measurements["metrics"]!.AsArray().Select(m => new MetricChange((string)m!["name"]!, (double?)m["original"] ?? double.NaN, (double?)m["compressed"] ?? double.NaN,
            (double?)m["drop"] ?? double.NaN, (double?)m["confidence"]?[0], (double?)m["confidence"]?[1], (int)m["samples"]!)).ToList();
        double taken = report["weights"]!.AsArray().Sum(w => (double)w!["bytesBefore"]!);
        double left = report["skipped"]!.AsArray().Where(s => !NotEligible.Contains((string?)s!["code"])).Sum(s => (double)s!["bytes"]!);
        row = row with
        {
            OriginalBytes = (long)report["original"]!["bytes"]!,
            Bytes = (long)report["compressed"]!["bytes"]!,
            ShippedBytes = (long)report["compressed"]!["shippedBytes"]!,
            Latency = 1 / (double?)measurements["speedup"]?["median"],
            LatencyMin = 1 / (double?)measurements["speedup"]?["max"],
            LatencyMax = 1 / (double?)measurements["speedup"]?["min"],
            Metrics = metrics,
            Verdict = (string)report["verdict"]!,
            Transformed = taken + left > 0 ? taken / (taken + left) : null,
            PeakBytes = Math.Max(run.PeakBytes, (long?)measurements["peakMemoryBytes"] ?? 0),
        };
        if (row.Bytes > row.OriginalBytes) return row with { Failed = true, Message = "larger than the original" };
        return row.Verdict == "fail" ? row with { Failed = recipe == "auto", Message = "below the gate" } : row;
    }
}
