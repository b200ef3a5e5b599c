using System.Runtime.InteropServices;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// The labels of an array, one per row. Type and shape say what they are: whole numbers or booleans of shape [n] classes (also [n, 1] unless
/// sequences are decoded), [n, length] sequences padded at the end with <see cref="Decoding.Padding"/>, [n, …] of rank 3 and more masks;
/// floats of shape [n] or [n, k] values; strings of shape [n] texts. <see cref="EvaluationConfiguration.LabelKind"/> says it where they
/// cannot: whole numbers that are values, and boxes: [n, most, 5] = class, x1, y1, x2, y2, or [n, most, 6] with 1 for what is ignored (a crowd);
/// a row of a negative class is padding.
/// </summary>
internal sealed class NpzLabels
{
    private const long LargestArray = 1L << 30;
    private const string Valid = "Valid are whole numbers of shape [n] (classes), [n, length] padded with -1 (sequences) or [n, height, width] (masks), floats of shape [n] or [n, k] (values), strings of shape [n] (texts), and with \"labelKind\": \"boxes\" in evaluation.json numbers of shape [n, most, 5] (class, x1, y1, x2, y2; class -1 is padding)";

    private readonly NpyArray array;
    private readonly Decoding decoding;
    private readonly string file;
    // Masks are as large as pictures: those are read when they are asked for.
    private readonly Label[]? read;

    public NpzLabels(NpyArray array, EvaluationConfiguration configuration, string file)
    {
        (this.array, decoding, this.file) = (array, configuration.Decoding, file);
        var natural = Natural();
        Kind = configuration.LabelKind ?? natural ?? throw Misfit("");
        if (!Fits(natural)) throw Misfit($", which cannot be {Kind switch { LabelKind.Class => "classes", LabelKind.Sequence => "sequences", LabelKind.Text => "texts", LabelKind.Value => "values", LabelKind.Mask => "masks", _ => "boxes" }}");
        if (Kind == LabelKind.Mask)
        {
            if (array.RowBytes > LargestArray) throw TooLarge($"one mask of '{array.Name}' has {array.RowBytes} bytes");
            return;
        }
        if (array.Rows * array.RowBytes > LargestArray) throw TooLarge($"the labels '{array.Name}' have {array.Rows * array.RowBytes} bytes");
        read = new Label[array.Rows];
        for (var row = 0; row < read.Length; row++) read[row] = Read(row);
    }

    public LabelKind Kind { get; }

    public Label this[int row] => read is null ? Read(row) : read[row];

    private LabelKind? Natural() => (array.ElementType, array.Rank) switch
    {
        _ when array.Rank == 0 || array.Shape[1..].Contains(0) => null,
        (ElementType.String, var rank) => rank == 1 ? LabelKind.Text : null,
        (var type, 1 or 2) when type.IsFloat() => LabelKind.Value,
        (var type, _) when type.IsFloat() => null,
        (_, 1) => LabelKind.Class,
        (_, 2) => array.Shape[1] == 1 && decoding.Decode is not (Decode.Ctc or Decode.ArgmaxSequence) ? LabelKind.Class : LabelKind.Sequence,
        _ => LabelKind.Mask,
    };

    private bool Fits(LabelKind? natural) => Kind == natural || array.Rank > 0 && array.ElementType != ElementType.String && Kind switch
    {
        LabelKind.Sequence => array.Rank == 2 && !array.ElementType.IsFloat(),
        LabelKind.Value => array.Rank is 1 or 2 && !array.Shape[1..].Contains(0),
        LabelKind.Mask => array.Rank == 2 && natural is not null && !array.ElementType.IsFloat(),
        LabelKind.Boxes => array.Rank == 3 && array.Shape[2] is 5 or 6,
        _ => false,
    };

