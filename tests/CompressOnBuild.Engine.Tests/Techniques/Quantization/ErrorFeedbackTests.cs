using CompressOnBuild.Engine.Tests.Numerics;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Techniques.Quantization;

[TestClass]
public class ErrorFeedbackTests
{
    private const int Rows = 6, K = 24;

    [TestMethod]
    [DataRow(3), DataRow(4), DataRow(6), DataRow(8)]
    public void AgreesWithALiteralTranscription(int bits)
    {
        var weights = ModelBuilder.Random(3, 1, Rows, K).ToFloats();
        var gram = CholeskyTests.PositiveDefinite(K);
        var plain = RoundToNearest.Quantize(weights, [Rows, K], [0], bits);
        var quantized = ErrorFeedback.Quantize(weights, plain, [gram]);
        var changed = 0;
        for (var r = 0; r < Rows; r++)
        {
            double[] w = [.. weights[(r * K)..((r + 1) * K)].Select(v => (double)v)];
            double[] best = [.. Enumerable.Range(0, K).Select(j => (double)plain.Codes[r * K + j])];
            var scale = plain.Scales[r];
            var damped = Damped(gram);
            var least = Error(w, best, scale, damped);
            foreach (var factor in bits < 8 ? new[] { 1f, 0.92f, 0.84f, 1.08f } : [1f])
            {
                var codes = Literal(w, gram, plain.Scales[r] * factor, (1 << (bits - 1)) - 1);
                // The minimum over s of (w - s q)^T H (w - s q), with which the largest code moves by half a step at most.
                var start = plain.Scales[r] * factor;
                var fitted = (float)(Product(codes, w, damped) / Product(codes, codes, damped));
                var bound = 0.5f / (float)codes.Max(Math.Abs);
                fitted = Math.Clamp(fitted, start * (1 - bound), start * (1 + bound));
                if (Error(w, codes, fitted, damped) < least) (best, scale, least) = (codes, fitted, Error(w, codes, fitted, damped));
            }
            Assert.AreEqual(scale, quantized.Scales[r], Math.Abs(scale) * 1e-6f, $"row {r}");
            for (var j = 0; j < K; j++) Assert.AreEqual(best[j], quantized.Codes[r * K + j], $"row {r}, column {j}");
            if (scale != plain.Scales[r]) changed++;
        }
        Assert.IsGreaterThan(Rows / 2, changed, "feedback hardly ever won");
    }

    [TestMethod]
    [DataRow(1), DataRow(3)]
    public void SafeProductsStaySafe(int kernel)
    {
        // Large neighbours, for which plain rounding just fits. Loud inputs come first: what their rounding leaves moves the others by several codes.
        var weights = ModelBuilder.Random(5, 1, Rows, K).ToFloats();
        for (var i = 0; i < weights.Length; i++) weights[i] = MathF.CopySign(1 - 0.01f * MathF.Abs(weights[i]), i % K < K - 3 ? i % 2 - 0.5f : 1);
        long[] shape = kernel == 1 ? [Rows, K] : [Rows, K / kernel, kernel];
        var gram = new double[K * K];
        double Loudness(int input) => input < K - 2 ? 10 : 1;
        for (var i = 0; i < K; i++)
            for (var j = 0; j < K; j++) gram[i * K + j] = Loudness(i) * Loudness(j) + (i == j ? 0.01 : 0);
        var plain = RoundToNearest.Quantize(weights, shape, [0], saturationSafe: true);
        Assert.IsTrue(Pairs(plain.Codes) <= 128);
        Assert.IsGreaterThan(128, Pairs(ErrorFeedback.Quantize(weights, plain, [gram]).Codes));
        var safe = ErrorFeedback.Quantize(weights, plain, [gram], saturationSafe: true);
        Assert.IsLessThanOrEqualTo(128, Pairs(safe.Codes));
        CollectionAssert.AreNotEqual(plain.Codes, safe.Codes);

        // The largest sum of codes of one sign over neighbours, in both orders of a convolution.
        int Pairs(sbyte[] codes)
        {
            var most = 0;
            for (var r = 0; r < Rows; r++)
            {
                int[] row = [.. codes[(r * K)..((r + 1) * K)].Select(c => (int)c)];
                int[] turned = [.. from k in Enumerable.Range(0, kernel) from c in Enumerable.Range(0, K / kernel) select row[c * kernel + k]];
                foreach (var order in new[] { row, turned })
                    for (var i = 0; i + 1 < K; i++)
                        most = Math.Max(most, Math.Max(Math.Max(order[i], 0) + Math.Max(order[i + 1], 0), Math.Max(-order[i], 0) + Math.Max(-order[i + 1], 0)));
            }
            return most;
        }
    }

