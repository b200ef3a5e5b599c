using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Techniques.Quantization;

[TestClass]
public class RoundToNearestTests
{
    [TestMethod]
    [DataRow(8), DataRow(7), DataRow(4), DataRow(2)]
    public void AgreesWithALiteralTranscription(int bits)
    {
        // Channels on the middle axis, so that neither neighbours nor strides are special.
        var weights = ModelBuilder.Random(5, 1, 3, 6, 11).ToFloats();
        var quantized = RoundToNearest.Quantize(weights, [3, 6, 11], [1], bits);
        for (var c = 0; c < 6; c++)
        {
            float[] channel = [.. Enumerable.Range(0, 33).Select(i => weights[(i / 11 * 6 + c) * 11 + i % 11])];
            var (scale, codes) = Literal(channel, bits);
            Assert.AreEqual(scale, quantized.Scales[c]);
            for (var i = 0; i < 33; i++) Assert.AreEqual(codes[i], quantized.Codes[(i / 11 * 6 + c) * 11 + i % 11]);
        }
    }

    [TestMethod]
    public void IsNeverWorseThanThePlainScaleOfTheLargestWeight()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            int bits = 2 + seed % 7, length = 1 + seed * 3;
            var weights = ModelBuilder.Random(seed, MathF.Pow(10, seed % 9 - 4), 4, length).ToFloats();
            for (var c = 0; c < 4; c++)
            {
                var channel = weights.AsSpan(c * length, length).ToArray();
                Assert.IsLessThanOrEqualTo(Error(channel, RoundToNearest.Quantize(channel, [1, length], [0], bits, searchScale: false).Decompress()),
                    Error(channel, RoundToNearest.Quantize(channel, [1, length], [0], bits).Decompress()));
            }
        }
    }

    [TestMethod]
    [DataRow(127), DataRow(126), DataRow(100), DataRow(65), DataRow(64), DataRow(50), DataRow(15), DataRow(7), DataRow(1)]
    public void WeightsOnAGridAreFoundExactly(int largestCode)
    {
        var random = new Random(largestCode);
        for (var round = 0; round < 20; round++)
        {
            var step = (float)(random.NextDouble() * 0.1 + 1e-4);
            float[] weights = [largestCode * step, .. Enumerable.Range(0, 60).Select(_ => random.Next(-largestCode, largestCode + 1) * step)];
            CollectionAssert.AreEqual(weights, RoundToNearest.Quantize(weights, [1, 61], [0]).Decompress());
        }
    }

    [TestMethod]
    public void AnEmptyChannelIsZero()
    {
        var quantized = RoundToNearest.Quantize([0, 0, 0, 1, -2, 3], [2, 3], [0]);
        Assert.AreEqual(1f, quantized.Scales[0]);
        CollectionAssert.AreEqual(new float[] { 0, 0, 0, 1, -2, 3 }, quantized.Decompress());
        Assert.IsEmpty(RoundToNearest.Quantize([], [0, 3], [0]).Codes);
    }

    [TestMethod]
    public void HugeWeightsStayFiniteAndTinyOnesBecomeZero()
    {
        foreach (var search in new[] { true, false })
        {
            var huge = RoundToNearest.Quantize([float.MaxValue, -float.MaxValue, 1e38f, 0], [1, 4], [0], searchScale: search).Decompress();
            Assert.IsTrue(huge.All(float.IsFinite));
            Assert.AreEqual(1f, huge[0] / float.MaxValue, 1e-2f);
            var tiny = RoundToNearest.Quantize([1e-40f, -1e-39f, float.Epsilon], [1, 3], [0], searchScale: search);
            Assert.IsTrue(tiny.Decompress().All(v => v == 0));
            Assert.AreEqual(1f, tiny.Scales[0]);
        }
    }

    [TestMethod]
    public void EveryErrorIsAtMostHalfAStepWithoutClipping()
    {
        var weights = ModelBuilder.Random(9, 1, 2, 500).ToFloats();
        var quantized = RoundToNearest.Quantize(weights, [2, 500], [0], searchScale: false);
        var restored = quantized.Decompress();
        for (var i = 0; i < weights.Length; i++) Assert.IsLessThanOrEqualTo(quantized.Scales[i / 500] * 0.50001f, Math.Abs(weights[i] - restored[i]));
    }

    // Steps 1 and 2 of the file's head, word by word in double (no weights of this test lie on a grid).
    private static (float Scale, sbyte[] Codes) Literal(float[] w, int bits)
    {
        var n = Math.Pow(2, bits - 1) - 1;
        var s0 = (float)(w.Max(v => Math.Abs((double)v)) / n);
        double best = s0, least = double.PositiveInfinity;
        for (var percent = 100; percent >= 70; percent--)
        {
            var s = (double)(s0 * (1f - 0.01f * (100 - percent)));
            var error = w.Sum(v => Math.Pow(v - s * Code(v, s), 2));
            if (error < least) (best, least) = (s, error);
        }
        return ((float)best, [.. w.Select(v => (sbyte)Code(v, best))]);

        double Code(double v, double s) => Math.Clamp(Math.Round(v / s, MidpointRounding.ToEven), -n, n);
    }

    private static double Error(float[] w, float[] q) => w.Zip(q).Sum(p => Math.Pow((double)p.First - p.Second, 2));
}