    private Label Read(int row)
    {
        var bytes = array.Row(row).Span;
        switch (Kind)
        {
            case LabelKind.Text: return new TextLabel(Text(bytes, row));
            case LabelKind.Sequence: return new SequenceLabel(Unpadded(Whole(bytes)));
            case LabelKind.Class:
                var id = Whole(bytes)[0];
                return id >= 0 ? new ClassLabel(id) : throw Invalid($"the label of sample {row} is {id}. A class is 0 or more. Remove the sample or correct its label.");
            case LabelKind.Value:
                var values = Real(bytes);
                return Array.TrueForAll(values, double.IsFinite) ? new ValueLabel(values) : throw Invalid($"the label of sample {row} is not finite. A value is a finite number. Remove the sample or correct its label.");
            case LabelKind.Mask:
                var ids = Whole(bytes);
                var mask = new int[ids.Length];
                for (var i = 0; i < mask.Length; i++) mask[i] = ids[i] is >= int.MinValue and <= int.MaxValue ? (int)ids[i] : throw Invalid($"the mask of sample {row} has the id {ids[i]}. An id is a class of 0 or more, or a negative one for what does not count. Correct the mask.");
                return new MaskLabel(mask, array.Shape[1..].ToArray());
            default: return new BoxesLabel(Boxes(Real(bytes), row));
        }
    }

    private List<Box> Boxes(double[] numbers, int row)
    {
        var columns = (int)array.Shape[2];
        var boxes = new List<Box>();
        for (var at = 0; at < numbers.Length; at += columns)
        {
            var box = numbers.AsSpan(at, columns);
            if (box[0] < 0) continue; // padding
            if (box[0] != Math.Floor(box[0]) || box[0] > int.MaxValue || !double.IsFinite(box[1]) || !double.IsFinite(box[2]) || !(box[3] >= box[1]) || !(box[4] >= box[2]) || !double.IsFinite(box[3]) || !double.IsFinite(box[4]))
                throw Invalid(FormattableString.Invariant($"box {at / columns} of sample {row} is [{string.Join(", ", box.ToArray())}]. Valid is a whole class of 0 or more and x1 <= x2, y1 <= y2. Correct the box; padding has the class -1."));
            boxes.Add(new Box((int)box[0], box[1], box[2], box[3], box[4], columns == 6 && box[5] != 0));
        }
        return boxes;
    }

    private long[] Unpadded(long[] ids) => ids[..(Array.FindLastIndex(ids, i => i != decoding.Padding) + 1)];

    private CompressionException Misfit(string why) => Invalid($"the labels '{array.Name}' are {array.ElementType}[{string.Join(",", array.Shape.ToArray())}]{why}. {Valid}. Save them in that form.");
    private CompressionException TooLarge(string what) => new(Codes.DataTooLarge, $"{what}; at most {LargestArray} are valid. Check how the file was made.", file);
    private CompressionException Invalid(string message) => new(Codes.LabelsInvalid, message, file);

    private double[] Real(ReadOnlySpan<byte> bytes) => array.ElementType switch
    {
        ElementType.Double => MemoryMarshal.Cast<byte, double>(bytes).ToArray(),
        ElementType.Float => Converted<float, double>(bytes),
        ElementType.Float16 => Converted<Half, double>(bytes),
        _ => Array.ConvertAll(Whole(bytes), v => (double)v),
    };

    private long[] Whole(ReadOnlySpan<byte> bytes) => array.ElementType switch
    {
        ElementType.Int64 or ElementType.UInt64 => MemoryMarshal.Cast<byte, long>(bytes).ToArray(),
        ElementType.Int32 => Converted<int, long>(bytes),
        ElementType.UInt32 => Converted<uint, long>(bytes),
        ElementType.Int16 => Converted<short, long>(bytes),
        ElementType.UInt16 => Converted<ushort, long>(bytes),
        ElementType.Int8 => Converted<sbyte, long>(bytes),
        _ => Converted<byte, long>(bytes),
    };

    private static TTo[] Converted<TFrom, TTo>(ReadOnlySpan<byte> bytes) where TFrom : unmanaged, System.Numerics.INumberBase<TFrom> where TTo : System.Numerics.INumberBase<TTo>
    {
        var values = MemoryMarshal.Cast<byte, TFrom>(bytes);
        var result = new TTo[values.Length];
        for (var i = 0; i < result.Length; i++) result[i] = TTo.CreateChecked(values[i]);
        return result;
    }

    private string Text(ReadOnlySpan<byte> bytes, int row)
    {
        try { return new UTF32Encoding(bigEndian: false, byteOrderMark: false, throwOnInvalidCharacters: true).GetString(bytes).TrimEnd('\0'); }
        catch (DecoderFallbackException e)
        {
            throw new CompressionException(Codes.LabelsInvalid, $"the label of sample {row} in '{array.Name}' is no valid text. Save the labels again.", file, inner: e);
        }
    }
}
