using System;
using System.Collections.Generic;

namespace CompressOnBuild.Evaluation;

/// <summary>The element types of a tensor, as ONNX numbers them.</summary>
public enum EvaluatedType
{
    /// <summary>No tensor: a sequence or a map.</summary>
    None = 0,
    /// <summary>32-bit float.</summary>
    Single = 1,
    /// <summary>8-bit unsigned integer.</summary>
    Byte = 2,
    /// <summary>8-bit integer.</summary>
    SByte = 3,
    /// <summary>16-bit unsigned integer.</summary>
    UInt16 = 4,
    /// <summary>16-bit integer.</summary>
    Int16 = 5,
    /// <summary>32-bit integer.</summary>
    Int32 = 6,
    /// <summary>64-bit integer.</summary>
    Int64 = 7,
    /// <summary>Text; see <see cref="EvaluatedTensor.Strings"/>.</summary>
    String = 8,
    /// <summary>Boolean, one byte.</summary>
    Boolean = 9,
    /// <summary>16-bit float (IEEE 754 half).</summary>
    Half = 10,
    /// <summary>64-bit float.</summary>
    Double = 11,
    /// <summary>32-bit unsigned integer.</summary>
    UInt32 = 12,
    /// <summary>64-bit unsigned integer.</summary>
    UInt64 = 13,
    /// <summary>16-bit float with the exponent of 32 bits.</summary>
    BFloat16 = 16,
}

/// <summary>A tensor, row-major. Its bytes are read when they are asked for, and are a copy of your own.</summary>
public sealed class EvaluatedTensor
{
    private readonly Func<byte[]> _bytes;

    /// <summary>Makes a tensor of plain numbers; also for tests of your evaluator.</summary>
    /// <param name="type">The element type.</param>
    /// <param name="shape">The dimensions.</param>
    /// <param name="bytes">Gives the elements, little-endian.</param>
    public EvaluatedTensor(EvaluatedType type, IReadOnlyList<long> shape, Func<byte[]> bytes)
    {
        Type = type;
        Shape = shape ?? throw new ArgumentNullException(nameof(shape));
        _bytes = bytes ?? throw new ArgumentNullException(nameof(bytes));
    }

    /// <summary>Makes a tensor of 32-bit floats.</summary>
    public EvaluatedTensor(float[] values, params long[] shape) : this(EvaluatedType.Single, shape, () => Bytes(values)) { }

    /// <summary>Makes a tensor of 64-bit floats.</summary>
    public EvaluatedTensor(double[] values, params long[] shape) : this(EvaluatedType.Double, shape, () => Bytes(values)) { }

    /// <summary>Makes a tensor of 64-bit integers.</summary>
    public EvaluatedTensor(long[] values, params long[] shape) : this(EvaluatedType.Int64, shape, () => Bytes(values)) { }

    /// <summary>Makes a tensor of 32-bit integers.</summary>
    public EvaluatedTensor(int[] values, params long[] shape) : this(EvaluatedType.Int32, shape, () => Bytes(values)) { }

    /// <summary>Makes a tensor of texts.</summary>
    public EvaluatedTensor(IReadOnlyList<string> strings, params long[] shape) : this(EvaluatedType.String, shape, () => throw new InvalidOperationException("Texts have no bytes: read Strings.")) => Strings = strings;

    /// <summary>The element type.</summary>
    public EvaluatedType Type { get; }

    /// <summary>The dimensions; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The elements of a tensor of texts, else null.</summary>
    public IReadOnlyList<string>? Strings { get; }

    /// <summary>The elements, little-endian.</summary>
    public byte[] ToBytes() => _bytes();

    /// <summary>The elements as 32-bit floats, whatever their type of number is.</summary>
    public float[] ToSingles() => Type == EvaluatedType.Single ? Cast<float>() : Array.ConvertAll(ToDoubles(), v => (float)v);

    /// <summary>The elements as 64-bit floats, whatever their type of number is.</summary>
    public double[] ToDoubles() => Type switch
    {
        EvaluatedType.Double => Cast<double>(),
        EvaluatedType.Single => Array.ConvertAll(Cast<float>(), v => (double)v),
        EvaluatedType.Half => Array.ConvertAll(Cast<ushort>(), FromHalf),
        EvaluatedType.BFloat16 => Array.ConvertAll(Cast<ushort>(), v => (double)BitConverter.ToSingle(BitConverter.GetBytes((uint)v << 16), 0)),
        EvaluatedType.UInt64 => Array.ConvertAll(Cast<ulong>(), v => (double)v),
        _ => Array.ConvertAll(ToInt64s(), v => (double)v),
    };

    /// <summary>The elements of a tensor of whole numbers or booleans.</summary>
    /// <exception cref="InvalidOperationException">They are none.</exception>
    public long[] ToInt64s() => Type switch
    {
        EvaluatedType.Int64 => Cast<long>(),
        EvaluatedType.Int32 => Array.ConvertAll(Cast<int>(), v => (long)v),
        EvaluatedType.UInt32 => Array.ConvertAll(Cast<uint>(), v => (long)v),
        EvaluatedType.Int16 => Array.ConvertAll(Cast<short>(), v => (long)v),
        EvaluatedType.UInt16 => Array.ConvertAll(Cast<ushort>(), v => (long)v),
        EvaluatedType.SByte => Array.ConvertAll(Cast<sbyte>(), v => (long)v),
        EvaluatedType.Byte or EvaluatedType.Boolean => Array.ConvertAll(ToBytes(), v => (long)v),
        EvaluatedType.UInt64 => Array.ConvertAll(Cast<ulong>(), v => checked((long)v)),
        _ => throw new InvalidOperationException($"A tensor of {Type} holds no whole numbers."),
    };

    private T[] Cast<T>() where T : struct
    {
        byte[] bytes = ToBytes();
        var result = new T[bytes.Length / Buffer.ByteLength(new T[1])];
        Buffer.BlockCopy(bytes, 0, result, 0, bytes.Length);
        return result;
    }

    private static byte[] Bytes<T>(T[] values) where T : struct
    {
        var bytes = new byte[Buffer.ByteLength(values)];
        Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length);
        return bytes;
    }

    /// <summary>1 bit of sign, 5 of exponent, 10 of fraction.</summary>
    private static double FromHalf(ushort bits)
    {
        int exponent = (bits >> 10) & 31, fraction = bits & 1023;
        double size = exponent switch
        {
            31 => fraction == 0 ? double.PositiveInfinity : double.NaN,
            0 => fraction / 16777216.0,
            _ => (1 + fraction / 1024.0) * Math.Pow(2, exponent - 15),
        };
        return bits >= 0x8000 ? -size : size;
    }
}
