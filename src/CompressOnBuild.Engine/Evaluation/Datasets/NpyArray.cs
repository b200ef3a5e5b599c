using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using Microsoft.Win32.SafeHandles;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>One array, row-major, on disk or in memory. A row is a[i].</summary>
internal sealed class NpyArray
{
    /// <summary>Bytes that the arrays of one data set that cannot stay on disk may take together.</summary>
    public const long LargestInMemory = int.MaxValue - 64;

    private readonly NpyHeader header;
    private readonly SafeFileHandle? file;
    private readonly long offset;
    private readonly byte[]? data;

    private NpyArray(string name, NpyHeader header, SafeFileHandle? file, long offset, byte[]? data) => (Name, this.header, this.file, this.offset, this.data) = (name, header, file, offset, data);

    /// <summary>An array whose row-major data begin at <paramref name="offset"/> of an open file.</summary>
    public static NpyArray OnDisk(string name, NpyHeader header, SafeFileHandle file, long offset) => new(name, header, file, offset, null);

    /// <summary>Reads an array whose data cannot stay on disk: they are compressed or column-major. <paramref name="inMemory"/>: bytes taken so far.</summary>
    /// <exception cref="CompressionException">Too large, or <paramref name="stream"/> holds fewer or more bytes than the header declares.</exception>
    public static NpyArray InMemory(string name, NpyHeader header, Stream stream, string path, ref long inMemory)
    {
        inMemory += header.DataBytes;
        if (inMemory > LargestInMemory)
            throw new CompressionException(Codes.DataTooLarge, $"the compressed and column-major arrays need {inMemory} bytes of memory up to '{name}'; at most {LargestInMemory} are valid. Save them in C order (numpy.ascontiguousarray) with numpy.save or numpy.savez, which are read from disk piece by piece, or split them.", path);
        var bytes = GC.AllocateUninitializedArray<byte>((int)header.DataBytes);
        // A length is a claim: the data must end where it says, neither earlier nor later.
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length || stream.ReadByte() >= 0)
            throw NpyHeader.Damaged(name, $"does not unpack to the {bytes.Length} bytes that its header declares", path);
        return new(name, header, null, 0, header.FortranOrder ? Transposed(bytes, header) : bytes);
    }

    public static CompressionException OtherLength(string name, NpyHeader header, long stored, string path) =>
        NpyHeader.Damaged(name, $"of shape ({string.Join(", ", header.Shape)}) needs {header.DataBytes} bytes but {Math.Max(stored, 0)} are stored", path);

    public string Name { get; }
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

    public override string ToString() => $"{ElementType}[{string.Join(",", header.Shape)}]";

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
}
