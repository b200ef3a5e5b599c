using CompressOnBuild.Engine.Tests.Numerics;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Engine.Tests.Techniques.Quantization;

[TestClass]
public class RoundingDescentTests
{
    private const int Rows = 6, K = 24;

    [TestMethod]
    [DataRow(3, false), DataRow(4, false), DataRow(8, false), DataRow(8, true)]
    public void AgreesWithALiteralTranscription(int bits, bool safe)
    {
        var weights = ModelBuilder.Random(3, 1, Rows, K).ToFloats();
        var gram = CholeskyTests.PositiveDefinite(K);
        var h = ErrorFeedbackTests.Damped(gram);
        var start = RoundToNearest.Quantize(weights, [Rows, K], [0], bits, saturationSafe: safe);
        var result = RoundingDescent.Quantize(weights, start, ErrorFeedback.Feedback.Of([gram], K), safe);
        var limit = (1 << (bits - 1)) - 1;
        for (var r = 0; r < Rows; r++)
        {
            double[] w = Row(weights, r);
            var q = Codes(start, r);
            double s = start.Scales[r];
            for (var round = 0; round < 3; round++)
            {
                var before = (double[])q.Clone();
                for (var sweep = 0; sweep < 12; sweep++)
                {
                    var last = (double[])q.Clone();
                    for (var k = 0; k < K; k++)
                    {
                        // Every code there is, the present one first: the one with the smallest error.
                        var best = q[k];
                        var least = Error(w, q, s, h);
                        for (var code = -limit; code <= limit; code++)
                        {
                            var tried = (double[])q.Clone();
                            tried[k] = code;
                            if (safe && Pairs(tried) > 128) continue;
                            var error = Error(w, tried, s, h);
                            if (error < least - 1e-12 * least) (best, least) = (code, error);
                        }
                        q[k] = best;
                    }
                    if (last.SequenceEqual(q)) break;
                }
                if (round > 0 && before.SequenceEqual(q)) break;
                var bound = 0.5 / q.Max(Math.Abs);
                s = (float)Math.Clamp(Product(q, w, h) / Product(q, q, h), s * (1 - bound), s * (1 + bound));
            }
            CollectionAssert.AreEqual(q, Codes(result, r), $"row {r}");
            Assert.AreEqual(s, result.Scales[r], s * 1e-6, $"row {r}");
        }
        CollectionAssert.AreNotEqual(start.Codes, result.Codes);
    }

    [TestMethod]
    public void NeverIncreasesTheErrorAndImprovesOnErrorFeedback()
    {
        double feedback = 0, descended = 0;
        for (var seed = 0; seed < 10; seed++)
        {
            var weights = ModelBuilder.Random(seed, 1, Rows, K).ToFloats();
            var gram = CholeskyTests.PositiveDefinite(K);
            var start = ErrorFeedback.Quantize(weights, RoundToNearest.Quantize(weights, [Rows, K], [0], 4), [gram]);
            var result = RoundingDescent.Quantize(weights, start, ErrorFeedback.Feedback.Of([gram], K));
            for (var r = 0; r < Rows; r++)
            {
                double Of(Quantized q) => Error(Row(weights, r), Codes(q, r), q.Scales[r], ErrorFeedbackTests.Damped(gram));
                Assert.IsLessThanOrEqualTo(Of(start), Of(result));
                feedback += Of(start);
                descended += Of(result);
            }
        }
        Assert.IsLessThan(0.98 * feedback, descended);
    }

    [TestMethod]
    [DataRow(1), DataRow(3)]
    public void SafeProductsStaySafe(int kernel)
    {
        // Inputs that come together, and weights so large that neighbours leave each other hardly any room.
        var weights = ModelBuilder.Random(5, 1, Rows, K).ToFloats();
        for (var i = 0; i < weights.Length; i++) weights[i] = MathF.CopySign(1 - 0.01f * MathF.Abs(weights[i]), i % 3 - 0.5f);
        long[] shape = kernel == 1 ? [Rows, K] : [Rows, K / kernel, kernel];
        var gram = new double[K * K];
        for (var i = 0; i < K; i++)
            for (var j = 0; j < K; j++) gram[i * K + j] = 1 + (i == j ? 0.01 : 0);
        var start = RoundToNearest.Quantize(weights, shape, [0], saturationSafe: true);
        var result = RoundingDescent.Quantize(weights, start, ErrorFeedback.Feedback.Of([gram], K), saturationSafe: true);
        CollectionAssert.AreNotEqual(start.Codes, result.Codes);
        for (var r = 0; r < Rows; r++)
        {
            var q = Codes(result, r);
            double[] turned = [.. from k in Enumerable.Range(0, kernel) from c in Enumerable.Range(0, K / kernel) select q[c * kernel + k]];
            Assert.IsLessThanOrEqualTo(128, Math.Max(Pairs(q), Pairs(turned)));
        }
    }

    [TestMethod]
    public void InputsThatWereNeverSeenSayNothing()
    {
        var weights = ModelBuilder.Random(9, 1, 4, K).ToFloats();
        var start = RoundToNearest.Quantize(weights, [4, K], [0], 4);
        var result = RoundingDescent.Quantize(weights, start, ErrorFeedback.Feedback.Of([CholeskyTests.PositiveDefinite(K), new double[K * K]], K));
        CollectionAssert.AreNotEqual(start.Codes[..(2 * K)], result.Codes[..(2 * K)]);
        CollectionAssert.AreEqual(start.Codes[(2 * K)..], result.Codes[(2 * K)..]);
    }

    private static double[] Row(float[] weights, int r) => [.. weights[(r * K)..((r + 1) * K)].Select(v => (double)v)];

    private static double[] Codes(Quantized weight, int r) => [.. weight.Codes[(r * K)..((r + 1) * K)].Select(c => (double)c)];

    private static double Pairs(double[] q) =>
        Enumerable.Range(0, q.Length - 1).Max(i => Math.Max(Math.Max(q[i], 0) + Math.Max(q[i + 1], 0), Math.Max(-q[i], 0) + Math.Max(-q[i + 1], 0)));

    private static double Error(double[] w, double[] q, double s, double[] h)
    {
        double[] d = [.. w.Select((v, i) => v - q[i] * s)];
        return Product(d, d, h);
    }

    private static double Product(double[] a, double[] b, double[] h)
    {
        double sum = 0;
        for (var i = 0; i < K; i++)
            for (var j = 0; j < K; j++) sum += a[i] * h[i * K + j] * b[j];
        return sum;
    }
}
