using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// The header of an .npy array, format versions 1 to 3 (NumPy's NEP 1): magic, version, header length, a Python dict literal.
/// <paramref name="ElementBytes"/> is 4 per character for strings (UTF-32, padded with zeros), whose type is <see cref="ElementType.String"/>.
/// </summary>
internal sealed partial record NpyHeader(ElementType ElementType, int ElementBytes, bool FortranOrder, long[] Shape, long DataBytes)
{
    // A dict of three short entries; NumPy pads it to a multiple of 64. Anything longer is no array of plain numbers.
    private const int LongestHeader = 16 * 1024;

    /// <summary>Reads the header; the stream then stands at the data.</summary>
    public static NpyHeader Read(Stream stream, string array, string file)
    {
        Span<byte> start = stackalloc byte[8];
        if (stream.ReadAtLeast(start, 8, throwOnEndOfStream: false) < 8 || !IsMagic(start))
            throw Damaged("does not begin as an .npy array does");
        if (start[6] is < 1 or > 3) throw Damaged($"has the .npy version {start[6]}; versions 1 to 3 exist");
        Span<byte> size = stackalloc byte[4];
        size.Clear();
        var sizeBytes = start[6] == 1 ? 2 : 4;
        if (stream.ReadAtLeast(size[..sizeBytes], sizeBytes, throwOnEndOfStream: false) < sizeBytes) throw Damaged("ends inside its header");
        var length = BinaryPrimitives.ReadUInt32LittleEndian(size);
        if (length > LongestHeader) throw Damaged($"has a header of {length} bytes; arrays of numbers have at most {LongestHeader}");
        var bytes = new byte[length];
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length) throw Damaged("ends inside its header");
        return Parse(Encoding.UTF8.GetString(bytes));

        NpyHeader Parse(string text)
        {
            var descr = Descr().Match(text);
            var order = Order().Match(text);
            var shape = ShapeOf().Match(text);
            if (!descr.Success && text.Contains("descr", StringComparison.Ordinal))
                throw new CompressionException(Codes.NpzTypeUnsupported, $"the array '{array}' has a structured type. Valid are plain numbers, booleans and strings. Save each field as an array of its own.", file);
            if (!descr.Success || !order.Success || !shape.Success) throw Damaged("has a header without descr, fortran_order or shape");
            var (type, elementBytes) = TypeOf(descr.Groups[1].Value);
            var dims = shape.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            var result = new long[dims.Length];
            long total = elementBytes;
            for (var i = 0; i < dims.Length; i++)
            {
                if (!long.TryParse(dims[i], NumberStyles.None, CultureInfo.InvariantCulture, out result[i]))
                    throw Damaged($"has the dimension '{dims[i]}'");
                try { total = checked(total * result[i]); }
                catch (OverflowException) { throw Damaged($"has the shape ({shape.Groups[1].Value}), which no memory can hold"); }
            }
            return new(type, elementBytes, order.Groups[1].Value == "True", result, total);
        }

        (ElementType, int) TypeOf(string descr)
        {
            if (descr.Contains('O'))
                throw new CompressionException(Codes.NpzPickled, $"the array '{array}' holds pickled Python objects, which can run code when they are read. Valid are plain numbers, booleans and strings. Save it with an explicit dtype, e.g. a.astype('float32'); sequences of different lengths are padded with -1.", file);
            if (descr.StartsWith('>'))
                throw Unsupported(descr, "is big endian. Save it with a.astype(a.dtype.newbyteorder('<'))");
            if (descr.Length > 2 && descr[1] == 'U' && int.TryParse(descr.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var characters) && characters is > 0 and < 1 << 20)
                return (ElementType.String, 4 * characters);
            var type = descr.TrimStart('<', '|', '=') switch
            {
                "f2" => ElementType.Float16, "f4" => ElementType.Float, "f8" => ElementType.Double,
                "i1" => ElementType.Int8, "i2" => ElementType.Int16, "i4" => ElementType.Int32, "i8" => ElementType.Int64,
                "u1" => ElementType.UInt8, "u2" => ElementType.UInt16, "u4" => ElementType.UInt32, "u8" => ElementType.UInt64,
                "b1" => ElementType.Bool,
                _ => throw Unsupported(descr, "is no type that a model takes. Valid are float16/32/64, (u)int8/16/32/64, bool and, for labels, strings. Convert it with astype"),
            };
            return (type, type.Bits() / 8);
        }

        CompressionException Damaged(string what) => NpyHeader.Damaged(array, what, file);
        CompressionException Unsupported(string descr, string what) => new(Codes.NpzTypeUnsupported, $"the array '{array}' of type '{descr}' {what}.", file);
    }

    public static CompressionException Damaged(string array, string what, string file) =>
        new(Codes.NpzDamaged, $"the array '{array}' {what}. An array is what numpy.save and numpy.savez write. Save or download it again.", file);

    // 0x93 is no character of UTF-8, so no u8 literal can spell the magic.
    private static bool IsMagic(ReadOnlySpan<byte> start) => start[0] == 0x93 && start[1..6].SequenceEqual("NUMPY"u8);

    [GeneratedRegex(@"'descr'\s*:\s*'([^']{1,32})'", RegexOptions.CultureInvariant)]
    private static partial Regex Descr();
    [GeneratedRegex(@"'fortran_order'\s*:\s*(True|False)", RegexOptions.CultureInvariant)]
    private static partial Regex Order();
    [GeneratedRegex(@"'shape'\s*:\s*\(([^)]{0,512})\)", RegexOptions.CultureInvariant)]
    private static partial Regex ShapeOf();
}
