using System.Numerics.Tensors;

namespace CompressOnBuild.Numerics;

/// <summary>
/// Eigenvalues and eigenvectors of a symmetric matrix (Golub and Van Loan, "Matrix Computations", 4th edition, sections 8.3.1 and 8.3.3). Our own only because
/// results must have the same bits everywhere.
/// Symbols: A symmetric of order n; Q the product of the reflections; T tridiagonal with diagonal d and, beside it, e.
/// 1. Householder reflections I - b v v^T take A to T = Q^T A Q, one column at a time.
/// 2. Q is the product of the reflections, the last applied first.
/// 3. QL steps with Wilkinson's shift rotate T until every e is negligible; the rotations are gathered into Q.
/// 4. Sorted from the largest eigenvalue.
/// </summary>
internal static class SymmetricEigen
{
    private const int MostSteps = 60;
    private const double Epsilon = 2.220446049250313e-16;

    /// <summary>Decomposes <paramref name="matrix"/>.</summary>
    /// <param name="matrix">A, [n, n] row-major; not changed.</param>
    /// <param name="n">Order of A.</param>
    /// <returns>Eigenvalues from the largest, and the eigenvectors as rows [n, n] in that order; null when an element is no finite number.</returns>
    public static (double[] Values, double[] Vectors)? Decompose(double[] matrix, int n)
    {
        var largest = n == 0 ? 0 : matrix.Max(Math.Abs);
        if (!double.IsFinite(largest)) return null;
        // Powers of two lose no bit, and squares neither overflow nor vanish.
        var scale = largest == 0 ? 1 : Math.ScaleB(1, Math.ILogB(largest));
        var a = new double[n * n];
        for (var i = 0; i < a.Length; i++) a[i] = matrix[i] / scale;
        var (d, e, q) = Tridiagonal(a, n);
        if (!Rotate(d, e, q, n)) return null;
        // Step 4.
        int[] order = [.. Enumerable.Range(0, n).OrderByDescending(i => d[i]).ThenBy(i => i)];
        var vectors = new double[n * n];
        for (var i = 0; i < n; i++) q.AsSpan(order[i] * n, n).CopyTo(vectors.AsSpan(i * n));
        return ([.. order.Select(i => d[i] * scale)], vectors);
    }

    /// <summary>d, e and Q^T.</summary>
    private static (double[] D, double[] E, double[] Q) Tridiagonal(double[] a, int n)
    {
        var (d, e) = (new double[n], new double[n]);
        var reflections = new double[Math.Max(0, n - 2)][];
        var factors = new double[Math.Max(0, n - 2)];
        // Step 1.
        for (var k = 0; k < n - 1; k++)
        {
            var m = n - k - 1;
            d[k] = a[k * n + k];
            var v = a.AsSpan(k * n + k + 1, m).ToArray();
            if (k == n - 2) { e[k] = v[0]; break; }
            double tail = 0;
            for (var i = 1; i < m; i++) tail += v[i] * v[i];
            var norm = Math.Sqrt(v[0] * v[0] + tail);
            if (tail == 0) { e[k] = v[0]; reflections[k] = v; continue; }
            e[k] = v[0] > 0 ? -norm : norm;
            v[0] -= e[k];
            var b = 2 / (v[0] * v[0] + tail);
            var p = new double[m];
            for (var j = 0; j < m; j++) TensorPrimitives.MultiplyAdd(a.AsSpan((k + 1 + j) * n + k + 1, m), b * v[j], p, p);
            double inner = 0;
            for (var i = 0; i < m; i++) inner += p[i] * v[i];
            TensorPrimitives.MultiplyAdd(v, -b / 2 * inner, p, p);
            for (var i = 0; i < m; i++)
            {
                var row = a.AsSpan((k + 1 + i) * n + k + 1, m);
                TensorPrimitives.MultiplyAdd(p, -v[i], row, row);
                TensorPrimitives.MultiplyAdd(v, -p[i], row, row);
            }
            (reflections[k], factors[k]) = (v, b);
        }
        if (n > 0) d[n - 1] = a[n * n - 1];
        // Step 2.
        var q = new double[n * n];
        for (var i = 0; i < n; i++) q[i * n + i] = 1;
        for (var k = n - 3; k >= 0; k--)
        {
            if (factors[k] == 0) continue;
            var (v, m) = (reflections[k], n - k - 1);
            var sums = new double[m];
            for (var i = 0; i < m; i++) TensorPrimitives.MultiplyAdd(q.AsSpan((k + 1 + i) * n + k + 1, m), v[i], sums, sums);
            for (var i = 0; i < m; i++)
            {
                var row = q.AsSpan((k + 1 + i) * n + k + 1, m);
                TensorPrimitives.MultiplyAdd(sums, -factors[k] * v[i], row, row);
            }
        }
        return (d, e, Dense.Transpose(q, n, n));
    }

    // Step 3. Rows of z are columns of Q.
    private static bool Rotate(double[] d, double[] e, double[] z, int n)
    {
        var (left, right) = (new double[n], new double[n]);
        // Beside the largest, what a matrix of low rank has for zeros is noise, and never small beside itself.
        double norm = 0;
        for (var i = 0; i < n; i++) norm = Math.Max(norm, Math.Abs(d[i]) + Math.Abs(e[i]));
        for (var l = 0; l < n; l++)
        {
            for (var step = 0; ; step++)
            {
                var m = l;
                while (m < n - 1 && Math.Abs(e[m]) > Epsilon * Math.Max(norm, Math.Abs(d[m]) + Math.Abs(d[m + 1]))) m++;
                if (m == l) break;
                if (step == MostSteps) return false;
                var g = (d[l + 1] - d[l]) / (2 * e[l]);
                var r = Math.Sqrt(g * g + 1);
                g = d[m] - d[l] + e[l] / (g + (g < 0 ? -r : r));
                double s = 1, c = 1, p = 0;
                var i = m - 1;
                for (; i >= l; i--)
                {
                    var (f, b) = (s * e[i], c * e[i]);
                    r = Math.Sqrt(f * f + g * g);
                    e[i + 1] = r;
                    if (r == 0) { d[i + 1] -= p; e[m] = 0; break; }
                    (s, c) = (f / r, g / r);
                    g = d[i + 1] - p;
                    r = (d[i] - g) * s + 2 * c * b;
                    p = s * r;
                    d[i + 1] = g + p;
                    g = c * r - b;
                    var upper = z.AsSpan(i * n, n);
                    var lower = z.AsSpan((i + 1) * n, n);
                    TensorPrimitives.Multiply(upper, s, left);
                    TensorPrimitives.Multiply(lower, s, right);
                    TensorPrimitives.MultiplyAdd(lower, c, left, lower);
                    TensorPrimitives.Multiply(upper, c, upper);
                    TensorPrimitives.Subtract(upper, right, upper);
                }
                if (i >= l) continue;
                d[l] -= p;
                e[l] = g;
                e[m] = 0;
            }
        }
        return true;
    }
}
