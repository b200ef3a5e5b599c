using System.Numerics;
using System.Runtime.InteropServices;

namespace CompressOnBuild.Kernels;

/// <summary>
/// Products of a short row with itself, for many groups side by side: a depthwise convolution has hundreds of groups with rows of nine. Groups
/// are neighbours in memory, so that vectors run over them. Each element is the sequence of additions that adding one row after the other
/// gives, each product rounded before it is added: the same bits with any vector width, and without vectors.
/// </summary>
internal static class GroupedProducts
{
    /// <summary>Entries of one group's upper triangle, by rows.</summary>
    public static int Count(int k) => k * (k + 1) / 2;

    /// <summary>Adds x_i x_j for i at most j, row by row, to <paramref name="sums"/>.</summary>
    /// <param name="rows">[n, K, groups].</param>
    /// <param name="k">Elements of a row.</param>
    /// <param name="groups">Groups.</param>
    /// <param name="sums">[<see cref="Count"/>, groups].</param>
    public static void Add(ReadOnlySpan<double> rows, int k, int groups, Span<double> sums)
    {
        if (rows.Length % (k * groups) != 0 || sums.Length != Count(k) * groups) throw new ArgumentException($"Rows of {k} elements in {groups} groups do not fill {rows.Length} elements, or their products {sums.Length}.", nameof(rows));
        var done = Vector.IsHardwareAccelerated ? Vectors(rows, k, groups, sums) : 0;
        Scalar(rows, k, groups, sums, done);
    }

    internal static void Scalar(ReadOnlySpan<double> rows, int k, int groups, Span<double> sums, int from = 0)
    {
        for (var g = from; g < groups; g++)
        {
            var at = g;
            for (var i = 0; i < k; i++)
                for (var j = i; j < k; j++, at += groups)
                    for (var row = g; row < rows.Length; row += k * groups) sums[at] += rows[row + i * groups] * rows[row + j * groups];
        }
    }

    // Two vectors of groups: one line of the cache on most processors.
    private static int Vectors(ReadOnlySpan<double> rows, int k, int groups, Span<double> sums)
    {
        var width = Vector<double>.Count;
        ref var source = ref MemoryMarshal.GetReference(rows);
        ref var sum = ref MemoryMarshal.GetReference(sums);
        var g = 0;
        for (; g + 2 * width <= groups; g += 2 * width)
        {
            var at = (nuint)g;
            for (var i = 0; i < k; i++)
                for (var j = i; j < k; j++, at += (nuint)groups)
                {
                    var a = Vector.LoadUnsafe(ref sum, at);
                    var b = Vector.LoadUnsafe(ref sum, at + (nuint)width);
                    for (var row = g; row < rows.Length; row += k * groups)
                    {
                        nuint left = (nuint)(row + i * groups), right = (nuint)(row + j * groups);
                        a += Vector.LoadUnsafe(ref source, left) * Vector.LoadUnsafe(ref source, right);
                        b += Vector.LoadUnsafe(ref source, left + (nuint)width) * Vector.LoadUnsafe(ref source, right + (nuint)width);
                    }
                    a.StoreUnsafe(ref sum, at);
                    b.StoreUnsafe(ref sum, at + (nuint)width);
                }
        }
        return g;
    }
}
