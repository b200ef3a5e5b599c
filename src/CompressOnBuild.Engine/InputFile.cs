using System.Security.Cryptography;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild;

/// <summary>
/// State of one file as the change detector compares it. <paramref name="Path"/> is absolute, <paramref name="Sha256"/> lower-case hex,
/// <paramref name="ModifiedUtcTicks"/> in .NET ticks (100 ns). Take it before the file is used: a change in between then shows as stale.
/// </summary>
public sealed record InputFile(string Path, string Sha256, long Size, long ModifiedUtcTicks)
{
    /// <summary>Reads and hashes <paramref name="path"/>.</summary>
    /// <exception cref="CompressionException">COB1104: the file cannot be read, which it could a moment ago.</exception>
    public static InputFile Of(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        try { return Read(full); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.DataUnreadable, $"the file cannot be read: {e.Message} Check that it is still there, that it is not in use and that you may read it.", full, inner: e);
        }
    }

    /// <summary>
    /// Takes the state of <paramref name="path"/> from the very bytes that <paramref name="read"/> gives, so that a file replaced at the
    /// same time cannot be told by one hash and used by its other content.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Reads it, once; says what is wrong with it.</param>
    /// <param name="content">What was read.</param>
    internal static InputFile Of(string path, Func<string, byte[]> read, out byte[] content)
    {
        var full = System.IO.Path.GetFullPath(path);
        long ticks = 0;
        try { ticks = Modified(full); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // the reader tells it better
        content = read(path);
        return new InputFile(full, Convert.ToHexStringLower(SHA256.HashData(content)), content.Length, ticks);
    }

    private static InputFile Read(string full)
    {
        var ticks = Modified(full);
        using var stream = new FileStream(full, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        return new InputFile(full, Convert.ToHexStringLower(SHA256.HashData(stream)), stream.Length, ticks);
    }

    // The system tells a link's own time; what was read is the file behind it.
    private static long Modified(string path) => File.GetLastWriteTimeUtc(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path).Ticks;
}
