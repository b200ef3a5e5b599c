using System.Text;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>Writes a whole file or nothing; several that belong together are written by an <see cref="OutputBatch"/>.</summary>
internal static class OutputFile
{
    /// <summary>Writes UTF-8 without a byte order mark.</summary>
    /// <exception cref="CompressionException">COB5001: the system refuses; nothing has changed.</exception>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Calls <paramref name="write"/> with a stream whose bytes replace the file when it returns.</summary>
    /// <exception cref="CompressionException">COB5001: the system refuses; nothing has changed.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        using var batch = new OutputBatch();
        batch.Add(path, write);
        batch.Commit();
    }

    /// <summary>Removes the file if it is there.</summary>
    /// <exception cref="CompressionException">COB5001: the system refuses.</exception>
    public static void Delete(string path)
    {
        try { if (File.Exists(path)) File.Delete(path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.OutputNotWritable, $"the output of an earlier build cannot be removed: {e.Message} Check the permissions of the folder, and close programs that show the file.", path, inner: e);
        }
    }
}
