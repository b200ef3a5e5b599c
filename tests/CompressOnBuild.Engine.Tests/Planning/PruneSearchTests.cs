using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

/// <summary>Which shares of zeros are chosen when the error of each weight is known.</summary>
[TestClass]
public class PruneSearchTests
{
    // At half of its elements zero the second weight leaves a hundred times the error of the others; errors grow with the square of the share.
    private static readonly Dictionary<string, double> ErrorAtHalf = new() { ["w1"] = 1e-4, ["w2"] = 1e-2, ["w3"] = 1e-4 };

    [TestMethod]
    public void RoundsEndAtTheFirstThatLosesTooMuchAndTheLastGoodOneStays()
    {
        var search = Search(most: 6e-4);
        var plan = search.Run();
        // 20, 30, 40, 50 % pass; 60 % takes more than the limit bears, whoever gives it.
        CollectionAssert.AreEqual(new[] { "int8 weights, no zeros", "20 % zeros", "30 % zeros", "40 % zeros", "50 % zeros", "60 % zeros" }, search.Candidates.Select(c => c.Name).ToArray());
        Assert.AreEqual("50 % zeros", search.Candidates.Single(c => c.Chosen).Name);
        Assert.IsTrue(search.Candidates.SkipLast(1).All(c => c.Drop <= 0) && search.Candidates[^1].Drop > 0);
        var share = plan.Weights.ToDictionary(w => w.Site, w => w.Pruning?.Share ?? 0);
        Assert.IsGreaterThanOrEqualTo(0.5, share.Values.Average());
        Assert.IsGreaterThan(share["w2"], share["w1"]);
        Assert.AreEqual(share["w1"], share["w3"]);
        StringAssert.Contains(plan.Weights.Single(w => w.Site == "w2").Because, "20.0 dB");
    }

    [TestMethod]
    public void WhereNoRoundPassesNothingIsPruned()
    {
        var search = Search(most: 1e-9);
        Assert.IsTrue(search.Run().Weights.All(w => w.Pruning is null && w.Bits == 8));
        Assert.IsTrue(search.Candidates[0].Chosen);
        Assert.HasCount(2, search.Candidates);
    }

    private static double Error(WeightDecision w) => w.Pruning is { } p ? ErrorAtHalf[w.Site] * p.Share * p.Share * 4 : 0;

    private static PruneSearch Search(double most)
    {
        var model = new ModelBuilder().Input("x", 1, 128).Output("y", 1, 128).Weight("w1", 1, 1, 128, 128).Weight("w2", 2, 1, 128, 128).Weight("w3", 3, 1, 128, 128)
            .Node("MatMul", ["x", "w1"], ["a"]).Node("MatMul", ["a", "w2"], ["b"]).Node("MatMul", ["b", "w3"], ["y"]).Build();
        var planner = new Planner(model, Recipe.Load("prune"), statistics: null);
        double Sum(Plan plan) => plan.Weights.Sum(Error);
        var oracle = new SearchOracle(plan => new Trial(1, 1, Sum(plan) > most ? 1 : 0), plan => -10 * Math.Log10(Sum(plan)), (_, decision) => Error(decision));
        return new PruneSearch(planner, Recipe.Load("prune").Sparsities, 0.01, oracle, NullCompressionLog.Instance, default);
    }
}
