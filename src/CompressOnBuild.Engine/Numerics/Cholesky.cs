using System.Numerics.Tensors;
using CompressOnBuild.Kernels;

namespace CompressOnBuild.Numerics;

/// <summary>
/// Triangular factors of a symmetric positive definite matrix in double precision. Our own only because results must have the same bits
/// everywhere: every element is the result of one fixed sequence of operations, whatever the width of the processor's vectors.
/// </summary>
internal static class Cholesky
{
    private const int Panel = 16;

    /// <summary>
    /// The upper triangular U with A^-1 = U^T U, whose rows are what eliminating one variable after the other leaves of A^-1
    /// (Golub and Van Loan, "Matrix Computations", section 4.2; A = R R^T with R upper triangular, and U = R^-1).
    /// </summary>
    /// <param name="a">A, [n, n] row-major; overwritten. Only its upper triangle is read.</param>
    /// <param name="n">Order of A.</param>
    /// <returns>U, [n, n] row-major, 0 below the diagonal; null when A is not positive definite.</returns>
    public static double[]? InverseFactor(double[] a, int n)
    {
        // R by columns from the last: with C = R^T stored by rows, row k of C is column k of R, and what remains loses its outer product. The columns of
        // a panel lose it at once; those before it are walked through once for the whole panel, which changes no element's sequence.
        var c = a; // below the diagonal, where nothing else is read
        Span<int> starts = stackalloc int[Panel];
        Span<double> factors = stackalloc double[Panel];
        for (var end = n; end > 0; end -= Panel)
        {
            var first = Math.Max(0, end - Panel);
            for (var k = end - 1; k >= first; k--)
            {
                var pivot = a[k * n + k];
                if (!(pivot > 0) || !double.IsFinite(pivot)) return null;
                var root = Math.Sqrt(pivot);
                var column = c.AsSpan(k * n, k + 1);
                for (var i = 0; i <= k; i++) column[i] = a[i * n + k] / root;
                // a[i, j] -= R[i, k] * R[j, k]
                for (var i = 0; i < k; i++)
                    for (var j = Math.Max(i, first); j < k; j++) a[i * n + j] += column[j] * -column[i];
            }
            for (var i = 0; i < first; i++)
            {
                for (var k = end - 1; k >= first; k--) (starts[end - 1 - k], factors[end - 1 - k]) = (k * n + i, -c[k * n + i]);
                RankUpdate.Add(c, starts[..(end - first)], factors[..(end - first)], a.AsSpan(i * n + i, first - i));
            }
        }
        // U = R^-1 row by row from the bottom: U[i, :] = (e_i - sum over j > i of R[i, j] U[j, :]) / R[i, i].
        var u = new double[n * n];
        for (var i = n - 1; i >= 0; i--)
        {
            var row = u.AsSpan(i * n + i, n - i);
            for (var first = i + 1; first < n; first += Panel)
            {
                var end = Math.Min(n, first + Panel);
                for (var j = first; j < end; j++) (starts[j - first], factors[j - first]) = ((j - first) * n + first, -c[j * n + i]);
                // Left of their diagonals the rows are 0.
                RankUpdate.Add(u.AsSpan(first * n), starts[..(end - first)], factors[..(end - first)], row[(first - i)..]);
            }
            row[0] = 1;
            TensorPrimitives.Divide(row, c[i * n + i], row);
        }
        return u;
    }
}
