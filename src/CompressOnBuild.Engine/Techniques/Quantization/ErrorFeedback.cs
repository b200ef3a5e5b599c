using System.Numerics.Tensors;
using CompressOnBuild.Numerics;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Rounding with error feedback (Frantar et al. 2023, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
/// section 3; the order of columns is fixed, all rows share the Hessian).
/// Symbols: w one output channel as a row of K weights, H = sum of x x^T over calibration inputs x [K], U upper triangular with H^-1 = U^T U,
/// s scale of the row, Q(w) = s * clamp(round(w / s), -n, n).
/// 1. H += damp * mean(diag H) * I; an input that was never seen has no say: H_kk = 1.
/// 2. U = Cholesky factor of H^-1.
/// 3. For k = 0..K-1: q_k = Q(w_k); e = (w_k - q_k) / U_kk; w_j -= e * U_kj for all j > k: what rounding did to this input is made up for by
///    those that come together with it.
/// 4. The scale that fits the codes best on the calibration inputs: s = q^T H w / q^T H q, the minimum of d^T H d with d = w - s q.
/// 5. Steps 3 and 4 from several scales below 8 bits, where clipping and rounding trade; the smallest d^T H d wins. A row keeps plain
///    rounding where that is closer: the result is never worse than rounding.
/// 6. Where products must be exact on processors that saturate, step 3 rounds no further than the neighbours of k that are already rounded
///    allow (<see cref="SaturationSafety"/>); what that costs is fed back like any other error.
/// Departure: scales start from those of plain rounding (chosen by squared error), not from those of the updated weights.
/// </summary>
internal static class ErrorFeedback
{
    private const double Damp = 0.01;
    private static readonly float[] s_factors = [1f, 0.92f, 0.84f, 1.08f];

    /// <summary>Rounds <paramref name="plain"/>'s weights again.</summary>
    /// <param name="weights">Row-major [rows, K], rows divided into groups of equal size.</param>
    /// <param name="plain">What plain rounding made of them, one scale a row.</param>
    /// <param name="grams">H of each group, [K, K] row-major; all of one size.</param>
    /// <param name="saturationSafe">Step 6.</param>
    public static Quantized Quantize(ReadOnlySpan<float> weights, Quantized plain, IReadOnlyList<double[]> grams, bool saturationSafe = false)
    {
        var rows = plain.Scales.Length;
        var k = weights.Length / rows;
        var limit = (1 << (plain.Bits - 1)) - 1;
        var codes = (sbyte[])plain.Codes.Clone();
        var scales = (float[])plain.Scales.Clone();
        var source = weights.ToArray();
        var neighbours = saturationSafe ? SaturationSafety.EarlierNeighbours(k, plain.Shape.Length > 2 ? (int)(weights.Length / (plain.Shape[0] * plain.Shape[1])) : 1) : null;
        var perGroup = rows / grams.Count;
        for (var g = 0; g < grams.Count; g++)
        {
            if (Factor(grams[g], k) is not { } u) continue;
            var group = g;
            // Rows do not touch each other: the number of threads changes no bit.
            Parallel.For(0, perGroup, i => Row(source, codes, scales, group * perGroup + i, u, grams[group], k, limit, neighbours));
        }
        return new Quantized { Codes = codes, Shape = plain.Shape, ChannelAxes = plain.ChannelAxes, Scales = scales, Bits = plain.Bits };
    }

    // Steps 1 and 2.
    private static double[]? Factor(double[] gram, int k)
    {
        var h = (double[])gram.Clone();
        double trace = 0;
        for (var i = 0; i < k; i++) trace += h[i * k + i];
        if (!(trace > 0) || !double.IsFinite(trace)) return null;
        for (var i = 0; i < k; i++)
        {
            if (h[i * k + i] == 0) h[i * k + i] = 1;
            h[i * k + i] += Damp * trace / k;
        }
        return Cholesky.InverseFactor(h, k);
    }

    private static void Row(float[] weights, sbyte[] codes, float[] scales, int row, double[] u, double[] gram, int k, int limit, int[][]? neighbours)
    {
        var w = new double[k];
        for (var j = 0; j < k; j++) w[j] = weights[row * k + j];
        var plain = new double[k];
        for (var j = 0; j < k; j++) plain[j] = codes[row * k + j];
        var (bestScale, least) = (scales[row], Error(gram, k, w, plain, scales[row]));
        double[]? best = null;
        foreach (var factor in limit < 127 ? s_factors : [1f])
        {
            if (least == 0) break;
            var scale = scales[row] * factor;
            var rounded = Rounded(w, scale, u, k, limit, neighbours); // step 3
            scale = Fitted(gram, k, w, rounded, scale); // step 4
            var error = Error(gram, k, w, rounded, scale);
            if (error < least) (best, bestScale, least) = (rounded, scale, error); // step 5
        }
        if (best is null) return;
        scales[row] = bestScale;
        for (var j = 0; j < k; j++) codes[row * k + j] = (sbyte)best[j];
    }

    private static double[] Rounded(double[] weights, float scale, double[] u, int k, int limit, int[][]? neighbours)
    {
        var w = (double[])weights.Clone();
        var rounded = new double[k];
        for (var i = 0; i < k; i++)
        {
            var (least, most) = neighbours is null ? (-limit, limit) : SaturationSafety.Room(rounded, neighbours[i], limit); // step 6
            rounded[i] = Math.Clamp(Math.Round(w[i] / scale), least, most);
            var error = (w[i] - rounded[i] * scale) / u[i * k + i];
            var rest = w.AsSpan(i + 1);
            TensorPrimitives.MultiplyAdd(u.AsSpan(i * k + i + 1, k - i - 1), -error, rest, rest);
        }
        return rounded;
    }

    private static float Fitted(double[] gram, int k, double[] w, double[] q, float scale)
    {
        var qh = new double[k];
        for (var i = 0; i < k; i++)
            if (q[i] != 0) TensorPrimitives.MultiplyAdd(gram.AsSpan(i * k, k), q[i], qh, qh);
        double with = 0, self = 0;
        for (var j = 0; j < k; j++)
        {
            with += qh[j] * w[j];
            self += qh[j] * q[j];
        }
        var fitted = (float)(with / self);
        // Codes that calibration never saw the product of leave nothing to fit.
        return float.IsFinite(fitted) && fitted > scale / 2 && fitted < scale * 2 ? fitted : scale;
    }

    /// <summary>d^T H d, d = w - s q: the squared error of the row's output over the calibration inputs.</summary>
    private static double Error(double[] gram, int k, double[] w, double[] q, float scale)
    {
        var d = new double[k];
        for (var j = 0; j < k; j++) d[j] = w[j] - q[j] * scale;
        // H is symmetric: each product off its diagonal counts twice.
        var above = new double[k];
        double diagonal = 0, rest = 0;
        for (var i = 0; i < k; i++)
        {
            if (d[i] == 0) continue;
            diagonal += d[i] * d[i] * gram[i * k + i];
            var sums = above.AsSpan(i + 1);
            TensorPrimitives.MultiplyAdd(gram.AsSpan(i * k + i + 1, k - i - 1), d[i], sums, sums);
        }
        for (var j = 0; j < k; j++) rest += above[j] * d[j];
        return diagonal + 2 * rest;
    }
}
