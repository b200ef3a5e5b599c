using System.Text;
using System.Text.Json;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Worker;

/// <summary>For scripts: nothing but one JSON object at the end, with the diagnostics and what the reports hold.</summary>
internal sealed class JsonLog(TextWriter output) : ConsoleLog
{
    private string? summary;

    public override void Summary(string line) => summary = line;

    public override void Finish(int exitCode, CompressionResult? result)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteNumber("exitCode", exitCode);
            json.WriteStartArray("diagnostics");
            foreach (var d in Diagnostics)
            {
                json.WriteStartObject();
                json.WriteString("severity", DiagnosticFormat.Word(d.Severity));
                json.WriteString("code", d.Code);
                if (d.File is not null) json.WriteString("file", d.File);
                if (d.Line > 0) json.WriteNumber("line", d.Line);
                if (d.Column > 0) json.WriteNumber("column", d.Column);
                json.WriteString("message", d.Message);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            if (summary is not null) json.WriteString("summary", summary);
            if (result is not null)
            {
                if (!result.Request.PlanOnly) json.WriteString("output", result.OutputModel);
                Include(json, "report", ReportJson.Write(result));
                Include(json, "measurements", MeasurementsJson.Write(result));
            }
            json.WriteEndObject();
        }
        // The agents of build servers obey '##...[' anywhere in a line that a tool prints; the same text can be spelled otherwise.
        output.Write(Encoding.UTF8.GetString(buffer.ToArray()).Replace("##", "\\u0023\\u0023", StringComparison.Ordinal) + "\n");
        output.Flush();
    }

    protected override void Alive(string text) { }
    protected override void Tell(Diagnostic diagnostic) { }

    private static void Include(Utf8JsonWriter json, string name, byte[] text)
    {
        json.WritePropertyName(name);
        using var document = JsonDocument.Parse(text);
        document.RootElement.WriteTo(json);
    }
}
