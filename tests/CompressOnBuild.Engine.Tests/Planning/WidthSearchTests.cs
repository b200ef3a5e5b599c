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

    [TestMethod]
    public void OfIntegersAndPalettesTheOneThatLosesLessForItsBytesIsTaken()
    {
        // A palette leaves a tenth of the error of integers for a few bytes more, but of the second weight nearly all.
        var search = Search(most: 7.5e-4, palettes: [3, 4, 6], paletteError: site => site == "w2" ? 0.98 : 0.1);
        var plan = search.Run();
        Assert.AreEqual((WeightForm.Palette, 3), (plan.Weights[0].Form, plan.Weights[0].Bits));
        StringAssert.Contains(plan.Weights[0].Because, "palette");
        Assert.AreEqual(WeightForm.Weights, plan.Weights[1].Form);
    }

    [TestMethod]
    public void ALimitOfBytesIsKeptWithTheLeastError()
    {
        // 3 weights of 4096: nothing narrower than 8 bits passes, but only 15 bits are allowed for all three together.
        var search = Search(most: 1e-9, bytes: 15 * 512);
        var plan = search.Run();
        Assert.IsLessThanOrEqualTo(15, plan.Weights.Sum(w => w.Bits));
        var bits = plan.Weights.ToDictionary(w => w.Site, w => w.Bits);
        var least = (from a in Widths from b in Widths from c in Widths where a + b + c <= 15 select Error("w1", a) + Error("w2", b) + Error("w3", c)).Min();
        Assert.IsLessThanOrEqualTo(4 * least, bits.Sum(b => Error(b.Key, b.Value)), "the convex hull of the choices may miss the best by a step");
        Assert.AreEqual(1, search.Candidates.Count(c => c.Chosen));
    }

    [TestMethod]
    public void ASearchWhoseTimeIsOverKeepsTheBestThatItMeasured()
    {
        var clock = new Steps();
        var budget = new SearchBudget(TimeSpan.FromSeconds(3), clock);
        var cut = Search(most: 2e-3, budget: budget);
        var plan = cut.Run();
        Assert.IsTrue(budget.CutShort);
        Assert.IsLessThan(Full().Count, cut.Candidates.Count);
        Assert.AreEqual(cut.Candidates.Where(c => c.Drop <= 0).Min(c => c.Bytes), plan.Weights.Sum(w => w.Bits * 512L));

        static IReadOnlyList<CandidateResult> Full()
        {
            var all = Search(most: 2e-3);
            all.Run();
            return all.Candidates;
        }
    }

    /// <summary>A clock that goes on by a second whenever it is asked.</summary>
    private sealed class Steps : TimeProvider
    {
        private long seconds;

        public override long TimestampFrequency => 1;
        public override long GetTimestamp() => seconds++;
    }

    [TestMethod]
    public void EightBitsAreRestoredToFloatsWhereAProductOfIntegersWouldRoundItsActivations()
    {
        var model = new ModelBuilder().Input("x", 1, 256).Output("y", 1, 256).Weight("w1", 1, 1, 256, 256).Node("MatMul", ["x", "w1"], ["y"]).Build();
        var planner = new Planner(model, Recipe.Load("smallest"), statistics: null);
        Assert.AreEqual("matmul-dq", planner.Decide(planner.Sites[0], WeightForm.Weights, "").Encoding, "what would be taken for speed");
        var oracle = new SearchOracle(plan => new Trial(1, 1, 0), _ => 0);
        Assert.AreEqual("cast-mul", new WidthSearch(planner, [8], new SearchLimits(0.01), oracle, NullCompressionLog.Instance, default).Run().Weights[0].Encoding);
    }

    private static double Error(string site, int bits) => ErrorAt4[site] * Math.Pow(4, 4 - bits);

    private static WidthSearch Search(double most, double reach = 0, long? bytes = null, SearchBudget? budget = null, int[]? palettes = null, Func<string, double>? paletteError = null)
    {
        var model = new ModelBuilder().Input("x", 1, 64).Output("y", 1, 64).Weight("w1", 1, 1, 64, 64).Weight("w2", 2, 1, 64, 64).Weight("w3", 3, 1, 64, 64)
            .Node("MatMul", ["x", "w1"], ["a"]).Node("MatMul", ["a", "w2"], ["b"]).Node("MatMul", ["b", "w3"], ["y"]).Build();
        var planner = new Planner(model, Recipe.Load("smallest"), statistics: null);
        double Of(WeightDecision w) => Error(w.Site, w.Bits) * (w.Form == WeightForm.Palette ? paletteError!(w.Site) : 1);
        double Sum(Plan plan) => plan.Weights.Where(w => w.Bits < 8).Sum(Of);
        long Bytes(Plan plan) => plan.Weights.Sum(w => w.Bits * 512L);
        var oracle = new SearchOracle(
            plan => new Trial(Bytes(plan), 1, Sum(plan) > most ? 1 : 0, GateHigh: plan.Weights.Any(w => w.Bits < 8) ? reach : 0),
            plan => -10 * Math.Log10(Sum(plan)), palettes is null ? null : (_, decision) => Of(decision));
        return new WidthSearch(planner, Widths, new SearchLimits(0.01, bytes), oracle, NullCompressionLog.Instance, default) { Palettes = palettes ?? [], Budget = budget ?? SearchBudget.None };
    }
}
