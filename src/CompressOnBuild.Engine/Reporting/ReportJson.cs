using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>
/// <c>report.json</c>, schema version 1: the deterministic facts. UTF-8, LF, members in a fixed order, arrays in the graph's order.
/// Equal inputs give equal bytes, so it holds no measurement, path, date or machine name. A member without a value is left out; so is a
/// number that is not finite.
/// </summary>
internal static class ReportJson
{
    public const int SchemaVersion = 1;

    public static byte[] Write(CompressionResult result)
    {
        var text = new PathFreeText(result);
        return Document(json =>
        {
            json.WriteNumber("schemaVersion", SchemaVersion);
            var (original, candidate) = result.Request.Names;
            json.WriteString("model", original);
            if (candidate is not null) json.WriteString("candidate", candidate);
            json.WriteString("verdict", Name(result.Verdict));
            Facts(json, "original", result.Original);
            Facts(json, "compressed", result.Compressed);
            Limits(json, result);
            json.WriteStartArray("weights");
            foreach (var weight in result.Weights)
            {
                json.WriteStartObject();
                json.WriteString("name", weight.Name);
                json.WriteString("operator", weight.Operator);
                Shape(json, weight.Shape);
                json.WriteString("technique", weight.Technique);
                json.WriteString("encoding", weight.Encoding);
                Number(json, "bits", weight.Bits);
                Number(json, "sparsity", weight.Sparsity);
                if (weight.Rank is { } rank) json.WriteNumber("rank", rank);
                json.WriteNumber("bytesBefore", weight.BytesBefore);
                json.WriteNumber("bytesAfter", weight.BytesAfter);
                Number(json, "signalToNoise", weight.SignalToNoise);
                json.WriteString("because", text.Of(weight.Because));
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteStartArray("skipped");
            foreach (var skipped in result.Skipped)
            {
                json.WriteStartObject();
                json.WriteString("name", skipped.Name);
                json.WriteString("operator", skipped.Operator);
                Shape(json, skipped.Shape);
                json.WriteNumber("bytes", skipped.Bytes);
                json.WriteString("code", skipped.Code);
                json.WriteString("because", text.Of(skipped.Because));
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteStartArray("steps");
            foreach (var step in result.Steps) json.WriteStringValue(text.Of(step));
            json.WriteEndArray();
            Diagnostics(json, "warnings", result.Warnings, result);
            Provenance(json, result.Provenance);
        });
    }

    public static string Name(Verdict verdict) => verdict switch
    {
        Verdict.Pass => "pass", Verdict.Fail => "fail", Verdict.Inconclusive => "inconclusive", _ => "unmeasured",
    };

    /// <summary>An indented object with LF line ends and one at the end.</summary>
    public static byte[] Document(Action<Utf8JsonWriter> members, JavaScriptEncoder? encoder = null)
    {
        var buffer = new ArrayBufferWriter<byte>();
        // Relaxed: quotes and accents stay readable. The files are data, nobody pastes them into HTML.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = encoder ?? JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    public static void Number(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number && double.IsFinite(number)) json.WriteNumber(name, number);
    }

    public static void Diagnostics(Utf8JsonWriter json, string name, IReadOnlyList<Diagnostic> diagnostics, CompressionResult result)
    {
        var text = new PathFreeText(result);
        json.WriteStartArray(name);
        foreach (var diagnostic in diagnostics)
        {
            json.WriteStartObject();
            json.WriteString("code", diagnostic.Code);
            json.WriteString("message", text.Of(diagnostic.Message));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void Facts(Utf8JsonWriter json, string name, ModelFacts facts)
    {
        json.WriteStartObject(name);
        json.WriteString("sha256", facts.Sha256);
        json.WriteNumber("bytes", facts.Bytes);
        json.WriteNumber("shippedBytes", facts.ShippedBytes);
        json.WriteNumber("parameters", facts.Parameters);
        json.WriteNumber("nonZeroParameters", facts.NonZeroParameters);
        json.WriteNumber("multiplyAdds", facts.MultiplyAdds);
        json.WriteEndObject();
    }

    private static void Limits(Utf8JsonWriter json, CompressionResult result)
    {
        json.WriteStartObject("limits");
        var primary = result.Measurements.Metrics.Count > 0 ? result.Measurements.Metrics[0] : null;
        if (primary is not null) json.WriteString("metric", primary.Name);
        // The default limit applies where nothing was asked for: the report says what the gate used.
        Number(json, "maxAccuracyDrop", primary?.Limit ?? result.Request.MaxAccuracyDrop);
        if (result.Request.Require.Count > 0)
        {
            json.WriteStartArray("require");
            foreach (var requirement in result.Request.Require)
            {
                json.WriteStartObject();
                json.WriteString("metric", requirement.Metric);
                json.WriteString("condition", requirement.AtLeast ? ">=" : "<=");
                Number(json, "value", requirement.Value);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        if (result.Request.MaxSize?.Bytes is { } bytes) json.WriteNumber("maxSizeBytes", bytes);
        Number(json, "maxSizeShare", result.Request.MaxSize?.Share);
        Number(json, "maxLatencyShare", result.Request.MaxLatency);
        json.WriteEndObject();
    }

    private static void Provenance(Utf8JsonWriter json, Provenance provenance)
    {
        json.WriteStartObject("provenance");
        json.WriteString("modelSha256", provenance.ModelSha256);
        if (provenance.RecipeName is { } recipe) json.WriteString("recipe", recipe);
        if (provenance.RecipeSha256 is { } recipeSha256) json.WriteString("recipeSha256", recipeSha256);
        if (provenance.CalibrationSha256 is { } calibration) json.WriteString("calibrationSha256", calibration);
        if (provenance.SelectionSha256 is { } selection) json.WriteString("selectionSha256", selection);
        if (provenance.GateSha256 is { } gate) json.WriteString("gateSha256", gate);
        if (provenance.EvaluatorSha256 is { } evaluator) json.WriteString("evaluatorSha256", evaluator);
        json.WriteString("toolVersion", provenance.ToolVersion);
        json.WriteString("onnxRuntimeVersion", provenance.OnnxRuntimeVersion);
        if (provenance.Runtime is { } runtime)
        {
            json.WriteStartObject("projectOnnxRuntime");
            json.WriteString("version", runtime.Version);
            json.WriteBoolean("assumed", runtime.IsAssumed);
            json.WriteString("capabilities", runtime.Capabilities);
            json.WriteEndObject();
        }
        json.WriteNumber("seed", provenance.Seed);
        json.WriteString("target", provenance.Target);
        json.WriteEndObject();
    }

    private static void Shape(Utf8JsonWriter json, IReadOnlyList<long> shape)
    {
        json.WriteStartArray("shape");
        foreach (var dimension in shape) json.WriteNumberValue(dimension);
        json.WriteEndArray();
    }
}
