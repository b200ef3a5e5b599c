using System.Globalization;
using System.IO.MemoryMappedFiles;
using System.Buffers;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx.Proto;

namespace CompressOnBuild.Onnx;

/// <summary>
/// Tensor data beside the model. Paths come from a hostile file: relative only, inside the model's folder after normalising and
/// after resolving symbolic links. Each file is mapped once, on first touch.
/// </summary>
internal sealed class ExternalData(string modelFile)
{
    private readonly string folder = Path.GetDirectoryName(Path.GetFullPath(modelFile))!;
    private readonly Dictionary<string, MappedFile> files = [];

    /// <summary>Full paths of the files the model refers to, for the change detector.</summary>
    public IReadOnlyCollection<string> Files => files.Keys;

    /// <summary>Bytes of all tensors that were checked; a part of a file that several refer to counts for each.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>Checks place, offset and length now; returns a reader that maps the file when called.</summary>
    public Func<ReadOnlyMemory<byte>> Check(TensorProto proto, string name, long bytes)
    {
        string? location = null;
        long offset = 0, length = bytes;
        foreach (var entry in proto.ExternalData)
        {
            if (entry.Key == "location") location = entry.Value;
            else if (entry.Key == "offset") offset = Number(entry.Value, "offset");
            else if (entry.Key == "length") length = Number(entry.Value, "length");
        }
        if (string.IsNullOrEmpty(location)) throw Unreadable("names no file");
        if (location.Contains('\0')) throw Unreadable("has a file name with a zero character");
        if (length != bytes)
            throw new CompressionException(Codes.TensorDataLength, $"tensor '{name}' needs {bytes} bytes but its external data entry holds {length}. Export the model again.", modelFile);
        var path = ContainedPath.Resolve(folder, location) ?? throw new CompressionException(Codes.ExternalDataOutside,
            $"external data of tensor '{name}' is in '{location}', which is outside the model's folder. Only files in the folder of the model or below are read. Move the data there and export again.", modelFile);
        if (!File.Exists(path)) throw Unreadable($"is in '{location}', which does not exist beside the model");
        var available = new FileInfo(ContainedPath.Real(path)).Length; // of a link, FileInfo counts the link itself
        if (offset < 0 || offset > available - bytes)
            throw new CompressionException(Codes.TensorDataLength, $"tensor '{name}' needs bytes {offset} to {offset + bytes} of '{location}', which has {available}. Export or download both files again.", modelFile);
        if (bytes > int.MaxValue)
            throw new CompressionException(Codes.ModelTooLarge, $"tensor '{name}' has {bytes} bytes; a single tensor can have at most {int.MaxValue}.", modelFile);
        TotalBytes += bytes;
        if (!files.TryGetValue(path, out var mapped)) files.Add(path, mapped = new MappedFile(path));
        if (bytes == 0) return () => ReadOnlyMemory<byte>.Empty; // an empty file cannot be mapped
        return () =>
        {
            try { return mapped.Slice(offset, (int)bytes); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw Unreadable($"cannot be read from '{location}': {e.Message}"); }
        };

        long Number(string text, string key) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value : throw Unreadable($"has the {key} '{text}', which is no number");
        CompressionException Unreadable(string why) => new(Codes.ExternalDataUnreadable,
            $"external data of tensor '{name}' {why}. Keep the data files of the export beside the model.", modelFile);
    }

    private sealed unsafe class MappedFile(string path) : IDisposable
    {
        private readonly Lazy<(MemoryMappedFile File, MemoryMappedViewAccessor View)> map = new(() =>
        {
            var file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            return (file, file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read));
        });

        public ReadOnlyMemory<byte> Slice(long offset, int length)
        {
            byte* start = null;
            map.Value.View.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            return new View(this, start + map.Value.View.PointerOffset + offset, length).Memory;
        }

        public void Dispose() { if (map.IsValueCreated) { map.Value.View.Dispose(); map.Value.File.Dispose(); } }

        // Holds the mapping alive for as long as somebody holds the memory; the view itself is released with the process.
        private sealed class View(MappedFile owner, byte* start, int length) : MemoryManager<byte>
        {
            public override Span<byte> GetSpan() { GC.KeepAlive(owner); return new(start, length); }
            public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex, default, this);
            public override void Unpin() { }
            protected override void Dispose(bool disposing) { }
        }
    }
}
