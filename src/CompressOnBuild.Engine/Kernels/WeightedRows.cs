using System.Numerics;

namespace CompressOnBuild.Kernels;

/// <summary>Rows of bytes mixed with whole weights in fixed point: the same bytes with and without vectors.</summary>
internal static class WeightedRows
{
    /// <summary>
    /// Each byte of <paramref name="to"/> becomes the sum of <paramref name="weights"/>[k] times the byte at its place in row k, rounded to
    /// <paramref name="shift"/> fractional bits (half up) and clipped to 8 bits.
    /// </summary>
    /// <param name="rows">One row after the other, each as long as <paramref name="to"/>.</param>
    /// <param name="weights">One for each row; no sum may exceed 32 bits.</param>
    /// <param name="shift">Fractional bits, at least 1.</param>
    /// <param name="to">The mixed row.</param>
    public static void Mix(ReadOnlySpan<byte> rows, ReadOnlySpan<int> weights, int shift, Span<byte> to)
    {
        var width = Vector<byte>.Count;
        if (!Vector.IsHardwareAccelerated || to.Length < width)
        {
            Scalar(rows, weights, shift, to);
            return;
        }
        for (var at = 0; ; at += width)
        {
            at = Math.Min(at, to.Length - width); // the last block overlaps the one before
            Vector<int> a = new(1 << (shift - 1)), b = a, c = a, d = a;
            var from = at;
            foreach (var weight in weights)
            {
                Vector.Widen(new Vector<byte>(rows[from..]), out var low, out var high);
                Vector.Widen(low, out var first, out var second);
                Vector.Widen(high, out var third, out var fourth);
                a += Vector.AsVectorInt32(first) * weight;
                b += Vector.AsVectorInt32(second) * weight;
                c += Vector.AsVectorInt32(third) * weight;
                d += Vector.AsVectorInt32(fourth) * weight;
                from += to.Length;
            }
            Vector.Narrow(Vector.Narrow(Clip(a), Clip(b)), Vector.Narrow(Clip(c), Clip(d))).CopyTo(to[at..]);
            if (at == to.Length - width) return;
        }

        Vector<uint> Clip(Vector<int> sum) => Vector.AsVectorUInt32(Vector.Min(Vector.Max(sum >> shift, Vector<int>.Zero), new Vector<int>(255)));
    }

    internal static void Scalar(ReadOnlySpan<byte> rows, ReadOnlySpan<int> weights, int shift, Span<byte> to)
    {
        for (var i = 0; i < to.Length; i++)
        {
            var sum = 1 << (shift - 1);
            for (var k = 0; k < weights.Length; k++) sum += rows[k * to.Length + i] * weights[k];
            to[i] = (byte)Math.Clamp(sum >> shift, 0, 255);
        }
    }
}
