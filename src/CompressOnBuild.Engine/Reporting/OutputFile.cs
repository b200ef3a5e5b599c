using System.Text;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>Writes whole files or nothing: into a temporary file beside the target, flushed to the disk, then moved over it.</summary>
public static class OutputFile
{
    /// <summary>Writes UTF-8 without a byte order mark.</summary>
    /// <exception cref="CompressionException">COB5001: the system refuses; nothing has changed.</exception>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Calls <paramref name="write"/> with a stream whose bytes replace the file when it returns.</summary>
    /// <exception cref="CompressionException">COB5001: the system refuses; nothing has changed.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        // A name of its own per process and call: two builds may write the same folder at once.
        var temporary = $"{path}.{Environment.ProcessId:x}-{Guid.NewGuid():n}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.OutputNotWritable,
                $"the file cannot be written: {e.Message} Check the free space and the permissions of the folder, and close programs that show the file.", path, inner: e);
        }
        finally
        {
            try { File.Delete(temporary); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // the first error is the one to tell
        }
    }
}
