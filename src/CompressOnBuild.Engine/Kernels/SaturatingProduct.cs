using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace CompressOnBuild.Kernels;

/// <summary>
/// Signed 8-bit weights [depth, columns] in the order in which <see cref="SaturatingProduct"/> reads them: blocks of eight columns, in each
/// of them groups of four along the depth. Depth and columns are filled up with zeros.
/// </summary>
internal sealed class SaturatingWeights
{
    internal const int Block = 8, Group = 4;

    private SaturatingWeights(int depth, int columns)
    {
        (Depth, Columns) = (depth, columns);
        PaddedDepth = (depth + Group - 1) / Group * Group;
        Data = new sbyte[(columns + Block - 1) / Block * Block * PaddedDepth];
        ColumnSums = new int[columns];
    }

    /// <summary>Rows of the weights: terms of each sum.</summary>
    public int Depth { get; }
    /// <summary>Columns of the weights: sums for each row of activations.</summary>
    public int Columns { get; }
    /// <summary>Bytes of one row of activations: the depth, rounded up to whole groups.</summary>
    public int PaddedDepth { get; }
    /// <summary>Pairs of neighbours along the depth, of all columns.</summary>
    public int Pairs => (Depth + 1) / 2 * Columns;
    /// <summary>The sum of each column.</summary>
    public int[] ColumnSums { get; }
    internal sbyte[] Data { get; }

    /// <summary>Packs <c>codes[k * depthStride + n * columnStride]</c>.</summary>
    public static SaturatingWeights Pack(ReadOnlySpan<sbyte> codes, int depth, int columns, int depthStride, int columnStride)
    {
        var packed = new SaturatingWeights(depth, columns);
        for (var n = 0; n < columns; n++)
            for (var k = 0; k < depth; k++)
            {
                var code = codes[k * depthStride + n * columnStride];
                packed.Data[packed.At(k, n)] = code;
                packed.ColumnSums[n] += code;
            }
        return packed;
    }

    /// <summary>Packs each matrix of a tensor [.., depth, columns].</summary>
    public static SaturatingWeights[] PackAll(ReadOnlySpan<sbyte> codes, int depth, int columns)
    {
        var result = new SaturatingWeights[codes.Length / (depth * columns)];
        for (var i = 0; i < result.Length; i++) result[i] = Pack(codes.Slice(i * depth * columns, depth * columns), depth, columns, columns, 1);
        return result;
    }

    /// <summary>
    /// Pairs whose products can leave 16 bits with some unsigned activations: the positive codes of the pair, or the negative ones, add to
    /// more than 128 (255 * 128 = 32640 fits, 255 * 129 does not).
    /// </summary>
    public int PairsThatCanSaturate()
    {
        var pairs = 0;
        for (var i = 0; i < Data.Length; i += 2)
        {
            int a = Data[i], b = Data[i + 1];
            if (Math.Max(a, 0) + Math.Max(b, 0) > 128 || Math.Min(a, 0) + Math.Min(b, 0) < -128) pairs++;
        }
        return pairs;
    }

    internal int At(int k, int n) => n / Block * Block * PaddedDepth + k / Group * Block * Group + n % Block * Group + k % Group;
}

/// <summary>
/// The integer product of x64 processors without VNNI: unsigned 8-bit activations times signed 8-bit weights, the products of two neighbours
/// along the depth added in 16 bits that saturate (VPMADDUBSW, Intel SDM), the pairs in 32 bits. Everything is an integer: the same sums on
/// every machine, in any order of the pairs.
/// </summary>
internal static class SaturatingProduct
{
    /// <summary>sums[m, n] = sum over pairs p of saturate16(a[m, 2p] w[2p, n] + a[m, 2p + 1] w[2p + 1, n]).</summary>
    /// <param name="activations">[rows, <see cref="SaturatingWeights.PaddedDepth"/>]; what fills the depth up is not looked at.</param>
    /// <param name="rows">Rows of activations.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="sums">[rows, columns], overwritten.</param>
    public static void Multiply(ReadOnlySpan<byte> activations, int rows, SaturatingWeights weights, Span<int> sums)
    {
        if (Avx2.IsSupported) Vector(activations, rows, weights, sums);
        else Scalar(activations, rows, weights, sums);
    }

