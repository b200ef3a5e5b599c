using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class PairedComparisonTests
{
    [TestMethod]
    public void CountsWhatGotWorseAndBetter()
    {
        // right to wrong 3 times, wrong to right once, of 10.
        var (original, compressed) = Top1("1111111000", "0001111100");
        var result = PairedComparison.Compare(original, compressed, seed: 1);
        Assert.AreEqual(3, result.Worse);
        Assert.AreEqual(1, result.Better);
        Assert.AreEqual(0.2, result.Drop, 1e-12);
        // Agresti and Min by hand: cells 3.5 and 1.5, n 12: 2 / 12 ± 1.96 sqrt(5 - 4 / 12) / 12.
        Assert.AreEqual(2 / 12.0 - 1.959963984540054 * Math.Sqrt(5 - 4 / 12.0) / 12, result.Confidence!.Low, 1e-12);
        Assert.AreEqual(2 / 12.0 + 1.959963984540054 * Math.Sqrt(5 - 4 / 12.0) / 12, result.Confidence.High, 1e-12);
    }

    [TestMethod]
    public void FewSamplesWithoutAChangeAreNotCertain()
    {
        var (original, compressed) = Top1("11110", "11110");
        Assert.IsGreaterThan(0.1, PairedComparison.Compare(original, compressed, 1).Confidence!.High);
    }

    [TestMethod]
    public void DropOfAnErrorRateIsItsIncrease()
    {
        var (original, compressed) = Cer([0, 0, 1, 0], [1, 0, 1, 0]);
        var result = PairedComparison.Compare(original, compressed, 1);
        Assert.AreEqual(0.25, result.Original);
        Assert.AreEqual(0.5, result.Compressed);
        Assert.AreEqual(0.25, result.Drop);
    }

    [TestMethod]
    public void BootstrapComesCloseToTheNormalInterval()
    {
        // 400 samples, 40 of them one error worse: mean 0.1, standard error sqrt(0.1 * 0.9 / 400) = 0.015.
        var worse = Enumerable.Range(0, 400).Select(i => i % 10 == 0 ? 1 : 0).ToArray();
        var (original, compressed) = Cer(new int[400], worse);
        var interval = PairedComparison.Compare(original, compressed, 7).Confidence!;
        Assert.AreEqual(0.1 - 1.96 * 0.015, interval.Low, 0.005);
        Assert.AreEqual(0.1 + 1.96 * 0.015, interval.High, 0.005);
    }

    [TestMethod]
    public void SharesOfRowsAreNotCountedAsWholeSamples()
    {
        var metric = Metric.Resolve(["agreement"], LabelKind.None, new(), MetricTests.Row(1, 0), null)[0];
        MetricSeries original = new(metric), compressed = new(metric);
        for (var i = 0; i < 40; i++)
        {
            // One row of four decides otherwise.
            Tensor before = Tensor.Create([1f, 0, 1, 0, 1, 0, 1, 0], 4, 2), after = Tensor.Create([1f, 0, 1, 0, 1, 0, 0, 1], 4, 2);
            original.Add(new Outcome("s", null, before, before));
            compressed.Add(new Outcome("s", null, after, before));
        }
        var result = PairedComparison.Compare(original, compressed, 1);
        Assert.AreEqual(0.25, result.Drop);
        Assert.IsNull(result.Worse);
    }

    [TestMethod]
    public void BelowTenSamplesNothingIsResampled()
    {
        var (original, compressed) = Cer([0, 0, 1, 0, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 1, 0, 0, 0]);
        Assert.IsNull(PairedComparison.Compare(original, compressed, 1).Confidence);
        Assert.AreEqual(new Interval(0, 0), PairedComparison.Compare(original, original, 1).Confidence, "nothing changed");
    }

    [TestMethod]
    public void SameSeedGivesTheSameInterval()
    {
        var (original, compressed) = Cer([0, 0, 1, 0, 1, 0, 0, 1, 0, 1], [1, 0, 1, 0, 0, 1, 1, 0, 0, 0]);
        Assert.IsNotNull(PairedComparison.Compare(original, compressed, 3).Confidence);
        Assert.AreEqual(PairedComparison.Compare(original, compressed, 3), PairedComparison.Compare(original, compressed, 3));
    }

    [TestMethod]
    public void OneSampleHasNoInterval()
    {
        var (original, compressed) = Top1("1", "1");
        Assert.IsNull(PairedComparison.Compare(original, compressed, 1).Confidence);
    }

    [TestMethod]
    public void Pcg32GivesThePublishedNumbers()
    {
        // The reference implementation's demo (pcg32-demo, seed 42, stream 54), round 1.
        var random = new Pcg32(42, 54);
        foreach (var expected in new uint[] { 0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e })
            Assert.AreEqual(expected, random.Next());
    }

    private static (MetricSeries, MetricSeries) Top1(string original, string compressed) => (Series(original), Series(compressed));

    private static MetricSeries Series(string right)
    {
        var series = new MetricSeries(Metric.Resolve(["top1"], LabelKind.Class, new(), MetricTests.Row(1, 0), null)[0]);
        foreach (var c in right)
        {
            var output = MetricTests.Row(c == '1' ? 1 : 0, 0.5f);
            series.Add(new Outcome("s", MetricTests.Class(0), output, output));
        }
        return series;
    }

    /// <summary>Labels of one id each; an error is another id.</summary>
    private static (MetricSeries, MetricSeries) Cer(int[] original, int[] compressed)
    {
        return (Of(original), Of(compressed));

        static MetricSeries Of(int[] errors)
        {
            var series = new MetricSeries(Metric.Resolve(["cer"], LabelKind.Sequence, new(Decode.ArgmaxSequence), MetricTests.Row(1, 0), null)[0]);
            foreach (var error in errors)
            {
                var output = MetricTests.Row(1 - error, error);
                series.Add(new Outcome("s", new SequenceLabel([0]), output, output));
            }
            return series;
        }
    }
}
