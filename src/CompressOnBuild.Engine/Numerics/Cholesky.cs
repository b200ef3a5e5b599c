using System.Numerics.Tensors;

namespace CompressOnBuild.Numerics;

/// <summary>
/// Triangular factors of a symmetric positive definite matrix in double precision. Our own only because results must have the same bits
/// everywhere: every element is the result of one fixed sequence of operations, whatever the width of the processor's vectors.
/// </summary>
internal static class Cholesky
{
    /// <summary>
    /// The upper triangular U with A^-1 = U^T U, whose rows are what eliminating one variable after the other leaves of A^-1
    /// (Golub and Van Loan, "Matrix Computations", section 4.2; A = R R^T with R upper triangular, and U = R^-1).
    /// </summary>
    /// <param name="a">A, [n, n] row-major; overwritten. Only its upper triangle is read.</param>
    /// <param name="n">Order of A.</param>
    /// <returns>U, [n, n] row-major, 0 below the diagonal; null when A is not positive definite.</returns>
    public static double[]? InverseFactor(double[] a, int n)
    {
        // R by columns from the last: with C = R^T stored by rows, row k of C is column k of R, and what remains loses its outer product.
        var c = new double[n * n];
        for (var k = n - 1; k >= 0; k--)
        {
            var pivot = a[k * n + k];
            if (!(pivot > 0) || !double.IsFinite(pivot)) return null;
            var root = Math.Sqrt(pivot);
            var column = c.AsSpan(k * n, k + 1);
            for (var i = 0; i <= k; i++) column[i] = a[i * n + k] / root;
            for (var i = 0; i < k; i++)
            {
                // a[i, i..k-1] -= R[i, k] * R[i..k-1, k]
                var row = a.AsSpan(i * n + i, k - i);
                TensorPrimitives.MultiplyAdd(column[i..k], -column[i], row, row);
            }
        }
        // U = R^-1 row by row from the bottom: U[i, :] = (e_i - sum over j > i of R[i, j] U[j, :]) / R[i, i].
        var u = new double[n * n];
        for (var i = n - 1; i >= 0; i--)
        {
            var row = u.AsSpan(i * n + i, n - i);
            for (var j = i + 1; j < n; j++)
            {
                var factor = c[j * n + i];
                if (factor != 0) TensorPrimitives.MultiplyAdd(u.AsSpan(j * n + j, n - j), -factor, row[(j - i)..], row[(j - i)..]);
            }
            row[0] = 1;
            TensorPrimitives.Divide(row, c[i * n + i], row);
        }
        return u;
    }
}
