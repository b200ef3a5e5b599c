using System.Text;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Tables;

/// <summary>
/// The records of a UTF-8 text file: lines, or where fields can be quoted whatever lies between line ends outside of quotes. They are found
/// in one pass, which keeps 8 bytes for each, and read one at a time. Empty lines are none.
/// </summary>
internal sealed class RecordFile : IDisposable
{
    /// <summary>Longest record, in bytes.</summary>
    public const int LongestRecord = 16 << 20;

    private const int Block = 1 << 16, MostRecords = 1 << 27;
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly FileStream stream;
    private readonly string code;
    // Where each record begins, and after them the end of the last one.
    private readonly List<long> begins = [];

    /// <param name="path">The file.</param>
    /// <param name="quoted">Whether a line end within double quotes belongs to the record.</param>
    /// <param name="code">The code of errors about the file's form.</param>
    /// <exception cref="CompressionException">A record that is too long, or a quote without an end.</exception>
    public RecordFile(string path, bool quoted, string code)
    {
        (Path, this.code) = (path, code);
        stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try { Find(quoted); }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    public string Path { get; }
    public int Count => begins.Count - 1;

    /// <summary>The text of a record without the line end.</summary>
    public string Text(int index)
    {
        var bytes = Bytes(index);
        try { return Utf8.GetString(bytes); }
        catch (DecoderFallbackException e)
        {
            throw new CompressionException(code, "the line is no valid UTF-8. Save the file as UTF-8.", Path, Line(index), 1, e);
        }
    }

    /// <summary>The bytes of a record without the line end.</summary>
    public byte[] Bytes(int index)
    {
        var bytes = new byte[begins[index + 1] - begins[index]];
        for (var read = 0; read < bytes.Length;)
        {
            var n = RandomAccess.Read(stream.SafeFileHandle, bytes.AsSpan(read), begins[index] + read);
            if (n == 0) throw new EndOfStreamException("The file ended while it was read.");
            read += n;
        }
        return bytes.AsSpan().TrimEnd("\r\n"u8).ToArray();
    }

    /// <summary>The line in which a record begins, from 1. Counted when an error needs it.</summary>
    public int Line(int index)
    {
        var buffer = new byte[Block];
        var lines = 1;
        for (long at = 0; at < begins[index];)
        {
            var n = RandomAccess.Read(stream.SafeFileHandle, buffer.AsSpan(0, (int)Math.Min(Block, begins[index] - at)), at);
            if (n == 0) break;
            lines += buffer.AsSpan(0, n).Count((byte)'\n');
            at += n;
        }
        return lines;
    }

    public void Dispose() => stream.Dispose();

    private void Find(bool quoted)
    {
        var buffer = new byte[Block];
        long at = RandomAccess.Read(stream.SafeFileHandle, buffer.AsSpan(0, 3), 0) == 3 && buffer.AsSpan(0, 3).SequenceEqual(Encoding.UTF8.Preamble) ? 3 : 0;
        long? begin = null;
        var inQuotes = false;
        for (int n; (n = RandomAccess.Read(stream.SafeFileHandle, buffer, at)) > 0; at += n)
            for (var i = 0; i < n; i++)
            {
                var c = buffer[i];
                if (quoted && c == '"') inQuotes = !inQuotes; // a doubled quote leaves and enters again
                if (c is (byte)'\n' or (byte)'\r' && !inQuotes) begin = null;
                else if (begin is null)
                {
                    if (begins.Count == MostRecords) throw new CompressionException(Codes.DataTooLarge, $"the file has more than {MostRecords} lines, the most that are valid. Split it.", Path);
                    begins.Add((begin = at + i).Value);
                }
                else if (at + i - begin >= LongestRecord)
                {
                    begins.Add(at + i);
                    throw new CompressionException(Codes.DataTooLarge, $"the record that begins here is longer than {LongestRecord} bytes, the most that is valid{(inQuotes ? "; perhaps a quote is not closed" : "")}. Check that it is the right file.", Path, Line(Count - 1), 1);
                }
            }
        begins.Add(at);
        if (inQuotes) throw new CompressionException(code, "a quoted field has no closing quote. Close it; a quote inside is written twice.", Path, Line(Count - 1), 1);
    }
}
