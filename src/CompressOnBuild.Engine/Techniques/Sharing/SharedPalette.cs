using System.Numerics.Tensors;
using CompressOnBuild.Numerics;
using CompressOnBuild.Techniques.Quantization;

namespace CompressOnBuild.Techniques.Sharing;

/// <summary>A matrix [rows, K] as w = Scales[row] * Palette[Indices].</summary>
internal sealed record PaletteRows(float[] Palette, byte[] Indices, float[] Scales)
{
    public float[] Decompress()
    {
        var k = Indices.Length / Scales.Length;
        var result = new float[Indices.Length];
        for (var i = 0; i < result.Length; i++) result[i] = Palette[Indices[i]] * Scales[i / k];
        return result;
    }
}

/// <summary>
/// One palette for a whole weight, one scale for each of its rows, fitted to what the weight is multiplied with (Kim et al. 2024, "SqueezeLLM:
/// Dense-and-Sparse Quantization", section 4.1, sensitivity-weighted k-means; entries are then refitted as by van Baalen et al. 2024, "GPTVQ: The
/// Blessing of Dimensionality for LLM Quantization", section 3.3, codebook update).
/// Symbols: w one of the rows of K weights, s its scale, p the palette of 2^bits entries, a the entry of each weight, H the Gram matrix of the inputs
/// (<see cref="ErrorFeedback"/>, damped), h its diagonal: what an error in that input costs. Without calibration H = I.
/// 1. s = the root of the mean square of w: rows of w / s look alike, so that one palette serves all.
/// 2. p = weighted k-means of all w / s, weights s^2 h (<see cref="KMeans"/>); a = the nearest entries.
/// 3. Some rounds of s = sum h w p_a / sum h p_a^2, then step 2 again; the round with the least sum h (w - s p_a)^2 stays.
/// 4. Error feedback with the palette as grid (<see cref="ErrorFeedback"/>, steps 3 to 5).
/// 5. Entries are solved anew for the assignments of all rows: A p = b with A_uv = sum s^2 H_ij over i of entry u and j of entry v, b_u = sum s (H w)_i
///    over i of entry u: the minimum of sum d^T H d. Then step 4 again. Each is kept only where it lowers that sum.
/// Departures: SqueezeLLM takes the Fisher information of the loss for h and a palette for each row, whose entries would be most of the bytes of
/// a small row; the scales share one among all, as NormalFloat does (Dettmers et al. 2023), whose fixed palette is fitted here.
/// </summary>
internal static class SharedPalette
{
    private const int ScaleRounds = 4, EntryRounds = 2;
    // With more entries, each is all but where k-means put it, and solving gains nothing.
    private const int MostSolvedBits = 5;
    private static readonly float[] s_factors = [1f, 0.95f, 1.05f];

