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
/// 4. A row keeps plain rounding where that is closer on the calibration inputs (d^T H d): the result is never worse than rounding.
/// Departure: scales are those of plain rounding (chosen by squared error), not those of the updated weights.
/// </summary>
internal static class ErrorFeedback
{
    private const double Damp = 0.01;

    /// <summary>Rounds <paramref name="plain"/>'s weights again, with its scales.</summary>
    /// <param name="weights">Row-major [rows, K], rows divided into groups of equal size.</param>
    /// <param name="plain">What plain rounding made of them, one scale a row.</param>
    /// <param name="grams">H of each group, [K, K] row-major; all of one size.</param>
    public static Quantized Quantize(ReadOnlySpan<float> weights, Quantized plain, IReadOnlyList<double[]> grams)
    {
        var rows = plain.Scales.Length;
        var k = weights.Length / rows;
        var limit = (1 << (plain.Bits - 1)) - 1;
        var codes = (sbyte[])plain.Codes.Clone();
        var source = weights.ToArray();
        var perGroup = rows / grams.Count;
        for (var g = 0; g < grams.Count; g++)
        {
            if (Factor(grams[g], k) is not { } u) continue;
            var group = g;
            // Rows do not touch each other: the number of threads changes no bit.
            Parallel.For(0, perGroup, i => Row(source, codes, plain.Scales[group * perGroup + i], group * perGroup + i, u, grams[group], k, limit));
        }
        return new Quantized { Codes = codes, Shape = plain.Shape, ChannelAxes = plain.ChannelAxes, Scales = plain.Scales, Bits = plain.Bits };
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

    private static void Row(float[] weights, sbyte[] codes, float scale, int row, double[] u, double[] gram, int k, int limit)
    {
        var w = new double[k];
        for (var j = 0; j < k; j++) w[j] = weights[row * k + j];
        var rounded = new double[k];
        for (var i = 0; i < k; i++) // step 3
        {
            rounded[i] = Math.Clamp(Math.Round(w[i] / scale), -limit, limit);
            var error = (w[i] - rounded[i] * scale) / u[i * k + i];
            var rest = w.AsSpan(i + 1);
            TensorPrimitives.MultiplyAdd(u.AsSpan(i * k + i + 1, k - i - 1), -error, rest, rest);
        }
        // step 4
        if (Error(gram, k, j => weights[row * k + j] - rounded[j] * scale) >= Error(gram, k, j => weights[row * k + j] - codes[row * k + j] * (double)scale)) return;
        for (var j = 0; j < k; j++) codes[row * k + j] = (sbyte)rounded[j];
    }

    /// <summary>d^T H d: the squared error of the row's output over the calibration inputs.</summary>
    private static double Error(double[] gram, int k, Func<int, double> difference)
    {
        var d = new double[k];
        for (var j = 0; j < k; j++) d[j] = difference(j);
        var sum = new double[k];
        for (var i = 0; i < k; i++)
            if (d[i] != 0) TensorPrimitives.MultiplyAdd(gram.AsSpan(i * k, k), d[i], sum, sum);
        double total = 0;
        for (var j = 0; j < k; j++) total += sum[j] * d[j];
        return total;
    }
}
