using System.Numerics.Tensors;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Rounding by coordinate descent (Behdin et al. 2023, "QuantEase: Optimization-based Quantization for Language Models", section 3; the same
/// objective as Nair and Suggala 2024, "CDQuant", and as AdaRound of Nagel et al. 2020 before its relaxation).
/// Symbols: w one output channel as a row of K weights, q its codes, s its scale, n the largest code, H the damped Gram matrix of its inputs
/// (as in <see cref="ErrorFeedback"/>), E = (w - s q)^T H (w - s q), a = H w, b = H q.
/// 1. a and b once for each row.
/// 2. For k = 0..K-1: E is a parabola in q_k with its lowest point at q_k + (a_k - s b_k) / (s H_kk); q_k becomes the nearest code of -n..n.
///    Where it changes by c, b += c H_k: the next ones see it.
/// 3. Step 2 again until a sweep changes nothing.
/// 4. s = q^T a / q^T b, the lowest E over scales, no code moved by more than half a step; then step 2 again, a few rounds.
/// 5. Where products must be exact on processors that saturate, q_k moves no further than its neighbours of both sides allow
///    (<see cref="SaturationSafety"/>).
/// No step raises E: the result is never worse than the codes it starts from.
/// Departures: it starts from rounding with error feedback, which it improves on, and scales are fitted in between; every row for itself.
/// </summary>
internal static class RoundingDescent
{
    private const int MostSweeps = 12, Rounds = 3, Block = 8;

    /// <summary>Moves the codes and scales of <paramref name="start"/> to where no single code can be changed for the better.</summary>
    /// <param name="weights">Row-major [rows, K], rows divided into groups of equal size.</param>
    /// <param name="start">Codes with one scale a row.</param>
    /// <param name="groups">H of each group, [K, K] row-major; null where nothing was seen.</param>
    /// <param name="saturationSafe">Step 5.</param>
    /// <param name="parallel">Threads to use, and what stops them.</param>
    public static Quantized Quantize(ReadOnlySpan<float> weights, Quantized start, IReadOnlyList<ErrorFeedback.Feedback?> groups, bool saturationSafe = false, ParallelOptions? parallel = null)
    {
        var rows = start.Scales.Length;
        var k = weights.Length / rows;
        var limit = (1 << (start.Bits - 1)) - 1;
        var codes = (sbyte[])start.Codes.Clone();
        var scales = (float[])start.Scales.Clone();
        var source = weights.ToArray();
        var neighbours = saturationSafe ? SaturationSafety.Neighbours(k, start.Shape.Length > 2 ? (int)(weights.Length / (start.Shape[0] * start.Shape[1])) : 1) : null;
        var perGroup = rows / groups.Count;
        for (var g = 0; g < groups.Count; g++)
        {
            if (groups[g]?.H is not { } h) continue;
            var first = g * perGroup;
            // Rows do not touch each other; some at a time, so that H is walked through once for all of them.
            Parallel.For(0, (perGroup + Block - 1) / Block, parallel ?? new ParallelOptions(), b =>
            {
                var from = first + b * Block;
                var count = Math.Min(Block, first + perGroup - from);
                var (w, q) = (new double[count][], new double[count][]);
                for (var r = 0; r < count; r++)
                {
                    w[r] = Array.ConvertAll(source[((from + r) * k)..((from + r + 1) * k)], v => (double)v);
                    q[r] = Array.ConvertAll(codes[((from + r) * k)..((from + r + 1) * k)], c => (double)c);
                }
                double[][] products = Product(h, w, k), own = Product(h, q, k); // step 1
                for (var r = 0; r < count; r++)
                {
                    scales[from + r] = Descend(h, k, products[r], own[r], q[r], scales[from + r], limit, neighbours);
                    for (var j = 0; j < k; j++) codes[(from + r) * k + j] = (sbyte)q[r][j];
                }
            });
        }
        return new Quantized { Codes = codes, Shape = start.Shape, ChannelAxes = start.ChannelAxes, Scales = scales, Bits = start.Bits };
    }

    private static float Descend(double[] h, int k, double[] a, double[] b, double[] q, float s, int limit, int[][]? neighbours)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var changed = false;
            for (var sweep = 0; sweep < MostSweeps && Sweep(h, k, a, b, q, s, limit, neighbours); sweep++) changed = true; // step 3
            if (!changed && round > 0) break;
            var fitted = Fit(a, b, q, s); // step 4
            if (fitted == s) break;
            s = fitted;
        }
        return s;
    }

    // Step 2.
    private static bool Sweep(double[] h, int k, double[] a, double[] b, double[] q, float s, int limit, int[][]? neighbours)
    {
        var changed = false;
        for (var i = 0; i < k; i++)
        {
            var curvature = s * h[i * k + i];
            if (!(curvature > 0)) continue;
            var slope = a[i] - s * b[i];
            if (Math.Abs(slope) <= 0.5 * curvature) continue; // the nearest code already
            var (least, most) = neighbours is null ? (-limit, limit) : SaturationSafety.Room(q, neighbours[i], limit); // step 5
            if (least > most) continue;
            var code = Math.Clamp(Math.Round(q[i] + slope / curvature), least, most);
            var step = code - q[i];
            // Clamped codes may stand beyond the lowest point: only what lowers E.
            if (step == 0 || step * (step * curvature - 2 * slope) >= 0) continue;
            q[i] = code;
            TensorPrimitives.MultiplyAdd(h.AsSpan(i * k, k), step, b, b);
            changed = true;
        }
        return changed;
    }

    private static float Fit(double[] a, double[] b, double[] q, float s)
    {
        double with = 0, self = 0, largest = 0;
        for (var j = 0; j < q.Length; j++)
        {
            with += q[j] * a[j];
            self += q[j] * b[j];
            largest = Math.Max(largest, Math.Abs(q[j]));
        }
        if (!(self > 0) || !double.IsFinite(with)) return s;
        var bound = 0.5 / largest;
        var fitted = (float)(s * Math.Clamp(with / self / s, 1 - bound, 1 + bound));
        // E as a parabola in s; the rounding of the scale to 32 bits may stand on its other side.
        double Rise(double scale) => scale * (scale * self - 2 * with);
        return Rise(fitted) < Rise(s) ? fitted : s;
    }

    private static double[][] Product(double[] h, double[][] rows, int k)
    {
        double[][] result = [.. rows.Select(_ => new double[k])];
        for (var i = 0; i < k; i++)
            for (var r = 0; r < rows.Length; r++)
                if (rows[r][i] != 0) TensorPrimitives.MultiplyAdd(h.AsSpan(i * k, k), rows[r][i], result[r], result[r]);
        return result;
    }
}
