using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace CompressOnBuild.Samples.Train;

/// <summary>Writes arrays as numpy.savez_compressed does (NPY format version 1.0), with a fixed date so that equal arrays give equal files.</summary>
internal sealed class NpzWriter(string path) : IDisposable
{
    private readonly ZipArchive zip = new(File.Create(path), ZipArchiveMode.Create);

    public void Add<T>(string name, T[] values, params int[] shape) where T : unmanaged
    {
        var type = typeof(T) == typeof(float) ? "<f4" : typeof(T) == typeof(long) ? "<i8" : throw new NotSupportedException(typeof(T).Name);
        var dimensions = shape.Length == 1 ? $"{shape[0]}," : string.Join(", ", shape);
        var header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({dimensions}), }}";
        // Magic, version and length take 10 bytes; the data begin at a multiple of 64.
        header = header.PadRight((header.Length + 11 + 63) / 64 * 64 - 11) + "\n";

        var entry = zip.CreateEntry(name + ".npy", CompressionLevel.SmallestSize);
        entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
        using var stream = entry.Open();
        stream.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, (byte)header.Length, (byte)(header.Length >> 8)]);
        stream.Write(Encoding.ASCII.GetBytes(header));
        stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
    }

    public void Dispose() => zip.Dispose();
}
