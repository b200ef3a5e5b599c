using CompressOnBuild.Numerics;

namespace CompressOnBuild.Techniques.LowRank;

/// <summary>
/// The product of two thin matrices that replaces a weight with the least error of its output (Wang et al. 2024, "SVD-LLM: Truncation-aware Singular Value
/// Decomposition for Large Language Model Compression", section 3.1).
/// Symbols: W [N, K] maps inputs x [K] to outputs; H = sum of x x^T over calibration inputs; S with S S^T = H; W S = U E V^T its singular value decomposition.
/// 1. H += damp * mean(diag H) * I: inputs that calibration never saw have a say, too.
/// 2. W S = U E V^T. Truncated to rank r it loses the squares of the smallest E, which is what the outputs lose: tr((W - A B) H (W - A B)^T).
/// 3. A B = U_r E_r V_r^T S^-1.
/// Departures: no singular value decomposition is computed. Where N is at most K, U and E^2 are eigenvectors and eigenvalues of (W S)(W S)^T = W H W^T, and
/// A = U_r, B = U_r^T W, because U_r^T W S = E_r V_r^T: neither S nor its inverse is needed. Else V and E^2 come from (W S)^T (W S), A = W S V_r, B = V_r^T S^-1.
/// The square roots of E are not split between A and B: each factor is scaled by itself when it is quantized.
/// </summary>
internal sealed class WhitenedSvd
{
    private readonly double[] w;
    private readonly int n, k;
    /// <summary>Rows are U^T [N, N] (N at most K), else V^T [K, K].</summary>
    private readonly double[] vectors;
    /// <summary>S and S^-1, [K, K]; null where N is at most K.</summary>
    private readonly double[]? whitening, inverse;

    private WhitenedSvd(double[] w, int n, int k, double[] vectors, double[] energies, double[]? whitening, double[]? inverse)
    {
        (this.w, this.n, this.k, this.vectors, this.whitening, this.inverse) = (w, n, k, vectors, whitening, inverse);
        Energies = energies;
    }

    /// <summary>E^2, from the largest, not below 0; as many as the smaller side of W.</summary>
    public IReadOnlyList<double> Energies { get; }

    /// <summary>Decomposes <paramref name="w"/>.</summary>
    /// <param name="w">W, [N, K] row-major.</param>
    /// <param name="n">Outputs.</param>
    /// <param name="k">Inputs.</param>
    /// <param name="gram">H, [K, K]; null: the identity, which is plain SVD.</param>
    /// <param name="damp">As a share of H's mean diagonal.</param>
    /// <param name="parallel">Threads to use.</param>
    /// <returns>Null when H is zero or something is no number.</returns>
    public static WhitenedSvd? Decompose(double[] w, int n, int k, double[]? gram, double damp, ParallelOptions? parallel = null)
    {
        var h = gram is null ? Identity(k) : damp == 0 ? gram : Ridge.Damped(gram, k, damp); // step 1
        if (h is null) return null;
        var transposed = Dense.Transpose(w, n, k);
        // Step 2.
        if (n <= k)
        {
            var product = Dense.Multiply(Dense.Multiply(w, h, n, k, k, parallel), transposed, n, k, n, parallel);
            return SymmetricEigen.Decompose(product, n) is not { } e ? null : new(w, n, k, e.Vectors, [.. e.Values.Select(v => Math.Max(0, v))], null, null);
        }
        // H^-1 = U^T U, so that S = U^-1 = H U^T and S^-1 = U.
        if (Cholesky.InverseFactor((double[])h.Clone(), k) is not { } u) return null;
        var s = Dense.Multiply(h, Dense.Transpose(u, k, k), k, k, k, parallel);
        var square = Dense.Multiply(transposed, w, k, n, k, parallel);
        var whitened = Dense.Multiply(Dense.Multiply(Dense.Transpose(s, k, k), square, k, k, k, parallel), s, k, k, k, parallel);
        return SymmetricEigen.Decompose(whitened, k) is not { } d ? null : new(w, n, k, d.Vectors, [.. d.Values.Select(v => Math.Max(0, v))], s, u);
    }

    /// <summary>Step 3: A [N, r] and B [r, K].</summary>
    public (double[] A, double[] B) Factors(int rank)
    {
        var rows = vectors.AsSpan(0, rank * (whitening is null ? n : k)).ToArray();
        if (whitening is null) return (Dense.Transpose(rows, rank, n), Dense.Multiply(rows, w, rank, n, k));
        var basis = Dense.Multiply(whitening, Dense.Transpose(rows, rank, k), k, k, rank);
        return (Dense.Multiply(w, basis, n, k, rank), Dense.Multiply(rows, inverse!, rank, k, k));
    }

    /// <summary>What the outputs lose at <paramref name="rank"/>: the sum of the energies left out.</summary>
    public double Loss(int rank)
    {
        double loss = 0;
        for (var i = Energies.Count - 1; i >= rank; i--) loss += Energies[i];
        return loss;
    }

    private static double[] Identity(int k)
    {
        var identity = new double[k * k];
        for (var i = 0; i < k; i++) identity[i * k + i] = 1;
        return identity;
    }
}
