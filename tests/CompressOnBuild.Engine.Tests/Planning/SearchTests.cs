using System.Text.RegularExpressions;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

/// <summary>What <c>auto</c> keeps and what it takes back, on networks whose sore place is known.</summary>
[TestClass]
public class SearchTests
{
    private const double Limit = 0.05;

    [TestMethod]
    public void KeepsTheFastestFormsWhereNothingIsLost()
    {
        using var model = Case(Network.Build());
        var result = model.Run(r => r with { MaxAccuracyDrop = Limit });
        Assert.IsLessThanOrEqualTo(Limit, result.Measurements.Metrics[0].Drop);
        Assert.AreEqual("qdq qdq qdq", Forms(result, "w1", "w2", "w3"));
        Assert.HasCount(1, result.Measurements.Candidates, "a plan that loses nothing needs no second look");
        Assert.AreEqual("fastest forms", result.Measurements.Candidates.Single(c => c.Chosen).Name);
        Assert.IsTrue(result.Weights.All(w => w.Because.Contains("µs") || w.Because.Contains("weights")), string.Join("\n", result.Weights.Select(w => w.Because)));
        AlmostAllIsTransformed(result);
    }

    [TestMethod]
    public void OnlyTheSiteWhoseActivationsDoNotFitGoesBackToFloats()
    {
        using var model = Case(Network.Build(activation: 2000));
        var result = model.Run(r => r with { MaxAccuracyDrop = Limit });
        Assert.IsLessThanOrEqualTo(Limit, result.Measurements.Metrics[0].Drop);
        Assert.AreEqual("qdq cast-mul qdq", Forms(result, "w1", "w2", "w3"));
        var because = result.Weights.Single(w => w.Name == "w2").Because;
        Assert.MatchesRegex(new Regex(@"-?\d+\.\d dB .*worst 1 of \d.* lost 0\.\d+"), because);
        Assert.IsGreaterThan(Limit, result.Measurements.Candidates[0].Drop!.Value, "the network is not sore");
        AlmostAllIsTransformed(result);
    }

    [TestMethod]
    public void AWeightThatEightBitsRuinGoesToSixteen()
    {
        using var model = Case(Network.Build(weight: 300));
        var result = model.Run(r => r with { MaxAccuracyDrop = Limit });
        Assert.IsLessThanOrEqualTo(Limit, result.Measurements.Metrics[0].Drop);
        Assert.AreEqual("fp16-cast", Forms(result, "w3"));
        var weight = result.Weights.Single(w => w.Name == "w3");
        Assert.AreEqual(16, weight.Bits);
        Assert.AreEqual(weight.BytesBefore / 2.0, weight.BytesAfter, 200);
        Assert.MatchesRegex(new Regex(@"-?\d+\.\d dB .*lost 0\.\d+"), weight.Because);
        Assert.AreEqual("qdq qdq", Forms(result, "w1", "w2"), "integers that do no harm stay, whoever was ruined");
        AlmostAllIsTransformed(result);
    }

    [TestMethod]
    public void TwoSorePlacesAreBothFound()
    {
        using var model = Case(Network.Build(activation: 2000, weight: 300));
        var result = model.Run(r => r with { MaxAccuracyDrop = Limit });
        Assert.AreEqual("qdq cast-mul fp16-cast", Forms(result, "w1", "w2", "w3"));
        Assert.IsLessThanOrEqualTo(Limit, result.Measurements.Metrics[0].Drop);
    }

    [TestMethod]
    public void TheChosenCandidateIsTheModelThatIsWritten()
    {
        using var model = Case(Network.Build(activation: 2000));
        var result = model.Run(r => r with { MaxAccuracyDrop = Limit });
        var chosen = result.Measurements.Candidates.Single(c => c.Chosen);
        Assert.AreEqual(new FileInfo(result.OutputModel).Length, chosen.Bytes);
        Assert.IsLessThanOrEqualTo(Limit / 2, chosen.Drop!.Value, "half of the limit is left to the gate");
    }

