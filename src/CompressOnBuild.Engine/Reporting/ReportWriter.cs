using System.Text;

namespace CompressOnBuild.Reporting;

/// <summary>Leaves the reports of one result in its output folder.</summary>
public static class ReportWriter
{
    /// <summary>Deterministic facts: same inputs, same bytes.</summary>
    public const string Json = "report.json";
    /// <summary>What differs between machines and runs.</summary>
    public const string Measurements = "measurements.json";
    /// <summary>The report for pull requests and build summaries.</summary>
    public const string Markdown = "report.md";
    /// <summary>The report for readers, one file without references.</summary>
    public const string Html = "report.html";

    /// <summary>The files that <see cref="Write"/> leaves.</summary>
    public static IReadOnlyList<string> Files { get; } = [Json, Measurements, Markdown, Html];

    /// <summary>Writes all four; they replace the old ones together.</summary>
    /// <exception cref="Diagnostics.CompressionException">COB5001: the folder cannot be written.</exception>
    public static void Write(CompressionResult result, string folder)
    {
        using var batch = new OutputBatch();
        Add(batch, result, folder);
        batch.Commit();
    }

    /// <summary>Adds all four to files that are replaced together.</summary>
    /// <exception cref="Diagnostics.CompressionException">COB5001: the folder cannot be written.</exception>
    internal static void Add(OutputBatch batch, CompressionResult result, string folder)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(result);
        foreach (var (name, bytes) in new[] { (Json, ReportJson.Write(result)), (Measurements, MeasurementsJson.Write(result)),
            (Markdown, Encoding.UTF8.GetBytes(MarkdownReport.Write(result))), (Html, Encoding.UTF8.GetBytes(HtmlReport.Write(result))) })
            batch.Add(Path.Combine(folder, name), stream => stream.Write(bytes));
    }
}
