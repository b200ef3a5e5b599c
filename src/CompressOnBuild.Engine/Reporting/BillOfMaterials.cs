using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>
/// CycloneDX 1.6 (ECMA-424), JSON: the project's compressed models as machine-learning-model components, each with its hash, its model card and
/// its pedigree: the original's hash and what was done. Equal results give equal bytes: no serial number and no time.
/// </summary>
internal static class BillOfMaterials
{
    public static byte[] Write(BuildLog log) => ReportJson.Document(json =>
    {
        json.WriteString("$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json");
        json.WriteString("bomFormat", "CycloneDX");
        json.WriteString("specVersion", "1.6");
        json.WriteNumber("version", 1);
        json.WriteStartObject("metadata");
        json.WriteStartObject("tools");
        json.WriteStartArray("components");
        json.WriteStartObject();
        json.WriteString("type", "application");
        json.WriteString("name", "CompressOnBuild");
        json.WriteString("version", Compressor.ToolVersion);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartObject("component");
        json.WriteString("type", "application");
        json.WriteString("bom-ref", "project");
        Text(json, "name", log.Name);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartArray("components");
        for (var i = 0; i < log.Models.Count; i++)
            if (log.Models[i].Result is { } result) Model(json, log.Models[i].Name, string.Create(CultureInfo.InvariantCulture, $"model-{i + 1}"), result);
        json.WriteEndArray();
    }, JavaScriptEncoder.Default);

    private static void Model(Utf8JsonWriter json, string name, string reference, LoggedResult result)
    {
        json.WriteStartObject();
        json.WriteString("type", "machine-learning-model");
        json.WriteString("bom-ref", reference);
        Text(json, "name", name);
        Hash(json, result.Compressed.Sha256);
        json.WriteStartObject("pedigree");
        json.WriteStartArray("ancestors");
        json.WriteStartObject();
        json.WriteString("type", "machine-learning-model");
        json.WriteString("bom-ref", reference + "-original");
        Text(json, "name", name);
        Hash(json, result.Original.Sha256);
        Properties(json, ("bytes", Whole(result.Original.Bytes)), ("parameters", Whole(result.Original.Parameters)));
        json.WriteEndObject();
        json.WriteEndArray();
        var made = result.Recipe is { } recipe ? $"compressed {result.WeightsCompressed} weights with the recipe '{recipe}' of CompressOnBuild {result.ToolVersion}" : $"compared by CompressOnBuild {result.ToolVersion}";
        Text(json, "notes", string.Join("; ", result.Steps.Append(made)));
        json.WriteEndObject();
        json.WriteStartObject("modelCard");
        json.WriteStartObject("quantitativeAnalysis");
        json.WriteStartArray("performanceMetrics");
        foreach (var metric in result.Metrics)
        {
            Metric(json, metric.Name, metric.Compressed, metric.Samples, null);
            Metric(json, metric.Name + " of the original", metric.Original, metric.Samples, null);
            Metric(json, metric.Name + " drop", metric.Drop, metric.Samples, metric.Confidence);
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        Properties(json, ("bytes", Whole(result.Compressed.Bytes)), ("parameters", Whole(result.Compressed.Parameters)), ("verdict", ReportJson.Name(result.Verdict)));
        json.WriteEndObject();
    }

    private static void Metric(Utf8JsonWriter json, string type, double value, int samples, Interval? interval)
    {
        if (!double.IsFinite(value)) return;
        json.WriteStartObject();
        Text(json, "type", type);
        json.WriteString("value", Real(value));
        json.WriteString("slice", string.Create(CultureInfo.InvariantCulture, $"gate split, {samples} samples"));
        if (interval is not null)
        {
            json.WriteStartObject("confidenceInterval");
            json.WriteString("lowerBound", Real(interval.Low));
            json.WriteString("upperBound", Real(interval.High));
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void Hash(Utf8JsonWriter json, string sha256)
    {
        json.WriteStartArray("hashes");
        json.WriteStartObject();
        json.WriteString("alg", "SHA-256");
        json.WriteString("content", sha256);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void Properties(Utf8JsonWriter json, params (string Name, string Value)[] properties)
    {
        json.WriteStartArray("properties");
        foreach (var (name, value) in properties)
        {
            json.WriteStartObject();
            json.WriteString("name", "compressonbuild:" + name);
            json.WriteString("value", value);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void Text(Utf8JsonWriter json, string name, string text) => json.WriteString(name, ConsoleText.Visible(text));
    private static string Whole(long value) => value.ToString(CultureInfo.InvariantCulture);
    private static string Real(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
