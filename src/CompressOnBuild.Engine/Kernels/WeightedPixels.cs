using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace CompressOnBuild.Kernels;

/// <summary>Neighbouring pixels of three bytes mixed with whole weights in fixed point: the same bytes with and without vectors.</summary>
internal static class WeightedPixels
{
    /// <summary>
    /// Pixel i of <paramref name="to"/> becomes the sum of <paramref name="counts"/>[i] pixels from number <paramref name="firsts"/>[i] on, times the
    /// weights from i * <paramref name="stride"/> on, rounded to <paramref name="shift"/> fractional bits (half up) and clipped to 8 bits.
    /// </summary>
    /// <param name="row">Pixels of three bytes.</param>
    /// <param name="firsts">First pixel of each mix.</param>
    /// <param name="counts">Pixels in each mix.</param>
    /// <param name="weights">Of each mix <paramref name="stride"/> weights, of which the last ones may be unused; no sum may exceed 32 bits.</param>
    /// <param name="stride">Places for the weights of one mix.</param>
    /// <param name="shift">Fractional bits, at least 1.</param>
    /// <param name="to">Three bytes for each mix.</param>
    public static void Mix(ReadOnlySpan<byte> row, ReadOnlySpan<int> firsts, ReadOnlySpan<int> counts, ReadOnlySpan<int> weights, int stride, int shift, Span<byte> to)
    {
        var done = 0;
        // A pixel is read and written as four bytes, of which the last belongs to its neighbour: the neighbour is written after it.
        for (; Vector128.IsHardwareAccelerated && done < firsts.Length - 1; done++)
        {
            var (first, count) = (firsts[done], counts[done]);
            if ((first + count) * 3 >= row.Length) break;
            var sum = Vector128.Create(1 << (shift - 1));
            var from = row.Slice(first * 3, count * 3 + 1);
            foreach (var weight in weights.Slice(done * stride, count))
            {
                var pixel = Vector128.CreateScalarUnsafe(BinaryPrimitives.ReadUInt32LittleEndian(from)).AsByte();
                sum += Vector128.WidenLower(Vector128.WidenLower(pixel)).AsInt32() * weight;
                from = from[3..];
            }
            var clipped = Vector128.Min(Vector128.Max(sum >> shift, Vector128<int>.Zero), Vector128.Create(255));
            var bytes = Vector128.Narrow(Vector128.Narrow(clipped, clipped).AsUInt16(), Vector128<ushort>.Zero);
            BinaryPrimitives.WriteUInt32LittleEndian(to[(done * 3)..], bytes.AsUInt32().ToScalar());
        }
        Scalar(row, firsts[done..], counts[done..], weights[(done * stride)..], stride, shift, to[(done * 3)..]);
    }

    internal static void Scalar(ReadOnlySpan<byte> row, ReadOnlySpan<int> firsts, ReadOnlySpan<int> counts, ReadOnlySpan<int> weights, int stride, int shift, Span<byte> to)
    {
        for (var i = 0; i < firsts.Length; i++)
            for (var c = 0; c < 3; c++)
            {
                var sum = 1 << (shift - 1);
                for (var k = 0; k < counts[i]; k++) sum += row[(firsts[i] + k) * 3 + c] * weights[i * stride + k];
                to[i * 3 + c] = (byte)Math.Clamp(sum >> shift, 0, 255);
            }
    }
}
