using CompressOnBuild.Numerics;

namespace CompressOnBuild.Engine.Tests.Numerics;

/// <summary>Against SciPy 1.10.1: scipy.stats.beta.cdf, scipy.stats.t.ppf(0.975), scipy.special.gammaln.</summary>
[TestClass]
public sealed class BetaDistributionTests
{
    [TestMethod]
    [DataRow(0.3, 2, 5, 0.5798250000000003), DataRow(0.01, 1, 367, 0.9749898430403094), DataRow(0.5, 0.5, 0.5, 0.5), DataRow(0.02, 11, 740, 0.8839799385839595)]
    [DataRow(0.41, 4000, 5000, 1.826763459926489e-11), DataRow(0.0001, 0.5, 30, 0.061487458408771414), DataRow(0, 2, 5, 0), DataRow(1, 2, 5, 1)]
    public void CumulativeIsTheIncompleteBetaFunction(double x, double a, double b, double expected) =>
        Assert.AreEqual(expected, BetaDistribution.Cumulative(x, a, b), 1e-9 * expected);

    [TestMethod]
    [DataRow(0.025, 3, 8), DataRow(0.975, 1, 367), DataRow(0.5, 4000, 5000)]
    public void QuantileInvertsIt(double p, double a, double b) => Assert.AreEqual(p, BetaDistribution.Cumulative(BetaDistribution.Quantile(p, a, b), a, b), 1e-10);

    [TestMethod]
    [DataRow(1, 12.706204736432095), DataRow(9, 2.2621571627409915), DataRow(29, 2.045229642132703), DataRow(749, 1.9631362731193829)]
    public void TheTailsOfStudentsDistributionAreKnown(int freedom, double expected) => Assert.AreEqual(expected, BetaDistribution.TwoSidedT(0.05, freedom), 1e-8);

    [TestMethod]
    [DataRow(0.5, 0.5723649429247), DataRow(1, 0), DataRow(3.7, 1.428072326665388), DataRow(10, 12.801827480081469), DataRow(1e5, 1051287.7089736569)]
    public void LogGammaIsTheLogarithmOfTheFactorial(double x, double expected) => Assert.AreEqual(expected, BetaDistribution.LogGamma(x), 1e-11 * Math.Max(1, expected));
}
