using CompressOnBuild.Numerics;

namespace CompressOnBuild.Techniques.LowRank;

/// <summary>
/// A convolution as a thin one that mixes part of its input's axes, and one over what comes out: Tucker-2 (Kim et al. 2016, "Compression of Deep Convolutional
/// Neural Networks for Fast and Low Power Mobile Applications", section 3.2), where the first mixes channels and the second keeps the kernel, with its outputs
/// factored too; and the separable kernels of Jaderberg et al. 2014 ("Speeding up Convolutional Neural Networks with Low Rank Expansions", section 3, scheme 2), where
/// the first has the kernel's columns and the second its rows.
/// Symbols: W [N, K] with K = P * Q, input k belonging to p(k) and q(k); H = sum of x x^T over patches x [K]; T [R, P] the first convolution; Z [R * Q, K] with
/// Z = T[r, p] at (r, q), k = (p, q): what the second one sees is z = Z x.
/// 1. T: the rows of B of the whitened SVD (<see cref="WhitenedSvd"/>) of W unfolded to [N * Q, P], with the Gram matrix of x over P, summed over q.
/// 2. The second convolution solved anew for that T: V = W H Z^T (Z H Z^T + l I)^-1.
/// 3. Its outputs factored for the inputs z (Tucker-2's second rank): V = A B by the whitened SVD with Z H Z^T.
/// Departures: both papers minimise the error of the weight; here every step minimises that of the output on calibration data, and step 2 makes up for step 1.
/// </summary>
internal sealed class InputProjection
{
    private readonly double[] w, h;
    private readonly int n, k, outer, inner;
    private readonly Func<int, (int P, int Q)> place;
    private readonly WhitenedSvd mixing;
    private readonly ParallelOptions? parallel;

    private InputProjection(double[] w, double[] h, int n, int k, int outer, int inner, Func<int, (int, int)> place, WhitenedSvd mixing, ParallelOptions? parallel) =>
        (this.w, this.h, this.n, this.k, this.outer, this.inner, this.place, this.mixing, this.parallel) = (w, h, n, k, outer, inner, place, mixing, parallel);

    /// <summary>Step 1 for every R at once.</summary>
    /// <param name="w">W, [N, K].</param>
    /// <param name="n">Outputs.</param>
    /// <param name="k">P * Q.</param>
    /// <param name="outer">P.</param>
    /// <param name="place">Where input k belongs.</param>
    /// <param name="gram">H; null: the identity.</param>
    /// <param name="damp">As a share of H's mean diagonal.</param>
    /// <param name="parallel">Threads to use.</param>
    public static InputProjection? Create(double[] w, int n, int k, int outer, Func<int, (int P, int Q)> place, double[]? gram, double damp, ParallelOptions? parallel = null)
    {
        var inner = k / outer;
        var h = gram is null || damp == 0 ? gram : Ridge.Damped(gram, k, damp);
        if (gram is not null && h is null) return null;
        if (h is null)
        {
            h = new double[k * k];
            for (var i = 0; i < k; i++) h[i * k + i] = 1;
        }
        var unfolded = new double[n * inner * outer];
        var seen = new double[outer * outer];
        for (var i = 0; i < k; i++)
        {
            var (p, q) = place(i);
            for (var row = 0; row < n; row++) unfolded[(row * inner + q) * outer + p] = w[row * k + i];
            for (var j = 0; j < k; j++)
                if (place(j) is var (other, same) && same == q) seen[p * outer + other] += h[i * k + j];
        }
        return WhitenedSvd.Decompose(unfolded, n * inner, outer, seen, 0, parallel) is { } mixing ? new(w, h, n, k, outer, inner, place, mixing, parallel) : null;
    }

    /// <summary>Largest R: the smaller side of what step 1 decomposes.</summary>
    public int MostRank => mixing.Energies.Count;

    /// <summary>Step 2.</summary>
    /// <param name="rank">R, at most <see cref="MostRank"/>.</param>
    /// <param name="damp">Penalty of the new solution.</param>
    /// <returns>T [R, P], V [N, R * Q] with its inputs in the order (r, q), and what the outputs lose, tr((W - V Z) H (W - V Z)^T); null when it cannot be solved.</returns>
    public Projected? Project(int rank, double damp)
    {
        var t = mixing.Factors(rank).B;
        var m = rank * inner;
        // Z H: [R * Q, K]
        var z = new double[m * k];
        for (var i = 0; i < k; i++)
        {
            var (p, q) = place(i);
            for (var r = 0; r < rank; r++) z[(r * inner + q) * k + i] = t[r * outer + p];
        }
        var zh = Dense.Multiply(z, h, m, k, k, parallel);
        var gram = Dense.Multiply(zh, Dense.Transpose(z, m, k), m, k, m, parallel);
        var cross = Dense.Multiply(w, Dense.Transpose(zh, m, k), n, k, m, parallel);
        if (Ridge.Solve(cross, gram, n, m, damp, parallel) is not { } v) return null;
        var rest = (double[])w.Clone();
        var made = Dense.Multiply(v, z, n, m, k, parallel);
        for (var i = 0; i < rest.Length; i++) rest[i] -= made[i];
        return new Projected(t, v, gram, Dense.Inner(Dense.Multiply(rest, h, n, k, k, parallel), rest));
    }

    /// <summary>Step 3: the outputs of <paramref name="projected"/> factored; its <see cref="WhitenedSvd.Loss"/> adds to what the projection lost.</summary>
    public WhitenedSvd? FactorOutputs(Projected projected) => WhitenedSvd.Decompose(projected.Second, n, projected.Second.Length / n, projected.Gram, 0, parallel);

    /// <param name="First">T.</param>
    /// <param name="Second">V.</param>
    /// <param name="Gram">Z H Z^T.</param>
    /// <param name="Loss">What the outputs lose.</param>
    internal sealed record Projected(double[] First, double[] Second, double[] Gram, double Loss);
}
