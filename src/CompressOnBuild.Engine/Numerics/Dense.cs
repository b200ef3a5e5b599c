using System.Numerics.Tensors;

namespace CompressOnBuild.Numerics;

/// <summary>
/// Products of row-major matrices in double precision. Every element is one fixed sequence of multiplications and additions (rows are added to rows, never
/// summed across a vector), so that its bits are the same for every processor and number of threads.
/// </summary>
internal static class Dense
{
    private const int Rows = 16;

    /// <summary>A B: [n, k] times [k, m] gives [n, m].</summary>
    public static double[] Multiply(ReadOnlyMemory<double> a, double[] b, int n, int k, int m, ParallelOptions? parallel = null)
    {
        var result = new double[(long)n * m];
        // Some rows at a time, so that B is walked through once for all of them.
        Parallel.For(0, (n + Rows - 1) / Rows, parallel ?? new ParallelOptions(), block =>
        {
            var left = a.Span;
            for (var j = 0; j < k; j++)
            {
                var row = b.AsSpan(j * m, m);
                for (var i = block * Rows; i < Math.Min(n, (block + 1) * Rows); i++)
                {
                    var factor = left[i * k + j];
                    if (factor == 0) continue;
                    var sums = result.AsSpan(i * m, m);
                    TensorPrimitives.MultiplyAdd(row, factor, sums, sums);
                }
            }
        });
        return result;
    }

    /// <summary>A^T: [n, m] gives [m, n].</summary>
    public static double[] Transpose(double[] a, int n, int m)
    {
        var result = new double[a.Length];
        for (var i = 0; i < n; i++)
            for (var j = 0; j < m; j++) result[j * n + i] = a[i * m + j];
        return result;
    }

    /// <summary>Sum of the products of equal places: the trace of A B^T.</summary>
    public static double Inner(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (var i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
