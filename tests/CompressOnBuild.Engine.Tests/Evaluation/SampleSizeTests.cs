using CompressOnBuild.Evaluation;

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
}
