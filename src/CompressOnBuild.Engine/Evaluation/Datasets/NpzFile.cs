using System.Buffers;
using System.IO.Compression;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using Microsoft.Win32.SafeHandles;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// The arrays of an .npz file (a ZIP archive of .npy files). Stored entries (numpy.savez) are read from disk row by row; deflated ones
/// (numpy.savez_compressed) and column-major ones are held in memory, bounded by <see cref="LargestInMemory"/> for the whole file.
/// </summary>
internal sealed class NpzFile : IDisposable
{
    /// <summary>Bytes that the inflated arrays of one file may take together.</summary>
    public const long LargestInMemory = int.MaxValue - 64;

    private readonly FileStream stream;
    private readonly ZipArchive archive;
    private readonly Dictionary<string, ZipArchiveEntry> entries = new(StringComparer.Ordinal);
    private long inMemory;

    /// <exception cref="CompressionException">Not a ZIP archive, or one with a repeated name.</exception>
    public NpzFile(string path)
    {
        Path = path;
        stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            archive = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            foreach (var entry in archive.Entries)
            {
                if (!entry.FullName.EndsWith(".npy", StringComparison.Ordinal)) continue;
                if (!entries.TryAdd(entry.FullName[..^4], entry))
                    throw new CompressionException(Codes.NpzDamaged, $"the array '{entry.FullName[..^4]}' is there twice. Each array has a name of its own. Save the file again.", path);
            }
        }
        catch (InvalidDataException e)
        {
            stream.Dispose();
            throw new CompressionException(Codes.NpzDamaged, "the file is no ZIP archive or was cut. An .npz file is what numpy.savez writes. Save or download it again.", path, inner: e);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>Names of the arrays, in ordinal order.</summary>
    public IReadOnlyList<string> Names => [.. entries.Keys.Order(StringComparer.Ordinal)];

    public bool Contains(string name) => entries.ContainsKey(name);

    /// <summary>Opens an array: checks its header against the bytes that are there, and reads the data if it cannot stay on disk.</summary>
    /// <exception cref="CompressionException">Damaged, pickled, of an unsupported type, or too large.</exception>
    public NpzArray Open(string name)
    {
        var entry = entries[name];
        try
        {
            using var data = entry.Open();
            using var counted = new CountingStream(data);
            var header = NpyHeader.Read(counted, name, Path);
            var declared = entry.Length - counted.Count;
            if (header.DataBytes != declared)
                throw NpyHeader.Damaged(name, $"of shape ({string.Join(", ", header.Shape)}) needs {header.DataBytes} bytes but {Math.Max(declared, 0)} are stored", Path);
            var offset = StoredAt(entry, header);
            if (offset is { } at && !header.FortranOrder) return new NpzArray(name, header, stream.SafeFileHandle, at, null);
            return new NpzArray(name, header, null, 0, Load(counted, header, name));
        }
        catch (InvalidDataException e)
        {
            throw new CompressionException(Codes.NpzDamaged, $"the array '{name}' cannot be unpacked: {e.Message} Save or download the file again.", Path, inner: e);
        }
    }

    /// <summary>
    /// Where the data of an uncompressed entry begin in the file; null for a compressed one. ZipArchive does not say it, but reading the
    /// entry moves the archive's stream: the place is believed only if the header found there is the header that the entry gives.
    /// </summary>
    private long? StoredAt(ZipArchiveEntry entry, NpyHeader header)
    {
        if (entry.CompressedLength != entry.Length || entry.Length == 0) return null;
        long begin;
        using (var probe = entry.Open())
        {
            if (probe is DeflateStream) return null;
            probe.ReadByte();
            begin = stream.Position - 1;
        }
        if (begin < 0 || begin + entry.Length > stream.Length) return null;
        stream.Position = begin;
        using var counted = new CountingStream(stream);
        try
        {
            var there = NpyHeader.Read(counted, entry.FullName, Path);
            return there.ElementType == header.ElementType && there.FortranOrder == header.FortranOrder && there.Shape.AsSpan().SequenceEqual(header.Shape)
                ? begin + counted.Count : null;
        }
        catch (CompressionException) { return null; }
    }

    private byte[] Load(Stream data, NpyHeader header, string name)
    {
        inMemory += header.DataBytes;
        if (inMemory > LargestInMemory)
            throw new CompressionException(Codes.DataTooLarge, $"the compressed arrays need {inMemory} bytes of memory up to '{name}'; at most {LargestInMemory} are valid. Save the file with numpy.savez, which is read from disk piece by piece, or split it.", Path);
        var bytes = GC.AllocateUninitializedArray<byte>((int)header.DataBytes);
        // The directory's length is a claim: the data must end where it says, neither earlier nor later.
        if (data.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length || data.ReadByte() >= 0)
            throw NpyHeader.Damaged(name, $"does not unpack to the {bytes.Length} bytes that its header declares", Path);
        return header.FortranOrder ? Transposed(bytes, header) : bytes;
    }

    /// <summary>Column-major (first index fastest) to row-major.</summary>
    private static byte[] Transposed(byte[] source, NpyHeader header)
    {
        var size = header.ElementBytes;
        var shape = header.Shape;
        var result = GC.AllocateUninitializedArray<byte>(source.Length);
        var index = new long[shape.Length];
        var strides = new long[shape.Length];
        for (var d = 0; d < shape.Length; d++) strides[d] = d == 0 ? size : strides[d - 1] * shape[d - 1];
        long from = 0;
        for (var to = 0; to < result.Length; to += size)
        {
            source.AsSpan((int)from, size).CopyTo(result.AsSpan(to));
            for (var d = shape.Length - 1; d >= 0; d--)
            {
                from += strides[d];
                if (++index[d] < shape[d]) break;
                from -= strides[d] * shape[d];
                index[d] = 0;
            }
        }
        return result;
    }

    public void Dispose()
    {
        archive.Dispose();
        stream.Dispose();
    }

    /// <summary>Counts what was read: where the header ended.</summary>
    private sealed class CountingStream(Stream inner) : Stream
    {
        public long Count { get; private set; }
        public override int Read(Span<byte> buffer) { var n = inner.Read(buffer); Count += n; return n; }
        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}

/// <summary>One array, row-major, on disk or in memory. A row is a[i].</summary>
internal sealed class NpzArray(string name, NpyHeader header, SafeFileHandle? file, long offset, byte[]? data)
{
    public string Name { get; } = name;
    public ElementType ElementType => header.ElementType;
    public ReadOnlySpan<long> Shape => header.Shape;
    public int Rank => header.Shape.Length;
    /// <summary>Number of rows: the first dimension.</summary>
    public long Rows => header.Shape[0];
    public long RowBytes => header.Shape[0] == 0 ? 0 : header.DataBytes / header.Shape[0];
    public int ElementBytes => header.ElementBytes;

    /// <summary>The bytes of a[<paramref name="row"/>].</summary>
    public ReadOnlyMemory<byte> Row(int row)
    {
        var bytes = checked((int)RowBytes);
        if (data is not null) return data.AsMemory(row * bytes, bytes);
        var result = GC.AllocateUninitializedArray<byte>(bytes);
        var read = 0;
        while (read < bytes)
        {
            var n = RandomAccess.Read(file!, result.AsSpan(read), offset + (long)row * bytes + read);
            if (n == 0) throw new EndOfStreamException($"The array '{Name}' ended while it was read.");
            read += n;
        }
        return result;
    }
}
