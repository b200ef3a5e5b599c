using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace CompressOnBuild.Testing;

/// <summary>Writes .npz files for tests, as numpy.savez does, and broken ones too.</summary>
public sealed class NpzBuilder
{
    private readonly List<(string Name, byte[] Bytes)> entries = [];

    public NpzBuilder Array<T>(string name, string descr, T[] values, params long[] shape) where T : unmanaged =>
        Raw(name, Npy($"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({string.Join(", ", shape)}{(shape.Length == 1 ? "," : "")}), }}", MemoryMarshal.AsBytes<T>(values)));

    public NpzBuilder Floats(string name, float[] values, params long[] shape) => Array(name, "<f4", values, shape);

    public NpzBuilder Longs(string name, long[] values, params long[] shape) => Array(name, "<i8", values, shape);

    /// <summary>An entry of any bytes.</summary>
    public NpzBuilder Raw(string name, byte[] npy)
    {
        entries.Add((name + ".npy", npy));
        return this;
    }

    /// <summary>An .npy file with the given header text.</summary>
    public static byte[] Npy(string header, ReadOnlySpan<byte> data, byte version = 1)
    {
        using var stream = new MemoryStream();
        stream.Write([0x93, .. "NUMPY"u8, version, 0]);
        var text = Encoding.UTF8.GetBytes(header.PadRight(117) + "\n");
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
        stream.Write(length[..(version == 1 ? 2 : 4)]);
        stream.Write(text);
        stream.Write(data);
        return stream.ToArray();
    }

    public string Save(string path, bool compressed = false)
    {
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach (var (name, bytes) in entries)
        {
            using var entry = zip.CreateEntry(name, compressed ? CompressionLevel.Fastest : CompressionLevel.NoCompression).Open();
            entry.Write(bytes);
        }
        return path;
    }
}
