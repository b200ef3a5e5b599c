using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CompressOnBuild.Kernels;

/// <summary>
/// One row of a matrix update of rank n: what is summed stays in registers while all rows are added. Each element is the sequence of additions
/// that adding one row after the other gives, each product rounded before it is added: the same bits with any vector width, and without vectors.
/// </summary>
internal static class RankUpdate
{
    /// <summary>Vectors of sums that are in registers at once.</summary>
    private const int Wide = 8;

    /// <summary><paramref name="sums"/>[j] += <paramref name="factors"/>[k] * <paramref name="rows"/>[<paramref name="starts"/>[k] + j], for k ascending.</summary>
    /// <param name="rows">What the rows are parts of; it does not overlap <paramref name="sums"/>.</param>
    /// <param name="starts">Where each row starts; as many elements as <paramref name="sums"/> has follow.</param>
    /// <param name="factors">One for each row.</param>
    /// <param name="sums">What is added to.</param>
    public static void Add(ReadOnlySpan<double> rows, ReadOnlySpan<int> starts, ReadOnlySpan<double> factors, Span<double> sums)
    {
        if (starts.Length != factors.Length) throw new ArgumentException($"{starts.Length} rows have {factors.Length} factors.", nameof(factors));
        foreach (var start in starts) _ = rows.Slice(start, sums.Length);
        var done = Vector.IsHardwareAccelerated ? Vectors(rows, starts, factors, sums) : 0;
        Scalar(rows, starts, factors, sums, done);
    }

    internal static void Scalar(ReadOnlySpan<double> rows, ReadOnlySpan<int> starts, ReadOnlySpan<double> factors, Span<double> sums, int from = 0)
    {
        for (var j = from; j < sums.Length; j++)
        {
            var sum = sums[j];
            for (var k = 0; k < starts.Length; k++) sum += factors[k] * rows[starts[k] + j];
            sums[j] = sum;
        }
    }

    private static int Vectors(ReadOnlySpan<double> rows, ReadOnlySpan<int> starts, ReadOnlySpan<double> factors, Span<double> sums)
    {
        var width = Vector<double>.Count;
        ref var sum = ref MemoryMarshal.GetReference(sums);
        ref var row = ref MemoryMarshal.GetReference(rows);
        var j = 0;
        for (; j + Wide * width <= sums.Length; j += Wide * width)
        {
            ref var at = ref Unsafe.Add(ref sum, j);
            var a = Vector.LoadUnsafe(ref at);
            var b = Vector.LoadUnsafe(ref at, (nuint)width);
            var c = Vector.LoadUnsafe(ref at, (nuint)(2 * width));
            var d = Vector.LoadUnsafe(ref at, (nuint)(3 * width));
            var e = Vector.LoadUnsafe(ref at, (nuint)(4 * width));
            var f = Vector.LoadUnsafe(ref at, (nuint)(5 * width));
            var g = Vector.LoadUnsafe(ref at, (nuint)(6 * width));
            var h = Vector.LoadUnsafe(ref at, (nuint)(7 * width));
            for (var k = 0; k < starts.Length; k++)
            {
                ref var part = ref Unsafe.Add(ref row, starts[k] + j);
                var factor = new Vector<double>(factors[k]);
                a += factor * Vector.LoadUnsafe(ref part);
                b += factor * Vector.LoadUnsafe(ref part, (nuint)width);
                c += factor * Vector.LoadUnsafe(ref part, (nuint)(2 * width));
                d += factor * Vector.LoadUnsafe(ref part, (nuint)(3 * width));
                e += factor * Vector.LoadUnsafe(ref part, (nuint)(4 * width));
                f += factor * Vector.LoadUnsafe(ref part, (nuint)(5 * width));
                g += factor * Vector.LoadUnsafe(ref part, (nuint)(6 * width));
                h += factor * Vector.LoadUnsafe(ref part, (nuint)(7 * width));
            }
            a.StoreUnsafe(ref at);
            b.StoreUnsafe(ref at, (nuint)width);
            c.StoreUnsafe(ref at, (nuint)(2 * width));
            d.StoreUnsafe(ref at, (nuint)(3 * width));
            e.StoreUnsafe(ref at, (nuint)(4 * width));
            f.StoreUnsafe(ref at, (nuint)(5 * width));
            g.StoreUnsafe(ref at, (nuint)(6 * width));
            h.StoreUnsafe(ref at, (nuint)(7 * width));
        }
        for (; j + width <= sums.Length; j += width)
        {
            var a = Vector.LoadUnsafe(ref sum, (nuint)j);
            for (var k = 0; k < starts.Length; k++) a += new Vector<double>(factors[k]) * Vector.LoadUnsafe(ref row, (nuint)(starts[k] + j));
            a.StoreUnsafe(ref sum, (nuint)j);
        }
        return j;
    }
}
