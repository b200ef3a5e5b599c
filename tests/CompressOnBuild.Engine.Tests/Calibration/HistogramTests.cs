using CompressOnBuild.Calibration;
using CompressOnBuild.Kernels;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Calibration;

[TestClass]
public class HistogramTests
{
    [TestMethod]
    public void EveryElementIsInTheBinOfItsValue()
    {
        var values = new[] { 0f, -0f, 1f, -1f, 0.999f, -0.25f, 1.5f, 1e-6f, -1e-6f };
        var histogram = Of(values);
        Assert.AreEqual(1, histogram.Exponent); // 2 > 1.5
        Assert.AreEqual(2, histogram.Zeros);
        Assert.AreEqual(values.Length, histogram.Total);
        var expected = new long[2 * Histogram.BinsPerSide];
        foreach (var v in values.Where(v => v != 0))
            expected[Enumerable.Range(0, expected.Length).Single(b => histogram.Edge(b) <= v && v < histogram.Edge(b + 1))]++;
        CollectionAssert.AreEqual(expected, histogram.Counts.ToArray());
    }

    [TestMethod]
    public void DoesNotDependOnHowTheDataAreCut()
    {
        var values = ModelBuilder.Random(5, 1, 50_000).ToFloats();
        for (var i = 0; i < values.Length; i++) values[i] *= MathF.Pow(10, i / 10_000 - 2); // the range grows by the way
        var whole = Of(values);
        foreach (var size in new[] { 1, 777, 10_000 })
        {
            var cut = Of([.. values.Chunk(size)]);
            Assert.AreEqual(whole.Exponent, cut.Exponent);
            CollectionAssert.AreEqual(whole.Counts.ToArray(), cut.Counts.ToArray());
        }
        var backwards = Of([.. values.Chunk(777).Reverse()]);
        CollectionAssert.AreEqual(whole.Counts.ToArray(), backwards.Counts.ToArray());
    }

    [TestMethod]
    public void HoldsTheLargestAndSmallestFloats()
    {
        var histogram = Of([float.MaxValue, -float.MaxValue, float.Epsilon, 0]);
        Assert.AreEqual(128, histogram.Exponent);
        Assert.AreEqual(1, histogram.Counts[^1]);
        Assert.AreEqual(1, histogram.Counts[0]);
        Assert.AreEqual(3, histogram.Counts.ToArray().Sum());
    }

    private static Histogram Of(params float[][] samples)
    {
        var histogram = new Histogram();
        foreach (var sample in samples)
        {
            var (min, max, nonFinite) = FiniteRange.Of(sample);
            histogram.Add(sample, min, max, nonFinite);
        }
        return histogram;
    }

    private static Histogram Of(float[] values) => Of([values]);
}
