using CompressOnBuild.Numerics;

namespace CompressOnBuild.Techniques.Pruning;

/// <summary>Second moments of a layer's inputs x [K] in the pruned network and of its wanted outputs y [N]: H = sum of x x^T, C = sum of y x^T.</summary>
internal readonly record struct ReconstructionMoments(double[] Gram, double[] Cross);

/// <summary>
/// The weights of a layer solved anew for what it reads in the pruned network, so that its output comes nearest to what it was in the original one: the errors that layers
/// before it left are made up for, too (He et al. 2017, "Channel Pruning for Accelerating Very Deep Neural Networks", section 3.2, whole model pruning).
/// Symbols: W [N, K] weights, H, C moments (<see cref="ReconstructionMoments"/>), m mean of H's diagonal, d damping.
/// 1. W' minimises the squares of W' x - y over the samples plus d m |W' - W|^2: W' = W + (C - W H) (H + d m I)^-1.
/// 2. d is chosen on samples that do not solve: of half the samples each d gives a W', and the one counts whose error tr(W' H W'^T) - 2 tr(W' C^T) on the other half is
///    least; W itself is one of them.
/// 3. With that d, W' of all samples.
/// Departures: the paper shrinks towards zero, or not at all; W, which made up for the cut alone (<see cref="LayerRepair"/>), is the nearer guess where samples are few.
/// </summary>
internal static class LayerReconstruction
{
    private static readonly double[] s_damps = [0.001, 0.01, 0.1, 1];

    /// <summary>W', or null where W is the best on samples that were not used.</summary>
    /// <param name="weights">W, [N, K].</param>
    /// <param name="n">N.</param>
    /// <param name="some">Moments of half the samples.</param>
    /// <param name="others">Those of the other half.</param>
    /// <param name="all">Those of both.</param>
    /// <param name="parallel">Threads to use.</param>
    public static double[]? Solve(double[] weights, int n, ReconstructionMoments some, ReconstructionMoments others, ReconstructionMoments all, ParallelOptions? parallel = null)
    {
        var k = weights.Length / n;
        var (best, least) = (0.0, Error(weights, n, k, others, parallel));
        foreach (var damp in s_damps) // step 2
        {
            if (Solve(weights, n, k, some, damp, parallel) is not { } tried) continue;
            var error = Error(tried, n, k, others, parallel);
            if (error < least) (best, least) = (damp, error);
        }
        return best > 0 ? Solve(weights, n, k, all, best, parallel) : null; // step 3
    }

    // Step 1.
    private static double[]? Solve(double[] weights, int n, int k, ReconstructionMoments moments, double damp, ParallelOptions? parallel)
    {
        var rest = Dense.Multiply(weights, moments.Gram, n, k, k, parallel);
        for (var i = 0; i < rest.Length; i++) rest[i] = moments.Cross[i] - rest[i];
        if (Ridge.Solve(rest, moments.Gram, n, k, damp, parallel) is not { } change) return null;
        for (var i = 0; i < change.Length; i++) change[i] += weights[i];
        return change;
    }

    // Less the power of y, which is the same for all.
    private static double Error(double[] weights, int n, int k, ReconstructionMoments moments, ParallelOptions? parallel) =>
        Dense.Inner(Dense.Multiply(weights, moments.Gram, n, k, k, parallel), weights) - 2 * Dense.Inner(weights, moments.Cross);
}
