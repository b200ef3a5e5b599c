using System.Numerics.Tensors;
using CompressOnBuild.Numerics;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Rounding with error feedback (Frantar et al. 2023, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
/// section 3; the order of columns is fixed, all rows share the Hessian).
/// Symbols: w one output channel as a row of K weights, H = sum of x x^T over calibration inputs x [K], U upper triangular with H^-1 = U^T U,
/// s scale of the row, Q(w) = s * clamp(round(w / s), -n, n).
/// 1. H += damp * mean(diag H) * I: calibration has seen few rows, and inputs that it never saw have a say, too.
/// 2. U = Cholesky factor of H^-1.
/// 3. For k = 0..K-1: q_k = Q(w_k); e = (w_k - q_k) / U_kk; w_j -= e * U_kj for all j > k: what rounding did to this input is made up for by
///    those that come together with it.
/// 4. The scale that fits the codes best: s = q^T H w / q^T H q, the minimum of d^T H d with d = w - s q; no code moves by more than half a step.
/// 5. Steps 3 and 4 from several scales below 8 bits, where clipping and rounding trade; the smallest d^T H d wins. A row keeps plain
///    rounding where that is closer: the result is never worse than rounding.
/// 6. Where products must be exact on processors that saturate, step 3 rounds no further than the neighbours of k that are already rounded
///    allow (<see cref="SaturationSafety"/>); what that costs is fed back like any other error.
/// Departure: scales start from those of plain rounding (chosen by squared error), not from those of the updated weights.
/// </summary>
internal static class ErrorFeedback
{
    private const double Damp = 0.01;
    private const int Block = 8;
    private static readonly float[] s_factors = [1f, 0.92f, 0.84f, 1.08f];

    /// <summary>Rounds <paramref name="plain"/>'s weights again.</summary>
    /// <param name="weights">Row-major [rows, K], rows divided into groups of equal size.</param>
    /// <param name="plain">What plain rounding made of them, one scale a row.</param>
    /// <param name="grams">H of each group, [K, K] row-major; all of one size.</param>
    /// <param name="saturationSafe">Step 6.</param>
    /// <param name="parallel">Threads to use, and what stops them.</param>
    public static Quantized Quantize(ReadOnlySpan<float> weights, Quantized plain, IReadOnlyList<double[]> grams, bool saturationSafe = false, ParallelOptions? parallel = null)
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
            if (Damped(grams[g], k) is not { } h || Cholesky.InverseFactor((double[])h.Clone(), k) is not { } u) continue;
            var start = g * perGroup;
            // Rows do not touch each other: the number of threads changes no bit. Some at a time, so that H and U are walked through once for all of them.
            Parallel.For(0, (perGroup + Block - 1) / Block, parallel ?? new ParallelOptions(), b =>
            {
                var first = start + b * Block;
                new FeedbackRows(source, codes, scales, first, Math.Min(Block, start + perGroup - first), k, limit, neighbours).Round(h, u);
            });
        }
        return new Quantized { Codes = codes, Shape = plain.Shape, ChannelAxes = plain.ChannelAxes, Scales = scales, Bits = plain.Bits };
    }

    // Step 1.
    private static double[]? Damped(double[] gram, int k)
    {
        double trace = 0;
        for (var i = 0; i < k; i++) trace += gram[i * k + i];
        if (!(trace > 0) || !double.IsFinite(trace)) return null;
        var h = (double[])gram.Clone();
        for (var i = 0; i < k; i++) h[i * k + i] += Damp * trace / k;
        return h;
    }

    /// <summary>Neighbouring rows of one group, each as if it were alone.</summary>
    private sealed class FeedbackRows(float[] weights, sbyte[] codes, float[] scales, int first, int count, int k, int limit, int[][]? neighbours)
    {
        private readonly double[][] w = [.. Enumerable.Range(first, count).Select(r => weights.AsSpan(r * k, k).ToArray().Select(v => (double)v).ToArray())];

        public void Round(double[] h, double[] u)
        {
            double[][] best = [.. Enumerable.Range(first, count).Select(r => codes.AsSpan(r * k, k).ToArray().Select(c => (double)c).ToArray())];
            var start = scales.AsSpan(first, count).ToArray();
            var bestScale = (float[])start.Clone();
            var least = Errors(h, best, start);
            if (least.All(e => e == 0)) return;
            foreach (var factor in limit < 127 ? s_factors : [1f])
            {
                float[] scale = [.. start.Select(s => s * factor)];
                var rounded = Rounded(u, scale); // step 3
                Fit(h, rounded, scale); // step 4
                var errors = Errors(h, rounded, scale);
                for (var r = 0; r < count; r++)
                    if (errors[r] < least[r]) (best[r], bestScale[r], least[r]) = (rounded[r], scale[r], errors[r]); // step 5
            }
            for (var r = 0; r < count; r++)
            {
                scales[first + r] = bestScale[r];
                for (var j = 0; j < k; j++) codes[(first + r) * k + j] = (sbyte)best[r][j];
            }
        }

        private double[][] Rounded(double[] u, float[] scale)
        {
            double[][] rest = [.. w.Select(row => (double[])row.Clone())];
            double[][] rounded = [.. w.Select(_ => new double[k])];
            for (var i = 0; i < k; i++)
            {
                var factors = u.AsSpan(i * k + i + 1, k - i - 1);
                for (var r = 0; r < count; r++)
                {
                    var (lowest, most) = neighbours is null ? (-limit, limit) : SaturationSafety.Room(rounded[r], neighbours[i], limit); // step 6
                    rounded[r][i] = Math.Clamp(Math.Round(rest[r][i] / scale[r]), lowest, most);
                    var error = (rest[r][i] - rounded[r][i] * scale[r]) / u[i * k + i];
                    var after = rest[r].AsSpan(i + 1);
                    TensorPrimitives.MultiplyAdd(factors, -error, after, after);
                }
            }
            return rounded;
        }

        private void Fit(double[] h, double[][] q, float[] scale)
        {
            double[][] qh = [.. q.Select(_ => new double[k])];
            for (var i = 0; i < k; i++)
                for (var r = 0; r < count; r++)
                    if (q[r][i] != 0) TensorPrimitives.MultiplyAdd(h.AsSpan(i * k, k), q[r][i], qh[r], qh[r]);
            for (var r = 0; r < count; r++)
            {
                double with = 0, self = 0, largest = 0;
                for (var j = 0; j < k; j++)
                {
                    with += qh[r][j] * w[r][j];
                    self += qh[r][j] * q[r][j];
                    largest = Math.Max(largest, Math.Abs(q[r][j]));
                }
                if (!(self > 0) || !double.IsFinite(with)) continue;
                var most = 0.5 / largest;
                scale[r] *= (float)Math.Clamp(with / self / scale[r], 1 - most, 1 + most);
            }
        }

        /// <summary>d^T H d of each row, d = w - s q.</summary>
        private double[] Errors(double[] h, double[][] q, float[] scale)
        {
            double[][] d = [.. w.Select((row, r) => row.Select((v, j) => v - q[r][j] * scale[r]).ToArray())];
            // H is symmetric: each product off its diagonal counts twice.
            double[][] above = [.. w.Select(_ => new double[k])];
            var diagonal = new double[count];
            for (var i = 0; i < k; i++)
            {
                var row = h.AsSpan(i * k + i + 1, k - i - 1);
                for (var r = 0; r < count; r++)
                {
                    if (d[r][i] == 0) continue;
                    diagonal[r] += d[r][i] * d[r][i] * h[i * k + i];
                    var sums = above[r].AsSpan(i + 1);
                    TensorPrimitives.MultiplyAdd(row, d[r][i], sums, sums);
                }
            }
            var errors = new double[count];
            for (var r = 0; r < count; r++)
            {
                double rest = 0;
                for (var j = 0; j < k; j++) rest += above[r][j] * d[r][j];
                errors[r] = diagonal[r] + 2 * rest;
            }
            return errors;
        }
    }
}
