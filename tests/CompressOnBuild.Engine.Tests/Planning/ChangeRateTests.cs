using CompressOnBuild.Numerics;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Engine.Tests.Planning;

[TestClass]
public class ChangeRateTests
{
    private const int Gate = 750;

    [TestMethod]
    public void NoisyPlansTellHowManyDecisionsAQuietOneChanges()
    {
        var rate = new ChangeRate();
        Assert.AreEqual(0, rate.ExpectedHigh(0.1, Gate), "nothing is known yet");
        rate.Add(0.10, new DecisionChanges(8, 2, 250, Gate)); // 4 % of the decisions at an amplitude of 0.1, 2.4 points lost
        // A tenth of the noise: 3 of 750 change, 1.8 more to the worse.
        Assert.AreEqual(MatchedShares.Difference(2.4, 0.6, Gate).High, rate.ExpectedHigh(0.01, Gate), 1e-9);
        Assert.IsLessThan(rate.ExpectedHigh(0.03, Gate), rate.ExpectedHigh(0.02, Gate));
    }

    [TestMethod]
    public void OneUnluckySampleOfAQuietPlanMovesTheRateLittle()
    {
        var rate = new ChangeRate();
        rate.Add(0.10, new DecisionChanges(6, 4, 250, Gate));
        var before = rate.ExpectedHigh(0.02, Gate);
        rate.Add(0.01, new DecisionChanges(1, 0, 250, Gate));
        Assert.AreEqual(before, rate.ExpectedHigh(0.02, Gate), 0.2 * before);
    }

    [TestMethod]
    public void GainsAreNotExpectedAndRuinedPlansSayNothing()
    {
        var rate = new ChangeRate();
        rate.Add(0.1, new DecisionChanges(2, 8, 250, Gate));
        Assert.AreEqual(MatchedShares.Difference(15, 15, Gate).High, rate.ExpectedHigh(0.1, Gate), 1e-9);
        var before = rate.ExpectedHigh(0.05, Gate);
        rate.Add(1, new DecisionChanges(90, 5, 250, Gate));
        rate.Add(double.PositiveInfinity, new DecisionChanges(1, 1, 250, Gate));
        Assert.AreEqual(before, rate.ExpectedHigh(0.05, Gate));
    }
}
