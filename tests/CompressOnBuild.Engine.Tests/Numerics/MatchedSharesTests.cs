using CompressOnBuild.Numerics;

namespace CompressOnBuild.Engine.Tests.Numerics;

[TestClass]
public sealed class MatchedSharesTests
{
    // The definition, integrated adaptively over scipy.stats.beta (SciPy 1.10.1, scipy.integrate.quad, scipy.optimize.brentq).
    [TestMethod]
    [DataRow(3, 1, 10, -0.296219, 0.614255), DataRow(10, 8, 750, -0.010101, 0.015662), DataRow(2, 6, 40, -0.265479, 0.065851)]
    [DataRow(30, 12, 300, 0.014584, 0.106111), DataRow(100, 146, 1000, -0.077634, -0.014299)]
    public void TheIntervalIsThatOfItsDefinition(int worse, int better, int samples, double low, double high)
    {
        var interval = MatchedShares.Difference(worse, better, samples);
        Assert.AreEqual(low, interval.Low, 2e-5);
        Assert.AreEqual(high, interval.High, 2e-5);
    }

    // Published tables of Clopper and Pearson's: 0 of 10, 3 of 10, 10 of 10.
    [TestMethod]
    [DataRow(0, 10, 0.3085), DataRow(3, 10, 0.6525), DataRow(10, 10, 1)]
    public void ChangesToOneSideAloneHaveClopperAndPearsonsBound(int changes, int samples, double bound)
    {
        Assert.AreEqual(bound, MatchedShares.Difference(changes, 0, samples).High, 5e-5);
        Assert.AreEqual(-bound, MatchedShares.Difference(0, changes, samples).Low, 5e-5);
    }

    [TestMethod]
    public void NoChangeExcludesAPointFrom368SamplesOn()
    {
        Assert.IsGreaterThan(0.01, MatchedShares.Difference(0, 0, 367).High);
        Assert.IsLessThan(0.01, MatchedShares.Difference(0, 0, 368).High);
    }

    [TestMethod]
    [DataRow(5, 5, 10), DataRow(9, 1, 10), DataRow(0, 10, 10), DataRow(2000, 1900, 50_000)]
    public void TheIntervalHoldsThePointAndStaysInItsRange(int worse, int better, int samples)
    {
        var interval = MatchedShares.Difference(worse, better, samples);
        Assert.IsLessThanOrEqualTo((worse - better) / (double)samples, interval.Low);
        Assert.IsGreaterThanOrEqualTo((worse - better) / (double)samples, interval.High);
        Assert.IsTrue(interval is { Low: >= -1, High: <= 1 });
    }
}
