using System.Text.Json;

namespace CompressOnBuild.Reporting;

/// <summary>
/// <c>measurements.json</c>, schema version 1: what differs between machines and runs. Never embedded, never part of a key. A member
/// without a finite value is left out (the SQNR of the original against itself is infinite).
/// </summary>
internal static class MeasurementsJson
{
    public static byte[] Write(CompressionResult result) => ReportJson.Document(json =>
    {
        var measured = result.Measurements;
        json.WriteNumber("schemaVersion", ReportJson.SchemaVersion);
        Metrics(json, measured.Metrics);
        if (measured.Avx2 is { } avx2) Avx2(json, avx2);
        if (measured.Latency is { } latency)
        {
            ReportJson.Number(json, "latencyOriginalMs", latency.OriginalMs);
            ReportJson.Number(json, "latencyCompressedMs", latency.CompressedMs);
            json.WriteStartObject("speedup");
            ReportJson.Number(json, "min", latency.SpeedupMin);
            ReportJson.Number(json, "median", latency.SpeedupMedian);
            ReportJson.Number(json, "max", latency.SpeedupMax);
            json.WriteEndObject();
        }
        json.WriteNumber("peakMemoryBytes", measured.PeakMemoryBytes);
        ReportJson.Number(json, "seconds", measured.Seconds);
        json.WriteString("processor", measured.Processor);
        json.WriteStartArray("instructionSets");
        foreach (var set in measured.InstructionSets) json.WriteStringValue(set);
        json.WriteEndArray();
        json.WriteString("onnxRuntime", measured.OnnxRuntime);
        json.WriteStartArray("candidates");
        foreach (var candidate in measured.Candidates)
        {
            json.WriteStartObject();
            json.WriteString("name", candidate.Name);
            json.WriteNumber("bytes", candidate.Bytes);
            ReportJson.Number(json, "metric", candidate.Metric);
            ReportJson.Number(json, "drop", candidate.Drop);
            ReportJson.Number(json, "estimatedCost", candidate.EstimatedCost);
            json.WriteBoolean("chosen", candidate.Chosen);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (measured.Changes is { } changes) Changes(json, changes);
        if (result.Errors.Count > 0) ReportJson.Diagnostics(json, "errors", result.Errors, result); // a broken MaxLatency names a time
    });

    private static void Changes(Utf8JsonWriter json, OutputChanges changes)
    {
        json.WriteStartObject("changes");
        json.WriteNumber("samples", changes.Samples);
        json.WriteNumber("equal", changes.Equal);
        ReportJson.Number(json, "medianSignalToNoise", changes.MedianSignalToNoise);
        json.WriteStartArray("signalToNoise");
        foreach (var bin in changes.Histogram)
        {
            json.WriteStartObject();
            json.WriteNumber("from", bin.Low);
            json.WriteNumber("to", bin.High);
            json.WriteNumber("samples", bin.Samples);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNumber("decided", changes.Decided);
        json.WriteNumber("changed", changes.Changed);
        json.WriteNumber("rightToWrong", changes.RightToWrong);
        json.WriteNumber("wrongToRight", changes.WrongToRight);
        json.WriteStartArray("pairs");
        foreach (var pair in changes.Pairs)
        {
            json.WriteStartObject();
            json.WriteString("original", pair.Original);
            json.WriteString("compressed", pair.Compressed);
            json.WriteNumber("samples", pair.Samples);
            json.WriteNumber("rightToWrong", pair.RightToWrong);
            json.WriteNumber("wrongToRight", pair.WrongToRight);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("worst");
        foreach (var sample in changes.Worst)
        {
            json.WriteStartObject();
            json.WriteString("id", sample.Id);
            ReportJson.Number(json, "signalToNoise", sample.SignalToNoise);
            if (sample.Label is not null) json.WriteString("label", sample.Label);
            if (sample.Original is not null) json.WriteString("original", sample.Original);
            if (sample.Compressed is not null) json.WriteString("compressed", sample.Compressed);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Metrics(Utf8JsonWriter json, IReadOnlyList<MetricResult> metrics)
    {
        json.WriteStartArray("metrics");
        foreach (var metric in metrics)
        {
            json.WriteStartObject();
            json.WriteString("name", metric.Name);
            ReportJson.Number(json, "original", metric.Original);
            ReportJson.Number(json, "compressed", metric.Compressed);
            ReportJson.Number(json, "drop", metric.Drop);
            ReportJson.Number(json, "limit", metric.Limit);
            json.WriteNumber("samples", metric.Samples);
            if (metric.Confidence is { } interval && double.IsFinite(interval.Low) && double.IsFinite(interval.High))
            {
                json.WriteStartArray("confidence");
                json.WriteNumberValue(interval.Low);
                json.WriteNumberValue(interval.High);
                json.WriteEndArray();
            }
            if (metric.Worse is { } worse) json.WriteNumber("worse", worse);
            if (metric.Better is { } better) json.WriteNumber("better", better);
            if (metric.SamplesToDecide is { } needed) json.WriteNumber("samplesToDecide", needed);
            json.WriteBoolean("passed", metric.Passed);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    // The accuracy on x64 processors without VNNI.
    private static void Avx2(Utf8JsonWriter json, Avx2Accuracy avx2)
    {
        json.WriteStartObject("avx2");
        json.WriteString("basis", avx2.Basis.ToString().ToLowerInvariant());
        json.WriteNumber("products", avx2.Products);
        if (avx2.Metrics.Count > 0) Metrics(json, avx2.Metrics);
        json.WriteNumber("countedSamples", avx2.CountedSamples);
        json.WriteStartArray("saturatingWeights");
        foreach (var weight in avx2.Weights)
        {
            json.WriteStartObject();
            json.WriteString("name", weight.Name);
            json.WriteString("operator", weight.Operator);
            json.WriteNumber("pairs", weight.Pairs);
            json.WriteNumber("canSaturate", weight.CanSaturate);
            json.WriteNumber("counted", weight.Counted);
            json.WriteNumber("saturated", weight.Saturated);
            if (weight.NotEmulated is { } reason) json.WriteString("notEmulated", reason);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
