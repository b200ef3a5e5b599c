using System.IO.Compression;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using Microsoft.Win32.SafeHandles;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// The arrays of an .npz file (a ZIP archive of .npy files). Stored entries (numpy.savez) are read from disk row by row; deflated ones
/// (numpy.savez_compressed) and column-major ones are held in memory, bounded by <see cref="NpyArray.LargestInMemory"/> for the whole file.
/// </summary>
internal sealed class NpzFile : IArrayStore
{
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
    public IReadOnlyList<string> Files => [Path];
    public IReadOnlyList<string> Folders => [];
    public IReadOnlyList<string> Absent => [];

    public IReadOnlyList<string> Names => [.. entries.Keys.Order(StringComparer.Ordinal)];

    public bool Contains(string name) => entries.ContainsKey(name);

    public string FileOf(string name) => Path;

    public NpyArray Open(string name)
    {
        var entry = entries[name];
        try
        {
            using var data = entry.Open();
            using var counted = new CountingStream(data);
            var header = NpyHeader.Read(counted, name, Path);
            var declared = entry.Length - counted.Count;
            if (header.DataBytes != declared) throw NpyArray.OtherLength(name, header, declared, Path);
            var offset = StoredAt(entry, header);
            if (offset is { } at && !header.FortranOrder) return NpyArray.OnDisk(name, header, stream.SafeFileHandle, at);
            return NpyArray.InMemory(name, header, counted, Path, ref inMemory);
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
