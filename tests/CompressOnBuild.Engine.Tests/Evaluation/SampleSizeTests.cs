using CompressOnBuild.Evaluation;
using CompressOnBuild.Numerics;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class SampleSizeTests
{
    [TestMethod]
    [DataRow(0, 0, 60), DataRow(2, 1, 300), DataRow(9, 2, 200)]
    public void AsManySamplesOfTheSameRatesDecide(int worse, int better, int samples)
    {
        const double Limit = 0.01;
        var needed = SampleSize.ToDecide(Measured(worse, better, samples), Limit)!.Value;
        var (enough, few) = (Scaled(needed), Scaled(needed * 0.85));
        Assert.IsTrue(enough.High <= Limit || enough.Low > Limit, $"{needed}: {enough}");
        Assert.IsTrue(few.High > Limit && few.Low <= Limit, $"{needed}: {few}");

        Interval Scaled(double n) => MatchedShares.Difference(worse * n / samples, better * n / samples, n);
    }

    [TestMethod]
    public void WhatNeedsNoMoreSamplesOrIsHelpedByNoneSaysNothing()
    {
        Assert.IsNull(SampleSize.ToDecide(Measured(0, 0, 60), 0.1), "passes");
        Assert.IsNull(SampleSize.ToDecide(Measured(30, 0, 60), 0.1), "fails");
        Assert.IsNull(SampleSize.ToDecide(Measured(6, 0, 60), 0.1), "the drop is the limit");
        Assert.IsNull(SampleSize.ToDecide(Measured(0, 0, 60), 0), "nothing shows that nothing is lost");
        Assert.IsNull(SampleSize.ToDecide(Measured(0, 0, 60) with { Confidence = null }, 0.01));
    }

    [TestMethod]
    public void AnIntervalOfAnotherMetricShrinksWithTheRoot() =>
        // Half width 0.02 at 100 samples and 0.005 from the limit: four times as narrow needs sixteen times as many.
        Assert.AreEqual(1600, SampleSize.ToDecide(new PairedComparison(0.8, 0.795, 0.005, new Interval(-0.015, 0.025), 100, null, null), 0.01));

    private static PairedComparison Measured(int worse, int better, int samples) =>
        new(0.9, 0.9, (worse - better) / (double)samples, MatchedShares.Difference(worse, better, samples), samples, worse, better);

    [TestMethod]
    public void TheIntervalOfOtherSamplesIsExpectedFromTheseWithHalfOfTheirDrop()
    {
        var shares = new PairedComparison(0.9, 0.89, 0.01, MatchedShares.Difference(3, 1, 200), 200, 3, 1);
        // 12 changes of 600; of the 6 lost net, half are taken to be chance.
        Assert.AreEqual(MatchedShares.Difference(7.5, 4.5, 600).High, SampleSize.ExpectedHigh(shares, 600), 1e-9);
        var gained = new PairedComparison(0.9, 0.91, -0.01, MatchedShares.Difference(1, 3, 200), 200, 1, 3);
        Assert.AreEqual(MatchedShares.Difference(6, 6, 600).High, SampleSize.ExpectedHigh(gained, 600), 1e-9);
        var mean = new PairedComparison(1, 0.96, 0.04, new Interval(0.02, 0.06), 100, null, null);
        Assert.AreEqual(0.02 + 0.02 / 2, SampleSize.ExpectedHigh(mean, 400), 1e-9);
        Assert.AreEqual(0, SampleSize.ExpectedHigh(mean with { Confidence = null }, 400));
    }
}
