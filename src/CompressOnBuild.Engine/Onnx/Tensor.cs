using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx.Proto;
using Google.Protobuf;

namespace CompressOnBuild.Onnx;

/// <summary>
/// An immutable dense tensor: initializers, constants and the values that enter and leave a session. Data are little-endian,
/// row-major, sub-byte types packed as ONNX packs them. External data stays in its memory-mapped file until first touched.
/// </summary>
public sealed class Tensor
{
    private readonly long[] shape;
    private readonly Lazy<ReadOnlyMemory<byte>> data;

    private Tensor(ElementType elementType, long[] shape, Lazy<ReadOnlyMemory<byte>> data, TensorProto? origin, IReadOnlyList<string>? strings)
    {
        ElementType = elementType;
        this.shape = shape;
        this.data = data;
        Origin = origin;
        Strings = strings;
    }

    /// <summary>A tensor over <paramref name="bytes"/> (not copied), whose length must fit the shape.</summary>
    public Tensor(ElementType elementType, long[] shape, ReadOnlyMemory<byte> bytes)
        : this(elementType, shape, new Lazy<ReadOnlyMemory<byte>>(bytes), null, null)
    {
        if (bytes.Length != ByteCount)
            throw new ArgumentException($"{bytes.Length} bytes do not fill {elementType}[{string.Join(",", shape)}] ({ByteCount} bytes).", nameof(bytes));
    }

    /// <summary>Type of the elements.</summary>
    public ElementType ElementType { get; }
    /// <summary>The dimensions, outermost first; empty for a scalar.</summary>
    public ReadOnlySpan<long> Shape => shape;
    /// <summary>Number of dimensions.</summary>
    public int Rank => shape.Length;
    /// <summary>Number of elements.</summary>
    public long Count => CountOf(shape);
    /// <summary>Bytes of the packed data.</summary>
    public long ByteCount => BytesOf(ElementType, Count);
    /// <summary>The packed bytes; touching external data maps its file.</summary>
    public ReadOnlyMemory<byte> Data => data.Value;
    /// <summary>The elements of a string tensor, else null.</summary>
    public IReadOnlyList<string>? Strings { get; }
    /// <summary>The message this tensor was read from: written back as it was when it is not external.</summary>
    internal TensorProto? Origin { get; }

    /// <summary>A tensor with a copy of <paramref name="values"/>, row-major; the shape's product must be their number.</summary>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is the type of no ONNX element.</exception>
    public static Tensor Create<T>(T[] values, params long[] shape) where T : unmanaged =>
        new(ElementTypeOf<T>(), shape, MemoryMarshal.AsBytes<T>(values).ToArray());

    /// <summary>A tensor of rank 0.</summary>
    public static Tensor Scalar<T>(T value) where T : unmanaged => Create([value]);

    /// <summary>A string tensor over <paramref name="values"/> (not copied), row-major.</summary>
    public static Tensor OfStrings(IReadOnlyList<string> values, params long[] shape) =>
        new(ElementType.String, shape, new Lazy<ReadOnlyMemory<byte>>(ReadOnlyMemory<byte>.Empty), null, values);

    /// <summary>The elements as <typeparamref name="T"/>, whose type must be the tensor's own (Half for fp16, byte for packed types).</summary>
    public ReadOnlySpan<T> AsSpan<T>() where T : unmanaged => MemoryMarshal.Cast<byte, T>(Data.Span);

    /// <summary>As <see cref="ToFloats"/>, without a copy where the elements are floats.</summary>
    public ReadOnlySpan<float> AsFloats() => ElementType == ElementType.Float ? AsSpan<float>() : ToFloats();

