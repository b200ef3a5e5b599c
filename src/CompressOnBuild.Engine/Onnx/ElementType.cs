namespace CompressOnBuild.Onnx;

/// <summary>Element types with the numbers of ONNX's <c>TensorProto.DataType</c>.</summary>
public enum ElementType
{
    /// <summary>No type is stated.</summary>
    Undefined = 0,
    /// <summary>IEEE 754 binary32.</summary>
    Float = 1,
    /// <summary>Unsigned 8-bit integer.</summary>
    UInt8 = 2,
    /// <summary>Signed 8-bit integer.</summary>
    Int8 = 3,
    /// <summary>Unsigned 16-bit integer.</summary>
    UInt16 = 4,
    /// <summary>Signed 16-bit integer.</summary>
    Int16 = 5,
    /// <summary>Signed 32-bit integer.</summary>
    Int32 = 6,
    /// <summary>Signed 64-bit integer.</summary>
    Int64 = 7,
    /// <summary>UTF-8 text.</summary>
    String = 8,
    /// <summary>One byte, 0 or 1.</summary>
    Bool = 9,
    /// <summary>IEEE 754 binary16.</summary>
    Float16 = 10,
    /// <summary>IEEE 754 binary64.</summary>
    Double = 11,
    /// <summary>Unsigned 32-bit integer.</summary>
    UInt32 = 12,
    /// <summary>Unsigned 64-bit integer.</summary>
    UInt64 = 13,
    /// <summary>Two binary32: real and imaginary part.</summary>
    Complex64 = 14,
    /// <summary>Two binary64: real and imaginary part.</summary>
    Complex128 = 15,
    /// <summary>The upper half of a binary32.</summary>
    BFloat16 = 16,
    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, no infinities.</summary>
    Float8E4M3Fn = 17,
    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, no infinities, no negative zero.</summary>
    Float8E4M3FnUz = 18,
    /// <summary>8-bit float, 5 exponent and 2 mantissa bits.</summary>
    Float8E5M2 = 19,
    /// <summary>8-bit float, 5 exponent and 2 mantissa bits, no infinities, no negative zero.</summary>
    Float8E5M2FnUz = 20,
    /// <summary>Unsigned 4-bit integer, two to a byte, low bits first.</summary>
    UInt4 = 21,
    /// <summary>Signed 4-bit integer, two to a byte, low bits first.</summary>
    Int4 = 22,
    /// <summary>4-bit float, 2 exponent bits and 1 mantissa bit, two to a byte, low bits first.</summary>
    Float4E2M1 = 23,
    /// <summary>8-bit power of two: scales of blocks.</summary>
    Float8E8M0 = 24,
    /// <summary>Unsigned 2-bit integer, four to a byte, low bits first.</summary>
    UInt2 = 25,
    /// <summary>Signed 2-bit integer, four to a byte, low bits first.</summary>
    Int2 = 26,
}

/// <summary>Facts of element types.</summary>
internal static class ElementTypes
{
    /// <summary>Bits of one element as stored (4- and 2-bit types are packed, low bits first); 0 for strings and unknown types.</summary>
    public static int Bits(this ElementType type) => type switch
    {
        ElementType.UInt2 or ElementType.Int2 => 2,
        ElementType.UInt4 or ElementType.Int4 or ElementType.Float4E2M1 => 4,
        ElementType.UInt8 or ElementType.Int8 or ElementType.Bool or ElementType.Float8E4M3Fn or ElementType.Float8E4M3FnUz
            or ElementType.Float8E5M2 or ElementType.Float8E5M2FnUz or ElementType.Float8E8M0 => 8,
        ElementType.UInt16 or ElementType.Int16 or ElementType.Float16 or ElementType.BFloat16 => 16,
        ElementType.Float or ElementType.Int32 or ElementType.UInt32 => 32,
        ElementType.Double or ElementType.Int64 or ElementType.UInt64 or ElementType.Complex64 => 64,
        ElementType.Complex128 => 128,
        _ => 0,
    };

    /// <summary>Floating-point types a weight can have before compression.</summary>
    public static bool IsFloat(this ElementType type) =>
        type is ElementType.Float or ElementType.Float16 or ElementType.Double or ElementType.BFloat16;
}