    /// <summary>Fits scales, palette and indices.</summary>
    /// <param name="weights">[rows, K], row-major.</param>
    /// <param name="rows">Rows, divided into groups of equal size.</param>
    /// <param name="bits">1 to 8.</param>
    /// <param name="groups">H and U of each group; null without calibration.</param>
    /// <param name="keep">False for weights that are zero whatever their index says; null: none.</param>
    /// <param name="parallel">Threads to use, and what stops them.</param>
    public static PaletteRows Fit(float[] weights, int rows, int bits, IReadOnlyList<ErrorFeedback.Feedback?>? groups, bool[]? keep = null, ParallelOptions? parallel = null)
    {
        var k = weights.Length / rows;
        var h = Importance(rows, k, groups, keep);
        var scales = RootMeanSquares(weights, rows, k); // step 1
        double[] palette = [];
        float[] bestScales = scales;
        var least = double.PositiveInfinity;
        for (var round = 0; round <= ScaleRounds; round++)
        {
            var fitted = Entries(weights, scales, h, k, bits); // step 2
            var error = DiagonalError(weights, scales, fitted, h, k);
            if (error < least) (least, palette, bestScales) = (error, fitted, scales);
            if (round < ScaleRounds) scales = FittedScales(weights, scales, fitted, h, k); // step 3
        }
        scales = (float[])bestScales.Clone();
        var values = Assigned(weights, scales, palette, k);
        if (keep is not null)
            for (var i = 0; i < values.Length; i++) if (!keep[i]) values[i] = 0;
        if (groups is not null)
        {
            var zeros = keep is null ? null : new ErrorFeedback.Zeros(Keep: keep);
            ErrorFeedback.Round(weights, values, scales, RoundingGrid.Of(palette), groups, factors: s_factors, zeros: zeros, parallel: parallel); // step 4
            for (var round = 0; round < EntryRounds && bits <= MostSolvedBits; round++) // step 5
            {
                if (Solved(weights, values, scales, palette, groups, keep, k, parallel) is not { } solved) break;
                (palette, values) = solved;
                ErrorFeedback.Round(weights, values, scales, RoundingGrid.Of(palette), groups, factors: s_factors, zeros: zeros, parallel: parallel);
            }
        }
        var grid = RoundingGrid.Of(palette);
        var entries = new float[1 << bits];
        for (var i = 0; i < entries.Length; i++) entries[i] = (float)palette[Math.Min(i, palette.Length - 1)];
        return new PaletteRows(entries, [.. values.Select(v => (byte)grid.Index(v))], scales);
    }

    // One figure a weight: h of its input, 0 for those that are taken out.
    private static double[] Importance(int rows, int k, IReadOnlyList<ErrorFeedback.Feedback?>? groups, bool[]? keep)
    {
        var result = new double[rows * k];
        for (var i = 0; i < result.Length; i++)
            if (keep is null || keep[i]) result[i] = groups?[i / k / (rows / groups.Count)] is { } seen ? seen.H[i % k * k + i % k] : 1;
        return result;
    }

    private static float[] RootMeanSquares(float[] weights, int rows, int k) => [.. Enumerable.Range(0, rows).Select(r =>
    {
        double sum = 0;
        for (var i = 0; i < k; i++) sum += (double)weights[r * k + i] * weights[r * k + i];
        var root = (float)Math.Sqrt(sum / k);
        return root > 1e-30f ? root : 1f;
    })];

    private static double[] Entries(float[] weights, float[] scales, double[] h, int k, int bits)
    {
        double[] x = new double[weights.Length], c = new double[weights.Length];
        for (var i = 0; i < x.Length; i++)
        {
            var row = i / k;
            (x[i], c[i]) = ((double)weights[i] / scales[row], (double)scales[row] * scales[row] * h[i]);
        }
        // Entries are stored as floats: everything that follows is fitted to those.
        return [.. KMeans.Fit(x, c, 1 << bits).Select(v => (double)(float)v).Distinct()];
    }

    private static double[] Assigned(float[] weights, float[] scales, double[] palette, int k)
    {
        var grid = RoundingGrid.Of(palette);
        var values = new double[weights.Length];
        for (var i = 0; i < values.Length; i++) values[i] = grid.Nearest((double)weights[i] / scales[i / k]);
        return values;
    }