    internal static void Scalar(ReadOnlySpan<byte> activations, int rows, SaturatingWeights weights, Span<int> sums)
    {
        for (var m = 0; m < rows; m++)
        {
            var row = activations.Slice(m * weights.PaddedDepth, weights.PaddedDepth);
            for (var n = 0; n < weights.Columns; n++)
            {
                var sum = 0;
                for (var k = 0; k < row.Length; k += 2)
                {
                    var at = weights.At(k, n);
                    sum += Math.Clamp(row[k] * weights.Data[at] + row[k + 1] * weights.Data[at + 1], short.MinValue, short.MaxValue);
                }
                sums[m * weights.Columns + n] = sum;
            }
        }
    }

    /// <summary>How many pairs of <see cref="Multiply"/> saturate.</summary>
    public static long CountSaturated(ReadOnlySpan<byte> activations, int rows, SaturatingWeights weights)
    {
        long count = 0;
        var depth = weights.PaddedDepth;
        for (var m = 0; m < rows; m++)
        {
            var row = activations.Slice(m * depth, depth);
            for (var n = 0; n < weights.Columns; n += SaturatingWeights.Block)
                for (var k = 0; k < depth; k += SaturatingWeights.Group)
                {
                    var block = weights.Data.AsSpan(n * depth + k * SaturatingWeights.Block, SaturatingWeights.Block * SaturatingWeights.Group);
                    if (Avx2.IsSupported && !TouchesLimit(row.Slice(k, SaturatingWeights.Group), block)) continue;
                    for (var i = 0; i < block.Length; i += 2)
                    {
                        var sum = row[k + i % SaturatingWeights.Group] * block[i] + row[k + i % SaturatingWeights.Group + 1] * block[i + 1];
                        if (sum is < short.MinValue or > short.MaxValue) count++;
                    }
                }
        }
        return count;
    }

    // A sum may also be just the limit without having saturated: the caller looks again.
    private static bool TouchesLimit(ReadOnlySpan<byte> four, ReadOnlySpan<sbyte> block)
    {
        var pairs = Avx2.MultiplyAddAdjacent(Vector256.Create(MemoryMarshal.Read<int>(four)).AsByte(), Vector256.Create(block));
        return (Vector256.Equals(pairs, Vector256.Create(short.MaxValue)) | Vector256.Equals(pairs, Vector256.Create(short.MinValue))) != default;
    }

    private static void Vector(ReadOnlySpan<byte> activations, int rows, SaturatingWeights weights, Span<int> sums)
    {
        const int Width = SaturatingWeights.Block * SaturatingWeights.Group;
        var (depth, columns) = (weights.PaddedDepth, weights.Columns);
        if (activations.Length < rows * depth || sums.Length < rows * columns) throw new ArgumentException("The spans are shorter than the product.");
        var ones = Vector256<short>.One;
        Span<int> lanes = stackalloc int[SaturatingWeights.Block];
        ref var a = ref MemoryMarshal.GetReference(activations);
        for (var m = 0; m < rows; m += 4)
        {
            // The last rows are computed again where there are no four: the sums are the same.
            int r0 = m, r1 = Math.Min(m + 1, rows - 1), r2 = Math.Min(m + 2, rows - 1), r3 = Math.Min(m + 3, rows - 1);
            for (var n = 0; n < columns; n += SaturatingWeights.Block)
            {
                Vector256<int> s0 = default, s1 = default, s2 = default, s3 = default;
                ref var w = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(weights.Data), n * depth);
                for (var k = 0; k < depth; k += SaturatingWeights.Group)
                {
                    var block = Vector256.LoadUnsafe(ref w);
                    w = ref Unsafe.Add(ref w, Width);
                    s0 += Pairs(ref Unsafe.Add(ref a, r0 * depth + k), block, ones);
                    s1 += Pairs(ref Unsafe.Add(ref a, r1 * depth + k), block, ones);
                    s2 += Pairs(ref Unsafe.Add(ref a, r2 * depth + k), block, ones);
                    s3 += Pairs(ref Unsafe.Add(ref a, r3 * depth + k), block, ones);
                }
                var width = Math.Min(SaturatingWeights.Block, columns - n);
                Store(s0, r0, sums, lanes);
                Store(s1, r1, sums, lanes);
                Store(s2, r2, sums, lanes);
                Store(s3, r3, sums, lanes);

                void Store(Vector256<int> sum, int row, Span<int> sums, Span<int> lanes)
                {
                    sum.CopyTo(lanes);
                    lanes[..width].CopyTo(sums.Slice(row * columns + n, width));
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector256<int> Pairs(ref byte four, Vector256<sbyte> block, Vector256<short> ones) =>
            Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(Vector256.Create(Unsafe.ReadUnaligned<int>(ref four)).AsByte(), block), ones);
    }
}