    [TestMethod]
    public void TheSmallestGoalGivesTheSmallestFile()
    {
        using var model = Case(Network.Build());
        long Bytes(Goal goal) => model.Run(r => r with { Goal = goal, Output = model[goal.ToString()], MaxAccuracyDrop = Limit }).Compressed.Bytes;
        var size = Bytes(Goal.Size);
        Assert.IsLessThanOrEqualTo(Bytes(Goal.Speed), size);
        Assert.IsLessThanOrEqualTo(Bytes(Goal.Balanced), size);
    }

    [TestMethod]
    public void ThreadsChangeNothing()
    {
        using var model = Case(Network.Build(activation: 2000));
        var one = model.Run(r => r with { Threads = 1, Output = model["one"], MaxAccuracyDrop = Limit });
        var two = model.Run(r => r with { Threads = 2, Output = model["two"], MaxAccuracyDrop = Limit });
        Assert.AreEqual(one.Compressed.Sha256, two.Compressed.Sha256);
        Assert.AreEqual(File.ReadAllText(model[Path.Combine("one", "report.json")]), File.ReadAllText(model[Path.Combine("two", "report.json")]));
        CollectionAssert.AreEqual(one.Measurements.Candidates.ToArray(), two.Measurements.Candidates.ToArray());
        Assert.IsGreaterThan(1, one.Measurements.Candidates.Count, "nothing was searched");
    }

    [TestMethod]
    [DataRow(1f, WeightForm.Fp16), DataRow(1e-9f, WeightForm.None, DisplayName = "16 bits cannot hold it: it stays in floats")]
    public void LstmsThatShowOnlyTheirLastStateAreTriedOneByOne(float scale, WeightForm expected)
    {
        var b = new ModelBuilder().Input("x", 5, 1, 16).Output("h1", 1, 1, 16).Output("h2", 1, 1, 16);
        foreach (var (i, by) in new[] { (1, 1f), (2, scale) })
            b.Weight($"w{i}", i, by, 1, 64, 16).Weight($"r{i}", i + 5, by, 1, 64, 16).Node("LSTM", ["x", $"w{i}", $"r{i}"], ["", $"h{i}"], NodeAttribute.Int("hidden_size", 16));
        var planner = new Planner(b.Build(), Recipe.Load("auto"), null);
        bool IsGood(Plan plan) => plan.Weights.Where(d => d.Site.EndsWith('2')).All(d => d.Form == expected);
        var plan = new Search(planner, Goal.Size, new SearchLimits(0.05), new SearchOracle(p => new Trial(1, 1, IsGood(p) ? 0 : 1), p => IsGood(p) ? 60 : 10), NullCompressionLog.Instance, default).Run();
        foreach (var decision in plan.Weights)
        {
            Assert.AreEqual(decision.Site.EndsWith('2') ? expected : WeightForm.Weights, decision.Form, decision.Site);
            Assert.AreEqual(decision.Form == WeightForm.None ? "COB2106" : null, decision.Code);
        }
    }

    [TestMethod]
    public void WhatTheGateCouldNotShowIsMadeSurerOnlyWhereThatHelps()
    {
        var planner = Chain();
        // No statistics: all weights are integers from the start, and only 16 bits can help. The small one is the sore one.
        bool IsSure(Plan plan) => plan.Weights.Single(d => d.Site == "w3").Form == WeightForm.Fp16;
        Plan Run(bool helps, Goal goal = Goal.Balanced) => new Search(planner, goal, new SearchLimits(0.01), new SearchOracle(p => new Trial(100_000, 1, 0.001, ShownWorse: false, GateHigh: helps && IsSure(p) ? 0.005 : 0.02), p => IsSure(p) ? 60 : 10), NullCompressionLog.Instance, default).Run();
        Assert.AreEqual("Weights Weights Fp16", string.Join(' ', Run(helps: true).Weights.Select(w => w.Form)));
        Assert.AreEqual("Weights Weights Weights", string.Join(' ', Run(helps: false).Weights.Select(w => w.Form)));
        Assert.AreEqual("Weights Weights Weights", string.Join(' ', Run(helps: true, Goal.Speed).Weights.Select(w => w.Form)), "who wants speed does not pay for a proof");
    }

