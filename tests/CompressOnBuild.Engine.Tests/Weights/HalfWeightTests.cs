using CompressOnBuild.Testing;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Engine.Tests.Weights;

[TestClass]
public class HalfWeightTests
{
    [TestMethod]
    public void RoundsToTheNearestHalf()
    {
        var weights = ModelBuilder.Random(1, 100, 300).ToFloats();
        var restored = HalfWeight.Round(weights, [300])!.Decompress();
        for (var i = 0; i < 300; i++) Assert.AreEqual((float)(Half)weights[i], restored[i]);
    }

    [TestMethod]
    [DataRow(65504f, true), DataRow(-65519.99f, true), DataRow(65520f, false), DataRow(-1e30f, false), DataRow(float.NaN, false), DataRow(float.NegativeInfinity, false)]
    public void FitsSaysWhatRoundDoes(float value, bool fits)
    {
        Assert.AreEqual(fits, HalfWeight.Fits(Math.Abs(value)));
        Assert.AreEqual(fits, HalfWeight.Round([1, value, 2], [3]) is not null);
    }
}
