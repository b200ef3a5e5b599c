using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CompressOnBuild.Kernels;

/// <summary>
/// Counts elements into bins: bin = floor(x * scale) + bins / 2, where scale is a power of two, so that the product is exact.
/// NaN and infinities are left out; zeros are counted apart. Every finite x must fall into a bin.
/// </summary>
internal static class HistogramCount
{
    /// <summary>Below this many elements, clearing and summing the side tables costs more than it saves.</summary>
    private const int WorthTables = 8192;
    /// <summary>Neighbouring elements often fall into one bin; each lane has a table of its own so that they do not wait for each other.</summary>
    private const int Tables = 4;
    /// <summary>A lane's 32-bit counter holds this many elements at least.</summary>
    private const int Chunk = 1 << 30;

    [ThreadStatic] private static uint[]? scratch;

    /// <summary>Adds to <paramref name="counts"/> (zeros not among them) and returns how many elements are zero.</summary>
    public static long Add(ReadOnlySpan<float> values, float scale, Span<long> counts, bool allFinite)
    {
        if (!allFinite || values.Length < WorthTables || !Vector256.IsHardwareAccelerated) return Scalar(values, scale, counts);
        long zeros = 0;
        for (; values.Length > Chunk; values = values[Chunk..]) zeros += Vector(values[..Chunk], scale, counts);
        return zeros + Vector(values, scale, counts);
    }

    internal static long Scalar(ReadOnlySpan<float> values, float scale, Span<long> counts)
    {
        long zeros = 0;
        var half = counts.Length / 2;
        foreach (var x in values)
        {
            if (x == 0) zeros++;
            else if (float.IsFinite(x)) counts[(int)MathF.Floor(x * scale) + half]++;
        }
        return zeros;
    }

    private static long Vector(ReadOnlySpan<float> values, float scale, Span<long> counts)
    {
        var bins = counts.Length;
        var tables = scratch is { } old && old.Length >= bins * Tables ? old : scratch = new uint[bins * Tables];
        Array.Clear(tables, 0, bins * Tables);
        ref var t0 = ref MemoryMarshal.GetArrayDataReference(tables);
        ref var t1 = ref Unsafe.Add(ref t0, bins);
        ref var t2 = ref Unsafe.Add(ref t1, bins);
        ref var t3 = ref Unsafe.Add(ref t2, bins);

        var half = bins / 2;
        var offset = Vector256.Create(half);
        var factor = Vector256.Create(scale);
        var limit = Vector256.Create(bins - 1);
        var zero = Vector256<int>.Zero;
        long zeros = 0;
        ref var source = ref MemoryMarshal.GetReference(values);
        var whole = values.Length - values.Length % 8;
        for (var i = 0; i < whole; i += 8)
        {
            var x = Vector256.LoadUnsafe(ref source, (nuint)i);
            // Min and Max keep a caller's mistake inside the tables.
            var bin = Vector256.Max(zero, Vector256.Min(limit, Vector256.ConvertToInt32(Vector256.Floor(x * factor)) + offset));
            zeros += uint.PopCount(Vector256.Equals(x, Vector256<float>.Zero).ExtractMostSignificantBits());
            var low = bin.GetLower().AsUInt64();
            var high = bin.GetUpper().AsUInt64();
            var a = low.GetElement(0);
            var b = low.GetElement(1);
            var c = high.GetElement(0);
            var d = high.GetElement(1);
            Unsafe.Add(ref t0, (uint)a)++;
            Unsafe.Add(ref t1, (uint)(a >> 32))++;
            Unsafe.Add(ref t2, (uint)b)++;
            Unsafe.Add(ref t3, (uint)(b >> 32))++;
            Unsafe.Add(ref t0, (uint)c)++;
            Unsafe.Add(ref t1, (uint)(c >> 32))++;
            Unsafe.Add(ref t2, (uint)d)++;
            Unsafe.Add(ref t3, (uint)(d >> 32))++;
        }
        for (var i = 0; i < bins; i++)
            counts[i] += (long)Unsafe.Add(ref t0, i) + Unsafe.Add(ref t1, i) + Unsafe.Add(ref t2, i) + Unsafe.Add(ref t3, i);
        counts[half] -= zeros; // floor(0) is the first bin above zero
        return zeros + Scalar(values[whole..], scale, counts);
    }
}
