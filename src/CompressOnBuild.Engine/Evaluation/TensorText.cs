using System.Globalization;
using System.Numerics;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation;

/// <summary>Tensors from numbers and truth values as they are written in JSON and in tables.</summary>
internal static class TensorText
{
    /// <summary>Whether a type's elements can be written.</summary>
    public static bool Supports(ElementType type) => type is ElementType.Float or ElementType.Double or ElementType.Float16 or ElementType.Bool
        or ElementType.Int64 or ElementType.Int32 or ElementType.Int16 or ElementType.Int8 or ElementType.UInt8 or ElementType.UInt16 or ElementType.UInt32 or ElementType.UInt64;

    /// <summary>A tensor in the element type of <paramref name="input"/>. <paramref name="texts"/>: row-major; null for what is neither number
    /// nor truth value. <paramref name="invalid"/>: index and what is valid there, to the error.</summary>
    public static Tensor Create(ModelValue input, long[] shape, IReadOnlyList<string?> texts, Func<int, string, CompressionException> invalid)
    {
        return input.ElementType switch
        {
            ElementType.Float => Tensor.Create(Real(v => (float)v), shape),
            ElementType.Double => Tensor.Create(Real(v => v), shape),
            ElementType.Float16 => Tensor.Create(Real(v => (Half)v), shape),
            ElementType.Int64 => Tensor.Create(Whole(long.MinValue, long.MaxValue, v => v), shape),
            ElementType.Int32 => Tensor.Create(Whole(int.MinValue, int.MaxValue, v => (int)v), shape),
            ElementType.Int16 => Tensor.Create(Whole(short.MinValue, short.MaxValue, v => (short)v), shape),
            ElementType.Int8 => Tensor.Create(Whole(sbyte.MinValue, sbyte.MaxValue, v => (sbyte)v), shape),
            ElementType.UInt8 => Tensor.Create(Whole(0, byte.MaxValue, v => (byte)v), shape),
            ElementType.UInt16 => Tensor.Create(Whole(0, ushort.MaxValue, v => (ushort)v), shape),
            ElementType.UInt32 => Tensor.Create(Whole(0, uint.MaxValue, v => (uint)v), shape),
            ElementType.UInt64 => Tensor.Create(Whole(0, long.MaxValue, v => (ulong)v), shape),
            ElementType.Bool => Tensor.Create(Converted("true or false", (string text, out bool value) => bool.TryParse(text, out value)), shape),
            _ => throw new ArgumentException($"{input.ElementType} cannot be written.", nameof(input)),
        };

        // Not a number stands for a missing value; infinity is an overflow.
        T[] Real<T>(Func<double, T> convert) where T : struct, INumberBase<T> => Converted("a number that is finite in the input's type", (string text, out T value) =>
        {
            var isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number);
            value = convert(number);
            return isNumber && !T.IsInfinity(value);
        });

        T[] Whole<T>(long lowest, long highest, Func<long, T> convert) => Converted($"a whole number from {lowest} to {highest}", (string text, out T value) =>
        {
            var isNumber = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= lowest && number <= highest;
            value = isNumber ? convert(number) : convert(0);
            return isNumber;
        });

        T[] Converted<T>(string valid, TryParse<T> parse)
        {
            var values = new T[texts.Count];
            for (var i = 0; i < values.Length; i++)
                if (texts[i] is not { } text || !parse(text, out values[i])) throw invalid(i, valid);
            return values;
        }
    }

    private delegate bool TryParse<T>(string text, out T value);
}
