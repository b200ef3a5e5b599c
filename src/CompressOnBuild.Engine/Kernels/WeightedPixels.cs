using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace CompressOnBuild.Kernels;

/// <summary>Neighbouring pixels of three bytes mixed with whole weights in fixed point: the same bytes with and without vectors.</summary>
internal static class WeightedPixels
{
    /// <summary>
    /// Pixel i of each row of <paramref name="to"/> becomes the sum of <paramref name="counts"/>[i] pixels of the same row from number
    /// <paramref name="firsts"/>[i] on, times the weights from i * <paramref name="stride"/> on, rounded to <paramref name="shift"/> fractional
    /// bits (half up) and clipped to 8 bits.
    /// </summary>
    /// <param name="rows">Rows of pixels of three bytes.</param>
    /// <param name="rowBytes">Length of one of them.</param>
    /// <param name="firsts">First pixel of each mix.</param>
    /// <param name="counts">Pixels in each mix.</param>
    /// <param name="weights">Of each mix <paramref name="stride"/> weights, of which the last ones may be unused; no sum may exceed 32 bits.</param>
    /// <param name="stride">Places for the weights of one mix.</param>
    /// <param name="shift">Fractional bits, at least 1.</param>
    /// <param name="to">As many rows, three bytes for each mix.</param>
    public static void Mix(ReadOnlySpan<byte> rows, int rowBytes, ReadOnlySpan<int> firsts, ReadOnlySpan<int> counts, ReadOnlySpan<int> weights, int stride, int shift, Span<byte> to)
    {
        var toBytes = firsts.Length * 3;
        // Four rows at once share what one mix needs to know.
        for (; Vector256.IsHardwareAccelerated && rows.Length >= 4 * rowBytes; rows = rows[(4 * rowBytes)..], to = to[(4 * toBytes)..])
        {
            var done = Four(rows[..(4 * rowBytes)], rowBytes, firsts, counts, weights, stride, shift, to[..(4 * toBytes)]);
            for (var row = 0; row < 4; row++)
                Scalar(rows.Slice(row * rowBytes, rowBytes), firsts[done..], counts[done..], weights[(done * stride)..], stride, shift, to.Slice(row * toBytes + done * 3, toBytes - done * 3));
        }
        for (; rows.Length >= rowBytes && rowBytes > 0; rows = rows[rowBytes..], to = to[toBytes..])
        {
            var done = One(rows[..rowBytes], firsts, counts, weights, stride, shift, to);
            Scalar(rows[..rowBytes], firsts[done..], counts[done..], weights[(done * stride)..], stride, shift, to[(done * 3)..toBytes]);
        }
    }

    // Here and below a pixel is read and written as four bytes, of which the last belongs to its neighbour: the neighbour is written after it,
    // and what has no neighbour is left to the caller. Both say how many mixes they made.
    private static unsafe int Four(ReadOnlySpan<byte> rows, int rowBytes, ReadOnlySpan<int> firsts, ReadOnlySpan<int> counts, ReadOnlySpan<int> weights, int stride, int shift, Span<byte> to)
    {
        var (half, toBytes, done) = (Vector256.Create(1 << (shift - 1)), firsts.Length * 3, 0);
        fixed (byte* source = rows, target = to)
            for (; done < firsts.Length - 1; done++)
            {
                var (first, count) = (firsts[done], counts[done]);
                if (first < 0 || (first + count) * 3 >= rowBytes) break;
                var from = source + first * 3;
                Vector256<int> upper = half, lower = half;
                foreach (var weight in weights.Slice(done * stride, count))
                {
                    upper += Pair(from, from + rowBytes) * weight;
                    lower += Pair(from + 2 * rowBytes, from + 3 * rowBytes) * weight;
                    from += 3;
                }
                var words = Vector256.Narrow(Clipped(upper), Clipped(lower));
                var bytes = Vector128.Narrow(words.GetLower(), words.GetUpper()).AsUInt32();
                var place = target + done * 3;
                *(uint*)place = bytes[0];
                *(uint*)(place + toBytes) = bytes[1];
                *(uint*)(place + 2 * toBytes) = bytes[2];
                *(uint*)(place + 3 * toBytes) = bytes[3];
            }
        return done;

        static Vector256<int> Pair(byte* first, byte* second)
        {
            var words = Vector128.WidenLower(Vector128.Create(*(uint*)first, *(uint*)second, 0, 0).AsByte());
            return Vector256.WidenLower(words.ToVector256Unsafe()).AsInt32();
        }

        Vector256<uint> Clipped(Vector256<int> sum) => Vector256.Min(Vector256.Max(sum >> shift, Vector256<int>.Zero), Vector256.Create(255)).AsUInt32();
    }

    private static int One(ReadOnlySpan<byte> row, ReadOnlySpan<int> firsts, ReadOnlySpan<int> counts, ReadOnlySpan<int> weights, int stride, int shift, Span<byte> to)
    {
        var done = 0;
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
        return done;
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
