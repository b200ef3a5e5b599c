using System.Runtime.Intrinsics;

namespace CompressOnBuild.Kernels;

/// <summary>
/// Sums of a tensor [outer, channels, inner] per channel, in double precision. A row of elements is summed in eight lanes by position,
/// then the lanes in order: the same bits with any vector width, and without vectors.
/// </summary>
internal static class ChannelSums
{
    /// <summary>Adds to <paramref name="sums"/> (one entry a channel). NaN and infinities count as zero.</summary>
    public static void Add(ReadOnlySpan<float> values, int inner, Span<double> sums, bool allFinite)
    {
        if (inner == 1)
        {
            for (var start = 0; start < values.Length; start += sums.Length)
            {
                var row = values.Slice(start, sums.Length);
                for (var c = 0; c < row.Length; c++) if (float.IsFinite(row[c])) sums[c] += row[c];
            }
            return;
        }
        for (int start = 0, c = 0; start < values.Length; start += inner, c = c + 1 == sums.Length ? 0 : c + 1)
        {
            var row = values.Slice(start, inner);
            sums[c] += allFinite && Vector256.IsHardwareAccelerated ? Vector(row) : Scalar(row);
        }
    }

    internal static double Scalar(ReadOnlySpan<float> row)
    {
        Span<double> lanes = stackalloc double[8];
        lanes.Clear();
        var whole = row.Length - row.Length % 8;
        for (var i = 0; i < whole; i++) if (float.IsFinite(row[i])) lanes[i % 8] += row[i];
        return Finish(lanes, row[whole..]);
    }

    private static double Vector(ReadOnlySpan<float> row)
    {
        Vector256<double> low = default, high = default;
        var whole = row.Length - row.Length % 8;
        for (var i = 0; i < whole; i += 8)
        {
            var (l, h) = Vector256.Widen(Vector256.Create(row.Slice(i, 8)));
            low += l;
            high += h;
        }
        Span<double> lanes = stackalloc double[8];
        low.CopyTo(lanes);
        high.CopyTo(lanes[4..]);
        return Finish(lanes, row[whole..]);
    }

    private static double Finish(ReadOnlySpan<double> lanes, ReadOnlySpan<float> rest)
    {
        double sum = 0;
        foreach (var lane in lanes) sum += lane;
        foreach (var v in rest) if (float.IsFinite(v)) sum += v;
        return sum;
    }
}
