using CompressOnBuild.Kernels;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Kernels;

/// <summary>The vector paths against the scalar references.</summary>
[TestClass]
public class StatisticsKernelTests
{
    [TestMethod]
    public void HistogramCountIsTheScalarOne()
    {
        foreach (var length in new[] { 8192, 8193, 30_007 })
        {
            var values = ModelBuilder.Random(length, 3, length).ToFloats();
            for (var i = 0; i < length; i += 3) values[i] = i % 2 == 0 ? 0f : -0f;
            values[1] = -8;
            long[] expected = new long[256], actual = new long[256];
            var scale = 128 / 8f;
            Assert.AreEqual(HistogramCount.Scalar(values, scale, expected), HistogramCount.Add(values, scale, actual, allFinite: true));
            CollectionAssert.AreEqual(expected, actual);
        }
    }

    [TestMethod]
    public void HistogramCountLeavesNonFiniteElementsOut()
    {
        var values = new float[10_000];
        values.AsSpan(0, 5000).Fill(float.NaN);
        values[^1] = float.PositiveInfinity;
        values[^2] = 1;
        var counts = new long[16];
        Assert.AreEqual(4998, HistogramCount.Add(values, 2, counts, allFinite: false));
        Assert.AreEqual(1, counts.Sum());
        Assert.AreEqual(1, counts[10]);
    }

    [TestMethod]
    public void FiniteRangeIsTheScalarOne()
    {
        foreach (var length in new[] { 1, 7, 8, 1000 })
        {
            var values = ModelBuilder.Random(length, 3, length).ToFloats();
            Assert.AreEqual(FiniteRange.Scalar(values), FiniteRange.Of(values));
            values[length / 2] = float.NaN;
            values[^1] = float.NegativeInfinity;
            Assert.AreEqual(FiniteRange.Scalar(values), FiniteRange.Of(values));
        }
        Assert.AreEqual(0L, FiniteRange.Of([]).NonFinite);
    }

    [TestMethod]
    public void ChannelSumsHaveTheBitsOfTheScalarOnes()
    {
        foreach (var inner in new[] { 1, 5, 8, 100 })
        {
            var values = ModelBuilder.Random(inner, 3, 2, 3, inner).ToFloats();
            var actual = new double[3];
            ChannelSums.Add(values, inner, actual, allFinite: true);
            for (var c = 0; c < 3; c++)
                Assert.AreEqual(ChannelSums.Scalar(values.AsSpan(c * inner, inner)) + ChannelSums.Scalar(values.AsSpan((3 + c) * inner, inner)), actual[c]);
        }
    }
}