    [TestMethod]
    public void IsNeverWorseThanRoundingOnTheCalibrationGramAndMuchBetterOnCorrelatedInputs()
    {
        double before = 0, after = 0;
        for (var seed = 0; seed < 10; seed++)
        {
            var weights = ModelBuilder.Random(seed, 1, Rows, K).ToFloats();
            var gram = CholeskyTests.PositiveDefinite(K);
            var plain = RoundToNearest.Quantize(weights, [Rows, K], [0], 4);
            var quantized = ErrorFeedback.Quantize(weights, plain, [gram]);
            for (var r = 0; r < Rows; r++)
            {
                double[] w = [.. weights[(r * K)..((r + 1) * K)].Select(v => (double)v)];
                double Of(CompressOnBuild.Weights.Quantized weight) => Error(w, [.. weight.Codes[(r * K)..((r + 1) * K)].Select(c => (double)c)], weight.Scales[r], Damped(gram));
                Assert.IsLessThanOrEqualTo(Of(plain), Of(quantized));
                before += Of(plain);
                after += Of(quantized);
            }
        }
        Assert.IsLessThan(0.6 * before, after);
    }

    [TestMethod]
    public void FewRowsOfCalibrationDoNotBendWhatTheyDidNotShow()
    {
        // Two rows for 24 inputs, half of which are never seen: other rows must not pay for what these two gain.
        var weights = ModelBuilder.Random(4, 1, Rows, K).ToFloats();
        var seen = ModelBuilder.Random(8, 1, 2, K).ToFloats();
        for (var i = 0; i < seen.Length; i++) if (i % K >= K / 2) seen[i] = 0;
        var gram = new double[K * K];
        foreach (var r in new[] { 0, 1 })
            for (var i = 0; i < K; i++)
                for (var j = 0; j < K; j++) gram[i * K + j] += seen[r * K + i] * (double)seen[r * K + j];
        var plain = RoundToNearest.Quantize(weights, [Rows, K], [0], 8);
        var quantized = ErrorFeedback.Quantize(weights, plain, [gram]);
        double Squared(CompressOnBuild.Weights.Quantized q) => q.Decompress().Zip(weights, (a, b) => Math.Pow(a - b, 2)).Sum();
        Assert.IsLessThan(3 * Squared(plain), Squared(quantized));
    }

    [TestMethod]
    public void EachGroupOfAConvolutionHasItsOwnInputs()
    {
        var weights = ModelBuilder.Random(9, 1, 4, K).ToFloats();
        double[] seen = CholeskyTests.PositiveDefinite(K), never = new double[K * K];
        var plain = RoundToNearest.Quantize(weights, [4, K], [0], 4);
        var quantized = ErrorFeedback.Quantize(weights, plain, [seen, never]);
        CollectionAssert.AreNotEqual(plain.Codes[..(2 * K)], quantized.Codes[..(2 * K)]);
        CollectionAssert.AreEqual(plain.Codes[(2 * K)..], quantized.Codes[(2 * K)..], "inputs that were never seen say nothing");
    }

    // GPTQ as the paper writes it: the inverse itself, one row and column of it eliminated after each weight.
    private static double[] Literal(double[] row, double[] gram, double scale, int limit)
    {
        var w = (double[])row.Clone();
        var inverse = CholeskyTests.Inverse(Damped(gram));
        var codes = new double[K];
        for (var q = 0; q < K; q++)
        {
            codes[q] = Math.Clamp(Math.Round(w[q] / scale), -limit, limit);
            var error = (w[q] - codes[q] * scale) / inverse[q, q];
            for (var j = q; j < K; j++) w[j] -= error * inverse[q, j];
            var eliminated = (double[,])inverse.Clone();
            for (var i = 0; i < K; i++)
                for (var j = 0; j < K; j++) eliminated[i, j] -= inverse[i, q] * inverse[q, j] / inverse[q, q];
            inverse = eliminated;
        }
        return codes;
    }

    /// <summary>The Gram matrix of step 1, in the words of the paper.</summary>
    internal static double[] Damped(double[] gram)
    {
        var n = (int)Math.Sqrt(gram.Length);
        var h = (double[])gram.Clone();
        var mean = Enumerable.Range(0, n).Average(i => gram[i * n + i]);
        for (var i = 0; i < n; i++) h[i * n + i] += 0.01 * mean;
        return h;
    }

    private static double Error(double[] w, double[] codes, double scale, double[] gram)
    {
        double[] d = [.. w.Select((v, i) => v - codes[i] * scale)];
        return Product(d, d, gram);
    }

    private static double Product(double[] a, double[] b, double[] gram)
    {
        double sum = 0;
        for (var i = 0; i < K; i++)
            for (var j = 0; j < K; j++) sum += a[i] * gram[i * K + j] * b[j];
        return sum;
    }
}
