namespace CompressOnBuild.Reporting;

/// <summary>Leaves the reports of one result in its output folder.</summary>
public static class ReportWriter
{
    public const string Json = "report.json";
    public const string Measurements = "measurements.json";
    public const string Markdown = "report.md";
    public const string Html = "report.html";

    /// <summary>The files that <see cref="Write"/> leaves.</summary>
    public static IReadOnlyList<string> Files { get; } = [Json, Measurements, Markdown, Html];

    /// <summary>Writes all four; each file is replaced as a whole.</summary>
    /// <exception cref="Diagnostics.CompressionException">COB5001: the folder cannot be written.</exception>
    public static void Write(CompressionResult result, string folder)
    {
        ArgumentNullException.ThrowIfNull(result);
        // Everything is made before anything is replaced.
        var (json, measurements) = (ReportJson.Write(result), MeasurementsJson.Write(result));
        var (markdown, html) = (MarkdownReport.Write(result), HtmlReport.Write(result));
        OutputFile.Write(Path.Combine(folder, Json), s => s.Write(json));
        OutputFile.Write(Path.Combine(folder, Measurements), s => s.Write(measurements));
        OutputFile.WriteText(Path.Combine(folder, Markdown), markdown);
        OutputFile.WriteText(Path.Combine(folder, Html), html);
    }
}
