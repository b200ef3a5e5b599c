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

    private static InputFile Read(string full)
    {
        var ticks = File.GetLastWriteTimeUtc(Target(full)).Ticks;
        using var stream = new FileStream(full, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        return new InputFile(full, Convert.ToHexStringLower(SHA256.HashData(stream)), stream.Length, ticks);
    }

    // The system tells a link's own time; what was read is the file behind it.
    private static string Target(string path) => File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
}