    /// <summary>The elements as floats, converted from any floating-point or integer type.</summary>
    public float[] ToFloats()
    {
        var result = new float[checked((int)Count)];
        switch (ElementType)
        {
            case ElementType.Float: AsSpan<float>().CopyTo(result); break;
            case ElementType.Float16: TensorPrimitives.ConvertToSingle(AsSpan<Half>(), result); break;
            case ElementType.Double: TensorPrimitives.ConvertTruncating(AsSpan<double>(), result.AsSpan()); break;
            case ElementType.BFloat16:
                var halves = AsSpan<ushort>();
                for (var i = 0; i < result.Length; i++) result[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                break;
            case ElementType.Int8: Convert(AsSpan<sbyte>(), result); break;
            case ElementType.UInt8 or ElementType.Bool: Convert(AsSpan<byte>(), result); break;
            case ElementType.Int16: Convert(AsSpan<short>(), result); break;
            case ElementType.UInt16: Convert(AsSpan<ushort>(), result); break;
            case ElementType.Int32: Convert(AsSpan<int>(), result); break;
            case ElementType.UInt32: Convert(AsSpan<uint>(), result); break;
            case ElementType.Int64: Convert(AsSpan<long>(), result); break;
            case ElementType.UInt64: Convert(AsSpan<ulong>(), result); break;
            default: throw new InvalidOperationException($"{ElementType} has no plain values.");
        }
        return result;

        static void Convert<T>(ReadOnlySpan<T> from, Span<float> to) where T : System.Numerics.INumberBase<T> => TensorPrimitives.ConvertTruncating(from, to);
    }

    /// <summary>The elements of an integer tensor (shapes, axes).</summary>
    public long[] ToLongs() => ElementType switch
    {
        ElementType.Int64 => AsSpan<long>().ToArray(),
        ElementType.Int32 => [.. AsSpan<int>().ToArray().Select(v => (long)v)],
        ElementType.UInt8 or ElementType.Bool => [.. AsSpan<byte>().ToArray().Select(v => (long)v)],
        ElementType.Int8 => [.. AsSpan<sbyte>().ToArray().Select(v => (long)v)],
        _ => throw new InvalidOperationException($"{ElementType} is no integer type of shapes or axes."),
    };

    /// <summary>The same data under another shape with the same number of elements.</summary>
    public Tensor Reshape(params long[] newShape) => new(ElementType, newShape, Data);

    /// <summary><c>Float[3,4]</c>, for messages.</summary>
    public override string ToString() => $"{ElementType}[{string.Join(",", shape)}]";

    internal static Tensor FromProto(TensorProto proto, string name, string file, ExternalData external)
    {
        var shape = proto.Dims.ToArray();
        if (!Enum.IsDefined((ElementType)proto.DataType) || proto.DataType == 0)
            throw new CompressionException(Codes.NotAnOnnxModel, $"tensor '{name}' has the unknown element type {proto.DataType}. Valid types are those of ONNX's TensorProto.DataType (1 to 26). Export the model again.", file);
        var type = (ElementType)proto.DataType;
        long bytes;
        try { bytes = BytesOf(type, CountOf(shape)); }
        catch (OverflowException) { throw BadShape(); }
        if (shape.Any(d => d < 0)) throw BadShape();

        if (type == ElementType.String)
        {
            if (proto.StringData.Count != CountOf(shape)) throw Short(proto.StringData.Count, CountOf(shape), "strings");
            return new(type, shape, new Lazy<ReadOnlyMemory<byte>>(ReadOnlyMemory<byte>.Empty), proto, [.. proto.StringData.Select(s => s.ToStringUtf8())]);
        }
        if (proto.DataLocation == 1) // 1 = EXTERNAL
        {
            var segment = external.Check(proto, name, bytes);
            return new(type, shape, new Lazy<ReadOnlyMemory<byte>>(segment), null, null);
        }
        if (proto.HasRawData)
        {
            if (proto.RawData.Length != bytes) throw Short(proto.RawData.Length, bytes, "bytes");
            return new(type, shape, new Lazy<ReadOnlyMemory<byte>>(proto.RawData.Memory), proto, null);
        }
        var packed = Typed(proto, type, bytes);
        if (packed.Length != bytes) throw Short(packed.Length, bytes, "bytes");
        return new(type, shape, new Lazy<ReadOnlyMemory<byte>>(packed), proto, null);

        CompressionException BadShape() => new(Codes.BadDimension,
            $"tensor '{name}' has the shape [{string.Join(",", shape)}]. Dimensions of stored tensors are 0 or more and their product fits in memory. Export the model again.", file);
        CompressionException Short(long found, long expected, string unit) => new(Codes.TensorDataLength,
            $"tensor '{name}' of type {type} and shape [{string.Join(",", shape)}] needs {expected} {unit} but the model holds {found}. The file is damaged or was cut: export or download it again.", file);
    }

    internal TensorProto ToProto(string name)
    {
        if (Origin is not null)
        {
            if (Origin.Name == name) return Origin;
            var renamed = Origin.Clone();
            renamed.Name = name;
            return renamed;
        }
        var proto = new TensorProto { DataType = (int)ElementType, Name = name };
        proto.Dims.AddRange(shape);
        if (Strings is not null) proto.StringData.AddRange(Strings.Select(ByteString.CopyFromUtf8));
        else proto.RawData = UnsafeByteOperations.UnsafeWrap(Data);
        return proto;
    }

    private static long CountOf(long[] shape)
    {
        long count = 1;
        foreach (var d in shape) count = checked(count * d);
        return count;
    }

    private static long BytesOf(ElementType type, long count) => checked(count * type.Bits() + 7) / 8;

    private static byte[] Typed(TensorProto proto, ElementType type, long bytes) => type switch
    {
        ElementType.Float or ElementType.Complex64 => MemoryMarshal.AsBytes<float>(proto.FloatData.ToArray()).ToArray(),
        ElementType.Double or ElementType.Complex128 => MemoryMarshal.AsBytes<double>(proto.DoubleData.ToArray()).ToArray(),
        ElementType.Int64 => MemoryMarshal.AsBytes<long>(proto.Int64Data.ToArray()).ToArray(),
        ElementType.UInt64 => MemoryMarshal.AsBytes<ulong>(proto.Uint64Data.ToArray()).ToArray(),
        ElementType.UInt32 => MemoryMarshal.AsBytes<uint>(proto.Uint64Data.Select(v => (uint)v).ToArray()).ToArray(),
        ElementType.Int32 => MemoryMarshal.AsBytes<int>(proto.Int32Data.ToArray()).ToArray(),
        ElementType.Int16 or ElementType.UInt16 or ElementType.Float16 or ElementType.BFloat16 =>
            MemoryMarshal.AsBytes<ushort>(proto.Int32Data.Select(v => (ushort)v).ToArray()).ToArray(),
        // The spec stores one byte-sized or packed byte per int32_data entry.
        _ => [.. proto.Int32Data.Take((int)Math.Min(bytes + 1, int.MaxValue)).Select(v => (byte)v)],
    };

    private static ElementType ElementTypeOf<T>() => default(T) switch
    {
        float => ElementType.Float, Half => ElementType.Float16, double => ElementType.Double, sbyte => ElementType.Int8, byte => ElementType.UInt8,
        short => ElementType.Int16, ushort => ElementType.UInt16, int => ElementType.Int32, uint => ElementType.UInt32, long => ElementType.Int64,
        ulong => ElementType.UInt64, bool => ElementType.Bool,
        _ => throw new NotSupportedException($"{typeof(T)} is no ONNX element type."),
    };
}
