using System.Runtime.InteropServices;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>The label array of an .npz file.</summary>
internal static class NpzLabels
{
    private const long LargestArray = 1L << 30;

    /// <summary>One label per row: classes from [n] (or [n, 1] unless sequences are decoded), sequences from [n, length], texts from strings [n].</summary>
    public static Label[] Read(NpzArray array, Decoding decoding, string file)
    {
        var sequences = array.Rank == 2 && (array.Shape[1] != 1 || decoding.Decode is Decode.Ctc or Decode.ArgmaxSequence);
        var width = array.Rank == 2 ? array.Shape[1] : 1;
        if (array.Rank is not (1 or 2) || array.ElementType == ElementType.String && array.Rank != 1 || IsReal(array.ElementType) || width == 0)
            throw new CompressionException(Codes.LabelsInvalid, $"the labels '{array.Name}' are {array.ElementType}[{string.Join(",", array.Shape.ToArray())}]. Valid are whole numbers of shape [n] (classes) or [n, length] padded with {decoding.Padding} (sequences), and strings of shape [n]. Save them in that form.", file);
        if (array.Rows * array.RowBytes > LargestArray)
            throw new CompressionException(Codes.DataTooLarge, $"the labels '{array.Name}' have {array.Rows * array.RowBytes} bytes; at most {LargestArray} are valid. Check how the file was made.", file);
        var labels = new Label[array.Rows];
        for (var row = 0; row < labels.Length; row++)
        {
            var bytes = array.Row(row);
            if (array.ElementType == ElementType.String) labels[row] = new TextLabel(Text(bytes.Span, array, row, file));
            else if (sequences) labels[row] = new SequenceLabel(Unpadded(Numbers(array.ElementType, bytes.Span), decoding.Padding));
            else
            {
                var id = Numbers(array.ElementType, bytes.Span)[0];
                if (id < 0) throw new CompressionException(Codes.LabelsInvalid, $"the label of sample {row} is {id}. A class is 0 or more. Remove the sample or correct its label.", file);
                labels[row] = new ClassLabel(id);
            }
        }
        return labels;
    }

    private static bool IsReal(ElementType type) => type.IsFloat();

    private static long[] Unpadded(long[] ids, long padding) => ids[..(Array.FindLastIndex(ids, i => i != padding) + 1)];

    private static long[] Numbers(ElementType type, ReadOnlySpan<byte> bytes) => type switch
    {
        ElementType.Int64 or ElementType.UInt64 => MemoryMarshal.Cast<byte, long>(bytes).ToArray(),
        ElementType.Int32 => Widened<int>(bytes),
        ElementType.UInt32 => Widened<uint>(bytes),
        ElementType.Int16 => Widened<short>(bytes),
        ElementType.UInt16 => Widened<ushort>(bytes),
        ElementType.Int8 => Widened<sbyte>(bytes),
        _ => Widened<byte>(bytes),
    };

    private static long[] Widened<T>(ReadOnlySpan<byte> bytes) where T : unmanaged, System.Numerics.INumberBase<T>
    {
        var values = MemoryMarshal.Cast<byte, T>(bytes);
        var result = new long[values.Length];
        for (var i = 0; i < result.Length; i++) result[i] = long.CreateChecked(values[i]);
        return result;
    }

    private static string Text(ReadOnlySpan<byte> bytes, NpzArray array, int row, string file)
    {
        try { return new UTF32Encoding(bigEndian: false, byteOrderMark: false, throwOnInvalidCharacters: true).GetString(bytes).TrimEnd('\0'); }
        catch (DecoderFallbackException e)
        {
            throw new CompressionException(Codes.LabelsInvalid, $"the label of sample {row} in '{array.Name}' is no valid text. Save the labels again.", file, inner: e);
        }
    }
}