    private static double DiagonalError(float[] weights, float[] scales, double[] palette, double[] h, int k)
    {
        var values = Assigned(weights, scales, palette, k);
        double sum = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var d = weights[i] - scales[i / k] * values[i];
            sum += h[i] * d * d;
        }
        return sum;
    }

    private static float[] FittedScales(float[] weights, float[] scales, double[] palette, double[] h, int k)
    {
        var values = Assigned(weights, scales, palette, k);
        var result = (float[])scales.Clone();
        for (var r = 0; r < scales.Length; r++)
        {
            double with = 0, self = 0;
            for (var j = 0; j < k; j++)
            {
                var v = values[r * k + j];
                with += h[r * k + j] * weights[r * k + j] * v;
                self += h[r * k + j] * v * v;
            }
            var fitted = (float)(with / self);
            if (fitted > 1e-30f && float.IsFinite(fitted)) result[r] = fitted;
        }
        return result;
    }

    // Step 5. Sums are made row by row and added in the order of the rows, however many threads there are.
    private static (double[] Palette, double[] Values)? Solved(float[] weights, double[] values, float[] scales, double[] palette, IReadOnlyList<ErrorFeedback.Feedback?> groups, bool[]? keep, int k, ParallelOptions? parallel)
    {
        const int Chunk = 16;
        var n = palette.Length;
        var grid = RoundingGrid.Of(palette);
        int[] index = [.. values.Select((v, i) => keep is null || keep[i] ? grid.Index(v) : -1)];
        var perGroup = scales.Length / groups.Count;
        var a = new double[n * n];
        var b = new double[n];
        for (var start = 0; start < scales.Length; start += Chunk)
        {
            var count = Math.Min(Chunk, scales.Length - start);
            var parts = new (double[] A, double[] B)[count];
            Parallel.For(0, count, parallel ?? new ParallelOptions(), i => parts[i] = RowSums(start + i));
            foreach (var (partA, partB) in parts)
            {
                TensorPrimitives.Add(a, partA, a);
                TensorPrimitives.Add(b, partB, b);
            }
        }
        // What the entries lack; a little of the diagonal holds entries that no weight takes where they are.
        var residual = new double[n];
        double trace = 0;
        for (var u = 0; u < n; u++)
        {
            residual[u] = b[u];
            for (var v = 0; v < n; v++) residual[u] -= a[u * n + v] * palette[v];
            trace += a[u * n + u];
        }
        if (!(trace > 0) || !double.IsFinite(trace)) return null;
        var before = Quadratic(palette);
        for (var u = 0; u < n; u++) a[u * n + u] += 1e-6 * trace / n;
        if (Cholesky.InverseFactor((double[])a.Clone(), n) is not { } inverse) return null;
        for (var u = 0; u < n; u++) a[u * n + u] -= 1e-6 * trace / n;
        // (A^-1) r = U^T (U r).
        double[] half = new double[n], solved = [.. palette];
        for (var u = 0; u < n; u++)
            for (var v = u; v < n; v++) half[u] += inverse[u * n + v] * residual[v];
        for (var u = 0; u < n; u++)
            for (var v = u; v < n; v++) solved[v] += inverse[u * n + v] * half[u];
        for (var u = 0; u < n; u++) solved[u] = (float)solved[u];
        if (!(Quadratic(solved) < before)) return null;
        double[] moved = [.. index.Select(i => i < 0 ? 0 : solved[i])];
        return ([.. solved.Distinct().Order()], moved);

        // p^T A p - 2 b^T p, the sum of d^T H d but for what no palette changes.
        double Quadratic(double[] p)
        {
            double sum = 0;
            for (var u = 0; u < n; u++)
            {
                for (var v = 0; v < n; v++) sum += p[u] * a[u * n + v] * p[v];
                sum -= 2 * b[u] * p[u];
            }
            return sum;
        }

        (double[] A, double[] B) RowSums(int row)
        {
            var (partA, partB) = (new double[n * n], new double[n]);
            if (groups[row / perGroup] is not { } seen) return (partA, partB);
            double s = scales[row];
            var gathered = new double[n * k];
            for (var i = 0; i < k; i++)
            {
                if (index[row * k + i] < 0) continue;
                var target = gathered.AsSpan(index[row * k + i] * k, k);
                TensorPrimitives.Add(target, seen.H.AsSpan(i * k, k), target);
            }
            for (var u = 0; u < n; u++)
                for (var j = 0; j < k; j++)
                {
                    if (index[row * k + j] is >= 0 and var v) partA[u * n + v] += s * s * gathered[u * k + j];
                    partB[u] += s * gathered[u * k + j] * weights[row * k + j];
                }
            return (partA, partB);
        }
    }
}
