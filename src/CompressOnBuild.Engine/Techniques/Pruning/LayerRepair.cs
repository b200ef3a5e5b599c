using CompressOnBuild.Numerics;

namespace CompressOnBuild.Techniques.Pruning;

/// <summary>
/// The weights of a layer solved anew for the inputs that remain, so that its output stays nearest to what it was: ridge least squares on calibration data (He et al.
/// 2017, "Channel Pruning for Accelerating Very Deep Neural Networks", section 3.1, the reconstruction).
/// Symbols: W [N, K], H = sum of x x^T over inputs x [K] with its damping, S the inputs that remain.
/// W'_S = W H_:S (H_SS)^-1, and 0 for the others.
/// Departure: not the error for the pruned inputs of the pruned network, but for the inputs as they were: rounds that take a little each keep the two near.
/// </summary>
internal static class LayerRepair
{
    /// <summary>W' in the shape of W.</summary>
    /// <param name="weights">W, [N, K].</param>
    /// <param name="n">N.</param>
    /// <param name="gram">H, [K, K], positive definite.</param>
    /// <param name="kept">S, ascending.</param>
    /// <param name="parallel">Threads to use.</param>
    public static double[] Solve(double[] weights, int n, double[] gram, IReadOnlyList<int> kept, ParallelOptions? parallel = null)
    {
        var (k, m) = (weights.Length / n, kept.Count);
        var (some, columns) = (new double[m * m], new double[k * m]);
        for (var j = 0; j < m; j++)
        {
            for (var i = 0; i < m; i++) some[i * m + j] = gram[kept[i] * k + kept[j]];
            for (var i = 0; i < k; i++) columns[i * m + j] = gram[i * k + kept[j]];
        }
        var result = new double[weights.Length];
        var solved = Ridge.Solve(Dense.Multiply(weights, columns, n, k, m, parallel), some, n, m, 0, parallel);
        for (var r = 0; r < n; r++)
            for (var j = 0; j < m; j++) result[r * k + kept[j]] = solved is null ? weights[r * k + kept[j]] : solved[r * m + j];
        return result;
    }
}
