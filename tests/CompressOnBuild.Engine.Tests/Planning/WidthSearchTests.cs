using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

/// <summary>Which widths are chosen when the error of each weight is known.</summary>
[TestClass]
public class WidthSearchTests
{
    private static readonly int[] Widths = [3, 4, 5, 6, 8];

    // Three equal weights; at 4 bits the second leaves a hundred times the error of the others.
    private static readonly Dictionary<string, double> ErrorAt4 = new() { ["w1"] = 1e-4, ["w2"] = 1e-2, ["w3"] = 1e-4 };

    [TestMethod]
    public void ASensitiveWeightGetsMoreBitsAndTheFileIsTheSmallestThatPasses()
    {
        var search = Search(most: 2e-3);
        var plan = search.Run();
        var bits = plan.Weights.ToDictionary(w => w.Site, w => w.Bits);
        Assert.IsGreaterThan(bits["w1"], bits["w2"]);
        Assert.AreEqual(bits["w1"], bits["w3"]);
        // Every other allocation that keeps the error within the bound takes more bits.
        var least = (from a in Widths from b in Widths from c in Widths where Error("w1", a) + Error("w2", b) + Error("w3", c) <= 2e-3 select a + b + c).Min();
        Assert.IsLessThanOrEqualTo(least + 1, bits.Values.Sum(), "the convex hull of the choices may miss the best by a step");
        Assert.IsTrue(search.Candidates.Single(c => c.Chosen).Drop <= 0);
        StringAssert.Contains(plan.Weights.Single(w => w.Site == "w2").Because, "20.0 dB");
    }

    [TestMethod]
    public void WhereNothingNarrowerPassesTheWidestFormStays()
    {
        var search = Search(most: 1e-9);
        Assert.IsTrue(search.Run().Weights.All(w => w.Bits == 8));
        Assert.IsTrue(search.Candidates[0].Chosen);
        Assert.IsGreaterThan(2, search.Candidates.Count, "narrower widths were tried");
    }

    [TestMethod]
    public void AWidthThatTheGateCouldNotPassIsNotTaken()
    {
        // Nothing is lost on the selection split, but so many samples change that the gate's interval reaches beyond the limit.
        Assert.IsTrue(Search(most: 1, reach: 0.02).Run().Weights.All(w => w.Bits == 8));
        Assert.IsTrue(Search(most: 1, reach: 0.005).Run().Weights.All(w => w.Bits == 3));
    }

    private static double Error(string site, int bits) => ErrorAt4[site] * Math.Pow(4, 4 - bits);

    private static WidthSearch Search(double most, double reach = 0)
    {
        var model = new ModelBuilder().Input("x", 1, 64).Output("y", 1, 64).Weight("w1", 1, 1, 64, 64).Weight("w2", 2, 1, 64, 64).Weight("w3", 3, 1, 64, 64)
            .Node("MatMul", ["x", "w1"], ["a"]).Node("MatMul", ["a", "w2"], ["b"]).Node("MatMul", ["b", "w3"], ["y"]).Build();
        var planner = new Planner(model, Recipe.Load("smallest"), statistics: null);
        double Sum(Plan plan) => plan.Weights.Where(w => w.Bits < 8).Sum(w => Error(w.Site, w.Bits));
        long Bytes(Plan plan) => plan.Weights.Sum(w => w.Bits * 512L);
        var oracle = new SearchOracle(
            plan => new Trial(Bytes(plan), 1, Sum(plan) > most ? 1 : 0, GateHigh: plan.Weights.Any(w => w.Bits < 8) ? reach : 0),
            plan => -10 * Math.Log10(Sum(plan)));
        return new WidthSearch(planner, Widths, 0.01, oracle, NullCompressionLog.Instance, default);
    }
}
