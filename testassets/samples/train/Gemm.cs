using System.Runtime.Intrinsics;

namespace CompressOnBuild.Samples.Train;

/// <summary>
/// Matrix products, row-major, single precision. Every sum is built in a fixed order and in fixed lanes,
/// so the trained weights do not depend on the number of threads or on the width of the processor's vectors.
/// </summary>
internal static unsafe class Gemm
{
    private const int Panel = 32;
    private const int Depth = 2048;

    [ThreadStatic]
    private static float[]? packed;

    /// <summary>c[m,n] = a[m,k] b[k,n]; n is a multiple of 32.</summary>
    public static void Multiply(float[] a, int aStart, float[] b, int bStart, float[] c, int cStart, int m, int k, int n)
    {
        if (n % Panel != 0) throw new ArgumentException($"n = {n} is no multiple of {Panel}");
        const int Group = 8;
        var panels = n / Panel;
        Parallel.For(0, (panels + Group - 1) / Group, group =>
        {
            if (packed is null || packed.Length < k * Panel) packed = new float[k * Panel];
            fixed (float* pa = &a[aStart], pb = &b[bStart], pc = &c[cStart], pack = packed)
                for (var panel = group * Group; panel < Math.Min(panels, (group + 1) * Group); panel++)
                {
                    for (var l = 0; l < k; l++)
                        new ReadOnlySpan<float>(pb + (long)l * n + panel * Panel, Panel).CopyTo(new Span<float>(pack + l * Panel, Panel));
                    var i = 0;
                    for (; i + 4 <= m; i += 4) FourRows(pa + i * k, pack, pc + (long)i * n + panel * Panel, k, n);
                    for (; i < m; i++) OneRow(pa + i * k, pack, pc + (long)i * n + panel * Panel, k);
                }
        });
    }

    private static void FourRows(float* a, float* b, float* c, int k, int n)
    {
        Vector512<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        for (var l = 0; l < k; l++, b += Panel)
        {
            Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16);
            var row = Vector512.Create(a[l]);
            c00 = Vector512.FusedMultiplyAdd(row, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(row, b1, c01);
            row = Vector512.Create(a[l + k]);
            c10 = Vector512.FusedMultiplyAdd(row, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(row, b1, c11);
            row = Vector512.Create(a[l + 2 * k]);
            c20 = Vector512.FusedMultiplyAdd(row, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(row, b1, c21);
            row = Vector512.Create(a[l + 3 * k]);
            c30 = Vector512.FusedMultiplyAdd(row, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(row, b1, c31);
        }
        c00.Store(c);
        c01.Store(c + 16);
        c10.Store(c + n);
        c11.Store(c + n + 16);
        c20.Store(c + 2L * n);
        c21.Store(c + 2L * n + 16);
        c30.Store(c + 3L * n);
        c31.Store(c + 3L * n + 16);
    }

    private static void OneRow(float* a, float* b, float* c, int k)
    {
        Vector512<float> c0 = default, c1 = default;
        for (var l = 0; l < k; l++, b += Panel)
        {
            var row = Vector512.Create(a[l]);
            c0 = Vector512.FusedMultiplyAdd(row, Vector512.Load(b), c0);
            c1 = Vector512.FusedMultiplyAdd(row, Vector512.Load(b + 16), c1);
        }
        c0.Store(c);
        c1.Store(c + 16);
    }

    /// <summary>c[m,k] = a[m,n] bᵀ, b[k,n]; n is a multiple of 32.</summary>
    public static void MultiplyByTransposed(float[] a, int aStart, float[] b, int bStart, float[] c, int cStart, int m, int k, int n)
    {
        Array.Clear(c, cStart, m * k);
        Parallel.For(0, (k + 3) / 4, block =>
        {
            var j0 = block * 4;
            fixed (float* pa = &a[aStart], pb = &b[bStart], pc = &c[cStart])
                for (var start = 0; start < n; start += Depth)
                {
                    var length = Math.Min(Depth, n - start);
                    var i = 0;
                    if (j0 + 4 <= k)
                        for (; i + 4 <= m; i += 4) FourByFour(pa + (long)i * n + start, pb + (long)j0 * n + start, pc + i * k + j0, k, n, length);
                    for (; i < m; i++)
                        for (var j = j0; j < Math.Min(k, j0 + 4); j++)
                            pc[i * k + j] += Dot(pa + (long)i * n + start, pb + (long)j * n + start, length);
                }
        });
    }

    private static void FourByFour(float* a, float* b, float* c, int k, long n, int length)
    {
        Vector512<float> c00 = default, c01 = default, c02 = default, c03 = default, c10 = default, c11 = default, c12 = default, c13 = default;
        Vector512<float> c20 = default, c21 = default, c22 = default, c23 = default, c30 = default, c31 = default, c32 = default, c33 = default;
        for (var l = 0; l < length; l += 16)
        {
            Vector512<float> b0 = Vector512.Load(b + l), b1 = Vector512.Load(b + n + l), b2 = Vector512.Load(b + 2 * n + l), b3 = Vector512.Load(b + 3 * n + l);
            var row = Vector512.Load(a + l);
            c00 = Vector512.FusedMultiplyAdd(row, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(row, b1, c01);
            c02 = Vector512.FusedMultiplyAdd(row, b2, c02);
            c03 = Vector512.FusedMultiplyAdd(row, b3, c03);
            row = Vector512.Load(a + n + l);
            c10 = Vector512.FusedMultiplyAdd(row, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(row, b1, c11);
            c12 = Vector512.FusedMultiplyAdd(row, b2, c12);
            c13 = Vector512.FusedMultiplyAdd(row, b3, c13);
            row = Vector512.Load(a + 2 * n + l);
            c20 = Vector512.FusedMultiplyAdd(row, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(row, b1, c21);
            c22 = Vector512.FusedMultiplyAdd(row, b2, c22);
            c23 = Vector512.FusedMultiplyAdd(row, b3, c23);
            row = Vector512.Load(a + 3 * n + l);
            c30 = Vector512.FusedMultiplyAdd(row, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(row, b1, c31);
            c32 = Vector512.FusedMultiplyAdd(row, b2, c32);
            c33 = Vector512.FusedMultiplyAdd(row, b3, c33);
        }
        Add(c, c00, c01, c02, c03);
        Add(c + k, c10, c11, c12, c13);
        Add(c + 2 * k, c20, c21, c22, c23);
        Add(c + 3 * k, c30, c31, c32, c33);
    }

    private static void Add(float* c, Vector512<float> v0, Vector512<float> v1, Vector512<float> v2, Vector512<float> v3)
    {
        c[0] += Sum(v0);
        c[1] += Sum(v1);
        c[2] += Sum(v2);
        c[3] += Sum(v3);
    }

    private static float Dot(float* a, float* b, int length)
    {
        var sum = Vector512<float>.Zero;
        for (var l = 0; l < length; l += 16) sum = Vector512.FusedMultiplyAdd(Vector512.Load(a + l), Vector512.Load(b + l), sum);
        return Sum(sum);
    }

    /// <summary>Sum of the lanes in an order of our own.</summary>
    private static float Sum(Vector512<float> v)
    {
        var eight = v.GetLower() + v.GetUpper();
        var four = eight.GetLower() + eight.GetUpper();
        return (four[0] + four[2]) + (four[1] + four[3]);
    }

    /// <summary>t[k,m] of a[m,k].</summary>
    public static void Transpose(float[] a, int aStart, float[] t, int m, int k)
    {
        for (var i = 0; i < m; i++)
            for (var j = 0; j < k; j++) t[j * m + i] = a[aStart + i * k + j];
    }
}
