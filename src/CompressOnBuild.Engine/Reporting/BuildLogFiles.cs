using System.Text;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>Which logs of a build are asked for, each with the file it goes to; null: not this one.</summary>
/// <param name="ErrorLog">SARIF.</param>
/// <param name="TestLog">JUnit XML.</param>
/// <param name="Bom">CycloneDX; removed when the build failed: that of an earlier build would list what this one did not make.</param>
/// <param name="Summary">Markdown, replaced.</param>
/// <param name="AppendedSummary">Markdown, appended unless the file already holds the very same text.</param>
internal sealed record BuildLogFiles(string? ErrorLog = null, string? TestLog = null, string? Bom = null, string? Summary = null, string? AppendedSummary = null)
{
    public bool IsEmpty => ErrorLog is null && TestLog is null && Bom is null && Summary is null && AppendedSummary is null;

    /// <summary>Writes them. A log that only a build server reads never fails a build: what is wrong with it is returned as a warning.</summary>
    /// <exception cref="CompressionException">COB5001: one of the first three cannot be written or removed.</exception>
    public IReadOnlyList<Diagnostic> Write(BuildLog log)
    {
        ArgumentNullException.ThrowIfNull(log);
        // First: it must not survive because another file could not be written.
        if (Bom is not null && log.HasErrors) OutputFile.Delete(Bom);
        if (ErrorLog is not null) Replace(ErrorLog, SarifLog.Write(log));
        if (TestLog is not null) Replace(TestLog, Reporting.TestLog.Write(log));
        if (Bom is not null && !log.HasErrors) Replace(Bom, BillOfMaterials.Write(log));
        var warnings = new List<Diagnostic>();
        foreach (var (file, write) in new (string?, Action<string, byte[]>)[] { (Summary, Replace), (AppendedSummary, Append) })
        {
            if (file is null) continue;
            try { write(file, Encoding.UTF8.GetBytes(StepSummary.Write(log))); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException or CompressionException)
            {
                warnings.Add(new Diagnostic(Severity.Warning, Codes.SummaryNotWritten, $"the summary for the build server cannot be written: {e.Message} Valid is a file that can be written. The build goes on without it.", file));
            }
        }
        return warnings;
    }

    private static void Replace(string file, byte[] content) => OutputFile.Write(file, stream => stream.Write(content));

    private static void Append(string file, byte[] content)
    {
        using var stream = Open(file);
        var old = new byte[stream.Length];
        stream.ReadExactly(old);
        // The builds of several frameworks, and a second build in the same step, have nothing new to say.
        if (old.AsSpan().IndexOf(content) >= 0) return;
        if (old.Length > 0 && old[^1] != '\n') stream.WriteByte((byte)'\n');
        if (old.Length > 0) stream.WriteByte((byte)'\n');
        stream.Write(content);
    }

    private static FileStream Open(string file)
    {
        for (var attempt = 0; ; attempt++)
        {
            try { return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None); }
            catch (IOException) when (attempt < 100 && File.Exists(file)) { Thread.Sleep(20); } // another project's build writes its own
        }
    }
}
