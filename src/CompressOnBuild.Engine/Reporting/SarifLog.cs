using System.Text.Encodings.Web;
using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>
/// SARIF 2.1.0 (OASIS): every error and warning of the project's models as a result, every code that occurs as a rule with its page. Places are
/// relative to <c>%SRCROOT%</c>, the name that code scanning gives the root of the repository, and hold no folder of this machine.
/// </summary>
internal static class SarifLog
{
    private const string Root = "%SRCROOT%";

    public static byte[] Write(BuildLog log)
    {
        var diagnostics = log.AllDiagnostics.ToArray();
        string[] codes = [.. diagnostics.Select(d => d.Code).Distinct().Order(StringComparer.Ordinal)];
        return ReportJson.Document(json =>
        {
            json.WriteString("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
            json.WriteString("version", "2.1.0");
            json.WriteStartArray("runs");
            json.WriteStartObject();
            json.WriteStartObject("tool");
            json.WriteStartObject("driver");
            json.WriteString("name", "CompressOnBuild");
            json.WriteString("version", Compressor.ToolVersion);
            json.WriteString("semanticVersion", Compressor.ToolVersion);
            json.WriteStartArray("rules");
            foreach (var code in codes) Rule(json, code, diagnostics.First(d => d.Code == code).Severity);
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteStartArray("invocations");
            json.WriteStartObject();
            json.WriteBoolean("executionSuccessful", !log.HasErrors);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteStartObject("originalUriBaseIds");
            json.WriteStartObject(Root);
            Text(json, "description", "The root of the repository, or the folder of the project where there is none.");
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteString("columnKind", "utf16CodeUnits");
            json.WriteStartArray("results");
            foreach (var diagnostic in diagnostics) Result(json, log, diagnostic, Array.IndexOf(codes, diagnostic.Code));
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndArray();
        }, JavaScriptEncoder.Default); // viewers put it into pages
    }

    private static void Rule(Utf8JsonWriter json, string code, Severity severity)
    {
        json.WriteStartObject();
        json.WriteString("id", code);
        if (DiagnosticPages.Get(code) is { } page)
        {
            var title = page.Split('\n')[0];
            Text(json, "shortDescription", title[(title.IndexOf(": ", StringComparison.Ordinal) + 2)..]);
            json.WriteStartObject("help");
            json.WriteString("text", page);
            json.WriteString("markdown", page);
            json.WriteEndObject();
        }
        json.WriteStartObject("defaultConfiguration");
        json.WriteString("level", Level(severity));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Result(Utf8JsonWriter json, BuildLog log, Diagnostic diagnostic, int rule)
    {
        json.WriteStartObject();
        json.WriteString("ruleId", diagnostic.Code);
        json.WriteNumber("ruleIndex", rule);
        json.WriteString("level", Level(diagnostic.Severity));
        // "[text](target)" in a message is a link.
        Text(json, "message", ConsoleText.Line(log.PathFree(diagnostic.Message)).Replace("](", "] (", StringComparison.Ordinal));
        if (diagnostic.File is { Length: > 0 } file)
        {
            json.WriteStartArray("locations");
            json.WriteStartObject();
            json.WriteStartObject("physicalLocation");
            json.WriteStartObject("artifactLocation");
            if (log.Relative(file) is { } relative)
            {
                json.WriteString("uri", Uri(relative));
                json.WriteString("uriBaseId", Root);
            }
            else json.WriteString("uri", Uri(Path.GetFileName(file)));
            json.WriteEndObject();
            if (diagnostic.Line > 0)
            {
                json.WriteStartObject("region");
                json.WriteNumber("startLine", diagnostic.Line);
                if (diagnostic.Column > 0) json.WriteNumber("startColumn", diagnostic.Column);
                json.WriteEndObject();
            }
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static string Level(Severity severity) => severity switch { Severity.Error => "error", Severity.Warning => "warning", _ => "note" };

    // Lone surrogates have no escape of their own.
    private static string Uri(string path) => string.Join('/', path.Split('/').Select(part => System.Uri.EscapeDataString(ConsoleText.Visible(part))));

    private static void Text(Utf8JsonWriter json, string name, string text)
    {
        json.WriteStartObject(name);
        json.WriteString("text", text);
        json.WriteEndObject();
    }
}
