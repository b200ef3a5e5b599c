using System.Numerics;

namespace CompressOnBuild.Kernels;

/// <summary>Rows of bytes added up with whole weights: the same integers with and without vectors.</summary>
internal static class WeightedRows
{
    /// <summary>Adds <paramref name="weight"/> times each byte to the sum at its place.</summary>
    public static void Add(ReadOnlySpan<byte> row, int weight, Span<int> sums)
    {
        var at = 0;
        for (; Vector.IsHardwareAccelerated && at <= row.Length - Vector<byte>.Count; at += Vector<byte>.Count)
        {
            Vector.Widen(new Vector<byte>(row[at..]), out var low, out var high);
            Add(low, weight, sums[at..]);
            Add(high, weight, sums[(at + Vector<ushort>.Count)..]);
        }
        Scalar(row[at..], weight, sums[at..]);
    }

    internal static void Scalar(ReadOnlySpan<byte> row, int weight, Span<int> sums)
    {
        for (var i = 0; i < row.Length; i++) sums[i] += row[i] * weight;
    }

    private static void Add(Vector<ushort> values, int weight, Span<int> sums)
    {
        Vector.Widen(values, out var low, out var high);
        (new Vector<int>(sums) + Vector.AsVectorInt32(low) * weight).CopyTo(sums);
        sums = sums[Vector<int>.Count..];
        (new Vector<int>(sums) + Vector.AsVectorInt32(high) * weight).CopyTo(sums);
    }
}
