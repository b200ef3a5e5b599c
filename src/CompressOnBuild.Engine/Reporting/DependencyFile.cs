using System.Globalization;
using System.Text;

namespace CompressOnBuild.Reporting;

/// <summary>
/// <c>inputs.txt</c> and <c>accessor.txt</c>: what the build's targets read to know, without starting the worker, whether the output is
/// still current and which names the accessor has. UTF-8, LF. Written last, so an interrupted run leaves the old list, which is then stale.
/// </summary>
internal static class DependencyFile
{
    public const string Inputs = "inputs.txt";
    public const string Accessor = "accessor.txt";

    /// <summary>
    /// Writes both files into <paramref name="folder"/>. <paramref name="requestSha256"/>: hash of the response file's bytes, null when there
    /// was none. Lines of inputs.txt: <c>cob-inputs 1 HASH|none</c>, <c>SHA256 SIZE TICKS PATH</c> per file read, <c>absent PATH</c> per file
    /// that was looked for in vain, <c>dir PATH</c> per data folder, <c>name PATH</c> per file in such a folder that was not read, <c>lock SHA256 SIZE TICKS PATH TAB LINE</c> for the lock file's entry that
    /// begins with this line, <c>out SHA256 SIZE TICKS PATH</c> per file left. Paths and the line are escaped.
    /// </summary>
    public static void Write(CompressionResult result, string folder, string? requestSha256)
    {
        ArgumentNullException.ThrowIfNull(result);
        OutputFile.WriteText(Path.Combine(folder, Accessor), $"inputs{Fields(result.InputNames)}\noutputs{Fields(result.OutputNames)}\n");

        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"cob-inputs 1 {requestSha256 ?? "none"}\n");
        foreach (var file in result.InputFiles.DistinctBy(f => f.Path).OrderBy(f => f.Path, StringComparer.Ordinal)) text.Append(Line(file));
        string[] expected = [result.OutputModel, result.OutputModel + ".data", result.OutputModel + CompressionResult.PackedSuffix, .. ReportWriter.Files.Append(Accessor).Select(name => Path.Combine(folder, name))];
        var left = expected.Where(File.Exists).ToList();
        var listed = result.InputFiles.Select(f => f.Path).Concat(left).ToHashSet(StringComparer.Ordinal);
        foreach (var path in result.AbsentFiles.Distinct().Order(StringComparer.Ordinal)) text.Append("absent ").Append(Escape(path)).Append('\n');
        foreach (var directory in result.InputFolders.Distinct().Order(StringComparer.Ordinal))
        {
            text.Append("dir ").Append(Escape(directory)).Append('\n');
            foreach (var path in OldFiles(directory).Where(listed.Add)) text.Append("name ").Append(Escape(path)).Append('\n');
        }
        if (result.Lock is { } entry) text.Append("lock ").Append(Line(entry.File).TrimEnd('\n')).Append('\t').Append(Escape(entry.FirstLine)).Append('\n');
        foreach (var path in left) text.Append("out ").Append(Line(InputFile.Of(path)));
        OutputFile.WriteText(Path.Combine(folder, Inputs), text.ToString());
    }

    /// <summary>Backslash, tab and line breaks as <c>\\ \t \n \r</c>: one field of a line stays one field.</summary>
    public static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal);

    /// <summary>The reverse of <see cref="Escape"/>; an unknown escape stands for its second character.</summary>
    public static string Unescape(string text)
    {
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
            plain.Append(text[i] != '\\' || i + 1 == text.Length ? text[i] : text[++i] switch { 't' => '\t', 'n' => '\n', 'r' => '\r', var c => c });
        return plain.ToString();
    }

    /// <summary>Files that lay in the folder before the run began: one that came during it is not listed, so the next build looks at it.
    /// What no reader looks at is left out here and in the build's check alike.</summary>
    private static IEnumerable<string> OldFiles(string directory)
    {
        if (!Directory.Exists(directory)) return [];
        var start = System.Diagnostics.Process.GetCurrentProcess().StartTime.ToUniversalTime();
        var options = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 32, AttributesToSkip = 0 };
        return new DirectoryInfo(directory).EnumerateFiles("*", options)
            .Where(f => f.LastWriteTimeUtc < start && f.Name is not ("Thumbs.db" or "desktop.ini")
                && !Path.GetRelativePath(directory, f.FullName).Split(Path.DirectorySeparatorChar).Any(part => part.StartsWith('.')))
            .Select(f => f.FullName).Order(StringComparer.Ordinal);
    }

    private static string Fields(IReadOnlyList<string> names) => string.Concat(names.Select(n => "\t" + Escape(n)));

    private static string Line(InputFile file) => string.Create(CultureInfo.InvariantCulture, $"{file.Sha256} {file.Size} {file.ModifiedUtcTicks} {Escape(file.Path)}\n");
}
