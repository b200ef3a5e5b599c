using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>
/// Files that replace their targets together: each is written into a temporary file beside its target and flushed to the disk, and only
/// when all are there are they moved. A full disk or a killed process so leaves the old files, all of them, except in the instant of the moves.
/// </summary>
internal sealed partial class OutputBatch : IDisposable
{
    private readonly List<(string Temporary, string Path)> written = [];

    /// <summary>Writes what will replace <paramref name="path"/>; makes its folder.</summary>
    /// <exception cref="CompressionException">COB5001: the system refuses; nothing has changed.</exception>
    public void Add(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        var temporary = Temporary(path);
        Guarded(path, temporary, () =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            written.Add((temporary, path));
            using var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            write(stream);
            stream.Flush(flushToDisk: true);
        });
    }

    /// <summary>Moves every file over its target.</summary>
    /// <exception cref="CompressionException">COB5001: the system refuses.</exception>
    public void Commit()
    {
        foreach (var (temporary, path) in written) Guarded(path, temporary, () => File.Move(temporary, path, overwrite: true));
        written.Clear();
    }

    /// <summary>Shows that files can be made in <paramref name="folder"/>; none is left.</summary>
    /// <exception cref="CompressionException">COB5001.</exception>
    public static void Probe(string folder)
    {
        var probe = Temporary(Path.Combine(folder, "probe"));
        Guarded(folder, probe, () =>
        {
            using var file = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
        });
    }

    /// <summary>Removes what was not moved.</summary>
    public void Dispose()
    {
        foreach (var (temporary, _) in written) Delete(temporary);
        written.Clear();
    }

    /// <summary>Removes the temporary files that killed processes left in <paramref name="folder"/>; those of living ones stay.</summary>
    public static void RemoveLeftovers(string folder)
    {
        if (!Directory.Exists(folder)) return;
        try
        {
            foreach (var file in Directory.EnumerateFiles(folder, "*.tmp"))
            {
                if (Leftover().Match(Path.GetFileName(file)) is not { Success: true } match) continue;
                if (int.TryParse(match.Groups[1].Value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var process) && !Lives(process)) Delete(file);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // only tidiness; writing will say what is wrong
    }

    // A name of its own per process and call: two builds may write the same folder at once.
    private static string Temporary(string path) => $"{path}.{Environment.ProcessId:x}-{Guid.NewGuid():n}.tmp";

    private static bool Lives(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException) { return false; }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception) { return true; } // it is there and not ours to look at
    }

    private static void Guarded(string path, string temporary, Action act)
    {
        try { act(); }
        // The last is what .NET makes of a file that is larger than the file system or a quota takes.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            throw new CompressionException(Codes.OutputNotWritable,
                $"the output cannot be written: {e.Message.Replace(temporary, path, StringComparison.Ordinal).Split(" (Parameter", 2)[0]} Check the free space and the permissions of the folder, and close programs that show the file.", path, inner: e);
        }
    }

    private static void Delete(string file)
    {
        try { File.Delete(file); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // the first error is the one to tell
    }

    [GeneratedRegex(@"\.([0-9a-f]{1,8})-[0-9a-f]{32}\.tmp$", RegexOptions.CultureInvariant)]
    private static partial Regex Leftover();
}
