namespace CompressOnBuild.Numerics;

/// <summary>Least squares with a penalty, from second moments (Hoerl and Kennard 1970, "Ridge Regression"), in double precision.</summary>
internal static class Ridge
{
    /// <summary>
    /// The X [n, m] that minimises the squares of X z - t over samples plus l |X|^2: X = C (G + l I)^-1, with l = <paramref name="damp"/> times the mean of G's diagonal.
    /// </summary>
    /// <param name="cross">C = sum of t z^T, [n, m].</param>
    /// <param name="gram">G = sum of z z^T, [m, m]; not changed.</param>
    /// <param name="n">Rows of C.</param>
    /// <param name="m">Order of G.</param>
    /// <param name="damp">As a share of G's mean diagonal.</param>
    /// <param name="parallel">Threads to use.</param>
    /// <returns>Null when G is zero or holds no numbers.</returns>
    public static double[]? Solve(double[] cross, double[] gram, int n, int m, double damp, ParallelOptions? parallel = null)
    {
        if (InverseFactor(gram, m, damp) is not { } u) return null;
        // G^-1 = U^T U: C U^T first, which is triangular.
        return Dense.Multiply(Dense.Multiply(cross, Dense.Transpose(u, m, m), n, m, m, parallel), u, n, m, m, parallel);
    }

    /// <summary>The upper triangular U with (G + l I)^-1 = U^T U; null when G is zero or holds no numbers.</summary>
    public static double[]? InverseFactor(double[] gram, int m, double damp) => Damped(gram, m, damp) is { } damped ? Cholesky.InverseFactor(damped, m) : null;

    /// <summary>G + l I; null when G is zero or holds no numbers.</summary>
    public static double[]? Damped(double[] gram, int m, double damp)
    {
        double trace = 0;
        for (var i = 0; i < m; i++) trace += gram[i * m + i];
        if (!(trace > 0) || !double.IsFinite(trace)) return null;
        var damped = (double[])gram.Clone();
        for (var i = 0; i < m; i++) damped[i * m + i] += damp * trace / m;
        return damped;
    }
}