    [TestMethod]
    public void WhoAsksForALatencyDoesNotPayForAProof()
    {
        bool IsSure(Plan plan) => plan.Weights.Single(d => d.Site == "w3").Form == WeightForm.Fp16;
        Plan Run(bool latency) => new Search(Chain(), Goal.Balanced, new SearchLimits(0.01, HasLatency: latency), new SearchOracle(
            p => new Trial(100_000, 1, 0.001, ShownWorse: false, GateHigh: IsSure(p) ? 0.005 : 0.02), p => IsSure(p) ? 60 : 10), NullCompressionLog.Instance, default).Run();
        Assert.IsTrue(IsSure(Run(latency: false)));
        Assert.IsFalse(IsSure(Run(latency: true)));
    }

    [TestMethod]
    public void WhatIsLargerThanMaxSizeGetsNarrowerWeights()
    {
        using var model = Case(Network.Build());
        var free = model.Run(r => r with { MaxAccuracyDrop = 1, Output = model["free"] });
        var most = (long)(0.95 * free.Compressed.Bytes);
        var small = model.Run(r => r with { MaxAccuracyDrop = 1, MaxSize = new SizeLimit(most, null), Output = model["small"] });
        Assert.IsLessThanOrEqualTo(most, small.Compressed.Bytes);
        Assert.IsTrue(small.Weights.Any(w => w.Bits < 8));
        Assert.AreEqual(small.Compressed.Bytes, small.Measurements.Candidates.Single(c => c.Chosen).Bytes);
    }

    [TestMethod]
    public void ASearchWhoseTimeIsOverTakesTheSafeForms()
    {
        // Weights are good only when none is an integer, which a search of any length finds: without time it tries none alone.
        bool IsGood(Plan plan) => plan.Weights.All(w => w.Form == WeightForm.Fp16);
        var asked = 0;
        var budget = new SearchBudget(TimeSpan.Zero, TimeProvider.System);
        var search = new Search(Chain(), Goal.Balanced, new SearchLimits(0.01), new SearchOracle(p => new Trial(100_000, 1, IsGood(p) ? 0 : 1), _ => ++asked), NullCompressionLog.Instance, default) { Budget = budget };
        Assert.IsTrue(IsGood(search.Run()));
        Assert.AreEqual(0, asked);
        Assert.IsTrue(budget.CutShort);
    }

    private static Planner Chain() => new(new ModelBuilder().Input("x", 1, 64).Output("y", 1, 16).Weight("w1", 1, 1, 64, 64).Weight("w2", 2, 1, 64, 64).Weight("w3", 3, 1, 64, 16)
        .Node("MatMul", ["x", "w1"], ["a"]).Node("MatMul", ["a", "w2"], ["b"]).Node("MatMul", ["b", "w3"], ["y"]).Build(), Recipe.Load("auto"), null);

    private static ModelCase Case(ModelBuilder model)
    {
        var pictures = Network.Pictures(80);
        return new ModelCase(model).With(Network.Labelled(model, pictures));
    }

    private static string Forms(CompressionResult result, params string[] names) => string.Join(" ", names.Select(n => result.Weights.SingleOrDefault(w => w.Name == n)?.Encoding ?? "left alone"));

    private static void AlmostAllIsTransformed(CompressionResult result)
    {
        var (done, left) = (result.Weights.Sum(w => w.BytesBefore), result.Skipped.Sum(s => s.Bytes));
        Assert.IsGreaterThanOrEqualTo(0.8, (double)done / (done + left));
    }
}
