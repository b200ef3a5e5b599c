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
        Assert.AreEqual(MatchedShares.Difference(3, 1, 10), result.Confidence);
    }

    [TestMethod]
    public void FewSamplesWithoutAChangeAreNotCertain()
    {
        var (original, compressed) = Top1("11110", "11110");
        Assert.IsGreaterThan(0.1, PairedComparison.Compare(original, compressed, 1).Confidence!.High);
    }

    [TestMethod]
    [DataRow(5), DataRow(12)]
    public void SequencesInWhichNoDecisionChangedAreNotCertain(int sequences)
    {
        var series = new MetricSeries(Metric.Resolve(["top1"], LabelKind.Class, new(), MetricTests.Row(1, 0), null)[0]);
        for (var i = 0; i < sequences; i++) series.Add([[1], [0], [1]]);
        Assert.AreEqual(MatchedShares.Difference(0, 0, sequences), PairedComparison.Compare(series, series, 1).Confidence, "as many independent samples as sequences");
    }

    [TestMethod]
    public void RanksThatDidNotChangeAreNotCertain()
    {
        MetricSeries Scored(float shift)
        {
            var series = new MetricSeries(Metric.Resolve(["auc"], LabelKind.Class, new(), MetricTests.Row(0.5f), null)[0]);
            for (var i = 0; i < 17; i++) series.Add(new Outcome("s", MetricTests.Class(i % 2), MetricTests.Row(i % 2 * 0.5f + i * 0.01f + shift), MetricTests.Row(0.5f)));
            return series;
        }
        Assert.AreEqual(MatchedShares.Difference(0, 0, 17), PairedComparison.Compare(Scored(0), Scored(0.001f), 1).Confidence);
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
    [DataRow(0, 0, 400), DataRow(40, 0, 400), DataRow(12, 7, 200), DataRow(3, 1, 10)]
    public void ResampledDecisionsHaveTheIntervalOfCountedOnes(int worse, int better, int samples)
    {
        // Sequences of one id: the error rate is the share of wrong ones, which is counted elsewhere.
        var (original, compressed) = Cer([.. Enumerable.Range(0, samples).Select(i => i < better ? 1 : 0)], [.. Enumerable.Range(0, samples).Select(i => i >= better && i < better + worse ? 1 : 0)]);
        var (resampled, counted) = (PairedComparison.Compare(original, compressed, 7).Confidence!, MatchedShares.Difference(worse, better, samples));
        var width = counted.High - counted.Low;
        // What a thousand draws leave open, and the t quantile of few samples.
        Assert.AreEqual(counted.Low, resampled.Low, (samples < 100 ? 0.2 : 0.06) * width);
        Assert.AreEqual(counted.High, resampled.High, (samples < 100 ? 0.2 : 0.06) * width);
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
        Assert.IsNull(PairedComparison.Compare(original, original, 1).Confidence, "equal decisions of nine samples");
        var cosine = new MetricSeries(Metric.Resolve(["cosine"], LabelKind.None, new(), MetricTests.Row(1, 0), null)[0]);
        cosine.Add(new Outcome("s", null, MetricTests.Row(1, 2), MetricTests.Row(1, 2)));
        Assert.AreEqual(new Interval(0, 0), PairedComparison.Compare(cosine, cosine, 1).Confidence, "equal outputs");
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
