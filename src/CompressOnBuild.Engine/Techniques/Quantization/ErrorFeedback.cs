using System.Numerics.Tensors;
using CompressOnBuild.Kernels;
using CompressOnBuild.Numerics;
using CompressOnBuild.Techniques.Pruning;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Rounding with error feedback (Frantar et al. 2023, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
/// section 3; the order of columns is fixed, all rows share the Hessian).
/// Symbols: w one output channel as a row of K weights, H = sum of x x^T over calibration inputs x [K], U upper triangular with H^-1 = U^T U,
/// s scale of the row, Q(w) = s * (the value of the grid nearest to w / s): whole numbers from -n to n, or a palette's entries.
/// 1. H += damp * mean(diag H) * I: calibration has seen few rows, and inputs that it never saw have a say, too.
/// 2. U = Cholesky factor of H^-1.
/// 3. For k = 0..K-1: q_k = Q(w_k); e = (w_k - q_k) / U_kk; w_j -= e * U_kj for all j > k: what rounding did to this input is made up for by
///    those that come together with it.
/// 4. The scale that fits the codes best: s = q^T H w / q^T H q, the minimum of d^T H d with d = w - s q; no value moves by more than half a step.
/// 5. Steps 3 and 4 from several scales below 8 bits, where clipping and rounding trade; the smallest d^T H d wins. A row keeps plain
///    rounding where that is closer: the result is never worse than rounding.
/// 6. Where products must be exact on processors that saturate, step 3 rounds no further than the neighbours of k that are already rounded
///    allow (<see cref="SaturationSafety"/>); what that costs is fed back like any other error.
/// 7. Where a row has a scale for each block of inputs, step 3 takes the one of the block, and steps 4 and 5 move all scales of a row by one factor.
/// 8. Pruning (Frantar and Alistarh 2023, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot", algorithm 1): before step 3 enters
///    a block of 128 inputs (of a pattern N:M, M inputs), those w_j of it with the least w_j^2 / U_jj^2, by what the earlier ones have made of
///    them, are chosen to become 0; what that costs is fed back like any other error. Rounding a weight and taking it out are one pass. Or
///    the zeros are given. A row whose zeros are to be chosen has no plain rounding to fall back to.
/// Departure: scales start from those of plain rounding (chosen by squared error), not from those of the updated weights.
/// </summary>
internal static class ErrorFeedback
{
    private const double Damp = 0.01;
    private const int Block = 8;
    private const int PruningBlock = 128;
    /// <summary>Inputs whose errors are fed to those behind them together ("lazy batch updates" of the paper): U and H are walked through once for all of them, and no weight's sequence of additions changes.</summary>
    private const int Batch = 16;
    private static readonly float[] s_factors = [1f, 0.92f, 0.84f, 1.08f];

    /// <summary>Rounds <paramref name="plain"/>'s weights again.</summary>
    /// <param name="weights">Row-major [rows, K], rows divided into groups of equal size.</param>
    /// <param name="plain">What plain rounding made of them, one scale a row.</param>
    /// <param name="grams">H of each group, [K, K] row-major; all of one size.</param>
    /// <param name="saturationSafe">Step 6.</param>
    /// <param name="parallel">Threads to use, and what stops them.</param>
    public static Quantized Quantize(ReadOnlySpan<float> weights, Quantized plain, IReadOnlyList<double[]> grams, bool saturationSafe = false, ParallelOptions? parallel = null) =>
        Quantize(weights, plain, Feedback.Of(grams, weights.Length / plain.Scales.Length), saturationSafe, parallel);

    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, Quantized, IReadOnlyList{double[]}, bool, ParallelOptions?)"/>
    internal static Quantized Quantize(ReadOnlySpan<float> weights, Quantized plain, IReadOnlyList<Feedback?> groups, bool saturationSafe = false, ParallelOptions? parallel = null)
    {
        var k = weights.Length / plain.Scales.Length;
        var limit = (1 << (plain.Bits - 1)) - 1;
        double[] values = [.. plain.Codes.Select(c => (double)c)];
        var scales = (float[])plain.Scales.Clone();
        var neighbours = saturationSafe ? SaturationSafety.EarlierNeighbours(k, plain.Shape.Length > 2 ? (int)(weights.Length / (plain.Shape[0] * plain.Shape[1])) : 1) : null;
        var factors = limit < 127 ? s_factors : [1f];
        Round(weights.ToArray(), values, scales, RoundingGrid.Integers(limit), groups, neighbours is null ? null : new Safety(limit, neighbours), factors, parallel: parallel);
        return new Quantized { Codes = [.. values.Select(v => (sbyte)v)], Shape = plain.Shape, ChannelAxes = plain.ChannelAxes, Scales = scales, Bits = plain.Bits };
    }

    /// <summary>H damped and U of one group; both null where calibration saw nothing of it.</summary>
    internal sealed record Feedback(double[] H, double[] U)
    {
        /// <summary>Steps 1 and 2 for every group.</summary>
        public static IReadOnlyList<Feedback?> Of(IReadOnlyList<double[]> grams, int k) =>
            [.. grams.Select(g => Ridge.Damped(g, k, Damp) is { } h && Cholesky.InverseFactor((double[])h.Clone(), k) is { } u ? new Feedback(h, u) : null)];
    }

    /// <summary>Codes end at <paramref name="Limit"/>, and none passes what its earlier <paramref name="Neighbours"/> leave (step 6).</summary>
    internal sealed record Safety(int Limit, int[][] Neighbours);

    /// <summary>Zeros of step 8: chosen by <paramref name="Target"/>, or given by <paramref name="Keep"/>, [rows, K], false for those.</summary>
    internal sealed record Zeros(PruningTarget? Target = null, bool[]? Keep = null);

    /// <summary>Steps 3 to 8 for weights on any grid.</summary>
    /// <param name="weights">[rows, K], row-major.</param>
    /// <param name="values">What plain rounding made of them, values of the grid; becomes what is better.</param>
    /// <param name="scales">One a row, or one for each block of a row; become what fits.</param>
    /// <param name="grid">The values that a weight over its scale may become.</param>
    /// <param name="groups">Of equal numbers of rows.</param>
    /// <param name="safety">Step 6.</param>
    /// <param name="factors">Of the scales, which step 5 starts from.</param>
    /// <param name="zeros">Step 8; where they are to be chosen, <paramref name="values"/> are only where to write to, else they keep to the zeros.</param>
    /// <param name="parallel">Threads to use, and what stops them.</param>
    /// <param name="blockSize">Step 7: inputs that share a scale.</param>
    internal static void Round(float[] weights, double[] values, float[] scales, RoundingGrid grid, IReadOnlyList<Feedback?> groups, Safety? safety = null, float[]? factors = null, Zeros? zeros = null, ParallelOptions? parallel = null, int blockSize = int.MaxValue)
    {
        var rows = blockSize == int.MaxValue ? scales.Length : Rows(weights.Length, scales.Length, blockSize, groups);
        var k = weights.Length / rows;
        var perGroup = rows / groups.Count;
        for (var g = 0; g < groups.Count; g++)
        {
            if (groups[g] is not { } feedback) continue;
            var start = g * perGroup;
            // Rows do not touch each other: the number of threads changes no bit. Some at a time, so that H and U are walked through once for all of them.
            Parallel.For(0, (perGroup + Block - 1) / Block, parallel ?? new ParallelOptions(), b =>
            {
                var first = start + b * Block;
                new FeedbackRows(weights, values, scales, first, Math.Min(Block, start + perGroup - first), k, scales.Length / rows, Math.Min(blockSize, k), grid, safety, zeros).Round(feedback, factors ?? s_factors);
            });
        }
    }

    // K follows from H where there is one; without any nothing is rounded.
    private static int Rows(int weights, int scales, int blockSize, IReadOnlyList<Feedback?> groups) =>
        groups.OfType<Feedback>().FirstOrDefault() is { } seen ? weights / (int)Math.Sqrt(seen.H.Length) : Math.Max(1, scales / Math.Max(1, weights / scales / blockSize));

    /// <summary>The sum over rows of d^T H d, d = <paramref name="weights"/> - <paramref name="restored"/>, both [rows, K]; rows of groups that were never seen count nothing.</summary>
    public static double Error(ReadOnlySpan<float> weights, ReadOnlySpan<float> restored, int rows, IReadOnlyList<Feedback?> groups)
    {
        var k = weights.Length / rows;
        var perGroup = rows / groups.Count;
        var d = new double[k];
        var product = new double[k];
        double sum = 0;
        for (var r = 0; r < rows; r++)
        {
            if (groups[r / perGroup] is not { } feedback) continue;
            for (var j = 0; j < k; j++) d[j] = (double)weights[r * k + j] - restored[r * k + j];
            Array.Clear(product);
            for (var i = 0; i < k; i++)
                if (d[i] != 0) TensorPrimitives.MultiplyAdd(feedback.H.AsSpan(i * k, k), d[i], product, product);
            for (var j = 0; j < k; j++) sum += product[j] * d[j];
        }
        return sum;
    }

    /// <summary>Neighbouring rows of one group, each as if it were alone.</summary>
    private sealed class FeedbackRows(float[] weights, double[] values, float[] scales, int first, int count, int k, int blocks, int blockSize, RoundingGrid grid, Safety? safety, Zeros? zeros)
    {
        private readonly double[][] w = [.. Enumerable.Range(first, count).Select(r => weights.AsSpan(r * k, k).ToArray().Select(v => (double)v).ToArray())];

        public void Round(Feedback feedback, float[] factors)
        {
            var (h, u) = feedback;
            double[][] best = [.. Enumerable.Range(first, count).Select(r => values.AsSpan(r * k, k).ToArray())];
            var start = scales.AsSpan(first * blocks, count * blocks).ToArray();
            var bestScale = (float[])start.Clone();
            var least = zeros?.Target is null ? Errors(h, best, start) : [.. Enumerable.Repeat(double.PositiveInfinity, count)];
            if (least.All(e => e == 0)) return;
            foreach (var factor in factors)
            {
                float[] scale = [.. start.Select(s => s * factor)];
                var rounded = Rounded(u, scale); // step 3
                Fit(h, rounded, scale); // step 4
                var errors = Errors(h, rounded, scale);
                for (var r = 0; r < count; r++)
                    if (errors[r] < least[r]) {
                        (best[r], least[r]) = (rounded[r], errors[r]); // step 5
                        scale.AsSpan(r * blocks, blocks).CopyTo(bestScale.AsSpan(r * blocks));
                    }
            }
            for (var r = 0; r < count; r++)
            {
                bestScale.AsSpan(r * blocks, blocks).CopyTo(scales.AsSpan((first + r) * blocks));
                best[r].CopyTo(values.AsSpan((first + r) * k));
            }
        }

        private double[][] Rounded(double[] u, float[] scale)
        {
            double[][] rest = [.. w.Select(row => (double[])row.Clone())];
            double[][] rounded = [.. w.Select(_ => new double[k])];
            bool[][]? keep = zeros is null ? null : [.. Enumerable.Range(first, count).Select(r => zeros.Keep is { } given ? given.AsSpan(r * k, k).ToArray() : [.. Enumerable.Repeat(true, k)])];
            var runs = zeros?.Target?.Runs(k, PruningBlock).ToDictionary(r => r.Start);
            var scores = new double[k];
            // What is to become 0 is chosen by what all earlier inputs have made of it.
            var batch = runs is null ? Batch : 1;
            var starts = new int[batch];
            double[][] fed = [.. w.Select(_ => new double[batch])];
            for (var first = 0; first < k; first += batch)
            {
                var end = Math.Min(k, first + batch);
                for (var i = first; i < end; i++)
                {
                    if (runs is not null && runs.TryGetValue(i, out var run)) // step 8
                        for (var r = 0; r < count; r++)
                        {
                            for (var j = i; j < i + run.Count; j++) scores[j] = rest[r][j] * rest[r][j] / (u[j * k + j] * u[j * k + j]);
                            PruningMask.Drop(scores, keep![r], i, run.Count, run.Zeros);
                        }
                    starts[i - first] = i * k + end;
                    for (var r = 0; r < count; r++)
                    {
                        var s = scale[r * blocks + i / blockSize];
                        rounded[r][i] = keep is null || keep[r][i] ? grid.Nearest(rest[r][i] / s) : 0;
                        if (safety is not null)
                        {
                            var (lowest, most) = SaturationSafety.Room(rounded[r], safety.Neighbours[i], safety.Limit); // step 6
                            rounded[r][i] = Math.Clamp(rounded[r][i], lowest, most);
                        }
                        var error = (rest[r][i] - rounded[r][i] * s) / u[i * k + i];
                        for (var j = i + 1; j < end; j++) rest[r][j] += u[i * k + j] * -error;
                        fed[r][i - first] = -error;
                    }
                }
                if (end == k) break;
                for (var r = 0; r < count; r++) RankUpdate.Add(u, starts.AsSpan(0, end - first), fed[r].AsSpan(0, end - first), rest[r].AsSpan(end));
            }
            return rounded;
        }

        private void Fit(double[] h, double[][] q, float[] scale)
        {
            double[][] qh = [.. q.Select(_ => new double[k])];
            // In blocks, what is fitted is a factor of all scales of the row.
            var values = blocks == 1 ? q : [.. q.Select((row, r) => row.Select((v, j) => v * scale[r * blocks + j / blockSize]).ToArray())];
            var (starts, factors) = (new int[Batch], new double[Batch]);
            for (var first = 0; first < k; first += Batch)
                for (var r = 0; r < count; r++)
                {
                    var some = 0;
                    for (var i = first; i < Math.Min(k, first + Batch); i++)
                        if (values[r][i] != 0) (starts[some], factors[some++]) = (i * k, values[r][i]);
                    RankUpdate.Add(h, starts.AsSpan(0, some), factors.AsSpan(0, some), qh[r]);
                }
            for (var r = 0; r < count; r++)
            {
                double with = 0, self = 0, largest = 0;
                for (var j = 0; j < k; j++)
                {
                    with += qh[r][j] * w[r][j];
                    self += qh[r][j] * values[r][j];
                    largest = Math.Max(largest, Math.Abs(q[r][j]));
                }
                if (!(self > 0) || !double.IsFinite(with)) continue;
                var most = 0.5 * grid.Step / largest;
                var factor = blocks == 1 ? with / self / scale[r] : with / self;
                foreach (ref var s in scale.AsSpan(r * blocks, blocks)) s *= (float)Math.Clamp(factor, 1 - most, 1 + most);
            }
        }

        /// <summary>d^T H d of each row, d = w - s q.</summary>
        private double[] Errors(double[] h, double[][] q, float[] scale)
        {
            double[][] d = [.. w.Select((row, r) => row.Select((v, j) => v - q[r][j] * scale[r * blocks + j / blockSize]).ToArray())];
            // H is symmetric: each product off its diagonal counts twice.
            double[][] above = [.. w.Select(_ => new double[k])];
            var diagonal = new double[count];
            var (starts, factors) = (new int[Batch], new double[Batch]);
            for (var first = 0; first < k; first += Batch)
            {
                var end = Math.Min(k, first + Batch);
                for (var r = 0; r < count; r++)
                {
                    var some = 0;
                    for (var i = first; i < end; i++)
                    {
                        if (d[r][i] == 0) continue;
                        diagonal[r] += d[r][i] * d[r][i] * h[i * k + i];
                        for (var j = i + 1; j < end; j++) above[r][j] += h[i * k + j] * d[r][i];
                        (starts[some], factors[some++]) = (i * k + end, d[r][i]);
                    }
                    if (end < k) RankUpdate.Add(h, starts.AsSpan(0, some), factors.AsSpan(0, some), above[r].AsSpan(end));
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
