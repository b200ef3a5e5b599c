using CompressOnBuild.Techniques.Scaling;

namespace CompressOnBuild.Engine.Tests.Techniques.Scaling;

/// <summary>Each criterion beside a literal transcription of its paper's formula, and what it promises.</summary>
[TestClass]
public class ScaleFactorsTests
{
    private static double[] Positive(int seed, int count, double span)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Math.Exp(span * (random.NextDouble() - 0.5)))];
    }

    [TestMethod]
    public void EqualizationIsNagelsEquation11()
    {
        double[] r1 = Positive(1, 50, 6), r2 = Positive(2, 50, 6);
        var s = CrossLayerEqualization.Factors(r1, r2);
        for (var i = 0; i < s.Length; i++) Assert.AreEqual(1 / r2[i] * Math.Sqrt(r1[i] * r2[i]), s[i], 1e-12 * s[i]);
        for (var i = 0; i < s.Length; i++) Assert.AreEqual(r1[i] / s[i], r2[i] * s[i], 1e-12 * r1[i], "both sides have the same range");
    }

    [TestMethod]
    public void EqualizationLeavesChannelsWithoutWeightsAlone() =>
        CollectionAssert.AreEqual(new double[] { 1, 1, 2 }, CrossLayerEqualization.Factors([0, 3, 4], [5, 0, 1]));

    [TestMethod]
    [DataRow(0.0), DataRow(0.5), DataRow(0.8), DataRow(1.0)]
    public void MigrationIsXiaosEquation4(double alpha)
    {
        double[] x = Positive(3, 40, 3), w = Positive(4, 40, 3); // all within the span
        var s = ScaleMigration.Factors(x, w, alpha);
        for (var j = 0; j < s.Length; j++) Assert.AreEqual(Math.Pow(x[j], alpha) / Math.Pow(w[j], 1 - alpha), s[j], 1e-12 * s[j]);
    }

    [TestMethod]
    public void MigrationOfAllMakesTheRangesOfActivationsEqual()
    {
        double[] x = Positive(5, 40, 3), w = Positive(6, 40, 3);
        var s = ScaleMigration.Factors(x, w, 1);
        foreach (var (range, factor) in x.Zip(s)) Assert.AreEqual(1, range / factor, 1e-12);
    }

    [TestMethod]
    public void MigrationDoesNotBlowUpWhatCalibrationHardlySaw() =>
        CollectionAssert.AreEqual(new double[] { 64, 2, 2, 8 }, ScaleMigration.Factors([64, 0, 1e-9, 8], [1, 1, 1, 0], 1));

    [TestMethod]
    public void MigrationShrinksWhatNobodyListensTo()
    {
        CollectionAssert.AreEqual(new double[] { 1, 32 }, ScaleMigration.Factors([5, 5], [1, 0], 0));
        CollectionAssert.AreEqual(new double[] { 1, 1 }, ScaleMigration.Factors([5, 5], [0, 0], 0.5));
    }

    [TestMethod]
    public void StepsAreEighthsOfAnOctave()
    {
        for (var step = -ScaleSteps.MostInAll; step <= ScaleSteps.MostInAll; step++)
        {
            Assert.AreEqual(Math.Pow(2, step / 8.0), ScaleSteps.Factor(step), 1e-14 * ScaleSteps.Factor(step));
            if (Math.Abs(step) <= ScaleSteps.Most) Assert.AreEqual(step, ScaleSteps.Of([ScaleSteps.Factor(step)])[0]);
        }
        CollectionAssert.AreEqual(new[] { ScaleSteps.Most, -ScaleSteps.Most, 0, 0, 0 }, ScaleSteps.Of([1e9, 1e-9, 0, double.NaN, double.PositiveInfinity]));
        CollectionAssert.AreEqual(new[] { -2, 0, 2 }, ScaleSteps.Centred([5, 7, 9]));
    }
}
