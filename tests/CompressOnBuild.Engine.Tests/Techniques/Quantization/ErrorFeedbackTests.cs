using CompressOnBuild.Engine.Tests.Numerics;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Techniques.Quantization;

[TestClass]
public class ErrorFeedbackTests
{
    private const int Rows = 6, K = 24;

    [TestMethod]
    [DataRow(3), DataRow(4), DataRow(6)]
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
            var literal = Literal(w, gram, plain.Scales[r], (1 << (bits - 1)) - 1);
            var rounded = Enumerable.Range(0, K).Select(j => (double)plain.Codes[r * K + j]).ToArray();
            var expected = Error(w, literal, plain.Scales[r], gram) < Error(w, rounded, plain.Scales[r], gram) ? literal : rounded;
            for (var j = 0; j < K; j++) Assert.AreEqual(expected[j], quantized.Codes[r * K + j], $"row {r}, column {j}");
            if (expected == literal) changed++;
        }
        Assert.IsGreaterThan(Rows / 2, changed, "feedback hardly ever won");
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
                double Of(sbyte[] codes) => Error(w, [.. codes[(r * K)..((r + 1) * K)].Select(c => (double)c)], plain.Scales[r], gram);
                Assert.IsLessThanOrEqualTo(Of(plain.Codes), Of(quantized.Codes));
                before += Of(plain.Codes);
                after += Of(quantized.Codes);
            }
        }
        Assert.IsLessThan(0.6 * before, after);
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
        var h = (double[])gram.Clone();
        var mean = Enumerable.Range(0, K).Average(i => gram[i * K + i]);
        for (var i = 0; i < K; i++) h[i * K + i] += 0.01 * mean;
        var inverse = Inverse(h);
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

    // Gauss and Jordan.
    private static double[,] Inverse(double[] a)
    {
        var m = new double[K, 2 * K];
        for (var i = 0; i < K; i++)
        {
            for (var j = 0; j < K; j++) m[i, j] = a[i * K + j];
            m[i, K + i] = 1;
        }
        for (var p = 0; p < K; p++)
        {
            var pivot = m[p, p];
            for (var j = 0; j < 2 * K; j++) m[p, j] /= pivot;
            for (var i = 0; i < K; i++)
            {
                if (i == p) continue;
                var factor = m[i, p];
                for (var j = 0; j < 2 * K; j++) m[i, j] -= factor * m[p, j];
            }
        }
        var inverse = new double[K, K];
        for (var i = 0; i < K; i++)
            for (var j = 0; j < K; j++) inverse[i, j] = m[i, K + j];
        return inverse;
    }

    private static double Error(double[] w, double[] codes, double scale, double[] gram)
    {
        double sum = 0;
        for (var i = 0; i < K; i++)
            for (var j = 0; j < K; j++) sum += (w[i] - codes[i] * scale) * gram[i * K + j] * (w[j] - codes[j] * scale);
        return sum;
    }
}
