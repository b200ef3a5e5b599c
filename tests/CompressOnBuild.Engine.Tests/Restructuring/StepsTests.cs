using System.Text.Json;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Restructuring;

/// <summary>Steps of a recipe on the whole way: what they leave, what the reports and the lock say of them, and what a rebuild makes of that.</summary>
[TestClass]
public class StepsTests
{
    [TestMethod]
    public void AStepMakesTheModelSmallerAndTheLockGivesTheSameBytesAgain()
    {
        using var model = Case("""{ "version": 1, "steps": [ { "step": "low-rank", "amount": 0.5, "match": { "operator": "Conv" } } ], "rules": [ { "form": "weights" } ] }""");
        var plain = model.RunWhateverTheVerdict(r => r with { Recipe = "int8-weights", Lock = false });
        var made = Run(model, r => r with { Lock = true });
        Assert.IsLessThan(0.75 * plain.Compressed.Bytes, made.Compressed.Bytes);
        Assert.IsLessThan(0.6 * made.Original.MultiplyAdds, made.Compressed.MultiplyAdds);
        Assert.AreEqual(plain.Original.MultiplyAdds, made.Original.MultiplyAdds);
        Assert.AreEqual(plain.Original.MultiplyAdds, plain.Compressed.MultiplyAdds);
        Assert.IsTrue(made.Weights.Count(w => w.Rank >= 8) >= 4, string.Join(", ", made.Weights.Select(w => $"{w.Name} {w.Rank}")));
        Assert.IsTrue(made.Weights.Any(w => w.Name == "w4" && w.Rank is null), "what does not match is as always");
        StringAssert.Contains(string.Join("\n", made.Steps), $"Multiply-accumulates {made.Original.MultiplyAdds} -> {made.Compressed.MultiplyAdds}");
        using (var report = JsonDocument.Parse(File.ReadAllBytes(model[Path.Combine("out", "report.json")])))
            Assert.AreEqual(made.Compressed.MultiplyAdds, report.RootElement.GetProperty("compressed").GetProperty("multiplyAdds").GetInt64());

        var outputs = Deterministic(model);
        var lockText = File.ReadAllText(model.Request.LockPath);
        StringAssert.Contains(lockText, "{ \"round\": 1, \"step\": 1, \"weight\": \"w1\"");
        Run(model, r => r with { LockedMode = true, Threads = 1 });
        CollectionAssert.AreEqual(outputs, Deterministic(model));

        File.WriteAllText(model.Request.LockPath, lockText.Replace("\"step\": 1, \"weight\": \"w1\"", "\"step\": 1, \"weight\": \"none\"", StringComparison.Ordinal));
        Assert.AreEqual(Codes.LockDoesNotFit, Assert.ThrowsExactly<CompressionException>(() => Run(model)).Diagnostic.Code);
        File.WriteAllText(model.Request.LockPath, lockText.Replace("\"step\": 1, \"weight\": \"w1\"", "\"step\": 7, \"weight\": \"w1\"", StringComparison.Ordinal));
        Assert.AreEqual(Codes.LockInvalid, Assert.ThrowsExactly<CompressionException>(() => Run(model)).Diagnostic.Code);
        File.WriteAllText(model.Request.LockPath, lockText.Replace("\"step\": 1, ", "\"step\": 2, ", StringComparison.Ordinal));
        Assert.AreEqual(Codes.LockDoesNotFit, Assert.ThrowsExactly<CompressionException>(() => Run(model)).Diagnostic.Code);
    }

    [TestMethod]
    public void ChannelsThatWentAreInTheLockRoundByRound()
    {
        using var model = Case("""{ "version": 1, "steps": [ { "step": "prune-structured", "amount": 0.12 }, { "step": "low-rank", "amount": 0.3, "match": { "name": "^w2" } } ], "rules": [ { "form": "weights" } ] }""");
        var made = Run(model, r => r with { Lock = true });
        Assert.IsLessThan(0.88 * made.Original.MultiplyAdds, made.Compressed.MultiplyAdds);
        var (outputs, lockText) = (Deterministic(model), File.ReadAllText(model.Request.LockPath));
        StringAssert.Contains(lockText, "{ \"round\": 1, \"step\": 1, \"group\": \"w");
        StringAssert.Contains(lockText, "{ \"round\": 2, \"step\": 1, \"group\": \"w");
        StringAssert.Contains(lockText, "\"step\": 2, \"weight\": \"w2");
        Run(model, r => r with { LockedMode = true, Threads = 1 });
        CollectionAssert.AreEqual(outputs, Deterministic(model));
        Assert.AreEqual(1, made.Steps.Count(s => s.Contains("'w4'", StringComparison.Ordinal) && s.Contains("they are those of the model's output 'y'", StringComparison.Ordinal)));

        File.WriteAllText(model.Request.LockPath, lockText.Replace("\"of\": 32", "\"of\": 33", StringComparison.Ordinal));
        Assert.AreEqual(Codes.LockDoesNotFit, Assert.ThrowsExactly<CompressionException>(() => Run(model)).Diagnostic.Code);
    }

    [TestMethod]
    public void WithoutAnAmountRoundsGoUpToTheLimitAndTheLastGoodOneStays()
    {
        using var model = Case("""{ "version": 1, "steps": [ { "step": "low-rank" } ], "rules": [ { "form": "weights" } ] }""");
        var made = Run(model);
        var rounds = made.Measurements.Candidates.Where(c => c.Name.StartsWith("low-rank, round ", StringComparison.Ordinal)).ToArray();
        Assert.IsGreaterThan(1, rounds.Length);
        var kept = Array.FindIndex(rounds, r => r.Chosen);
        for (var i = 1; i <= kept; i++) Assert.IsLessThan(rounds[i - 1].Bytes, rounds[i].Bytes, "each round takes more");
        for (var i = kept + 2; i < rounds.Length; i++) Assert.IsGreaterThanOrEqualTo(rounds[i - 1].Bytes, rounds[i].Bytes, "behind one that took too much, rounds take less");
        Assert.IsGreaterThanOrEqualTo(rounds.Length - 4, kept, "what follows is at most the round that took too much and two finer ones");
        Assert.IsLessThanOrEqualTo(0.05, rounds[kept].Drop!.Value);
    }

    [TestMethod]
    public void WithoutDataStepsAreLeftOutWithAWarning()
    {
        using var model = new ModelCase(Network.Build());
        var result = model.Run(r => r with { Recipe = "low-rank" });
        Assert.AreEqual(Verdict.Unmeasured, result.Verdict);
        Assert.HasCount(1, result.Warnings.Where(w => w.Code == Codes.StepsNeedData).ToArray());
        Assert.IsTrue(result.Weights.All(w => w.Rank is null && w.Bits == 8));
    }

    [TestMethod]
    [DataRow("prune", "made no zeros: '"), DataRow("prune-structured", "prune-structured took nothing away: "), DataRow("low-rank", "low-rank took nothing away: ")]
    public void ARecipeThatTookNothingSaysSo(string recipe, string expected)
    {
        // One layer whose outputs are the model's, and of full rank: no channel can go, and whatever else goes moves the outputs further than is allowed.
        const int Wide = 64;
        var network = new ModelBuilder().Input("x", -1, Wide).Output("y", -1, Wide).Weight("w", 1, 1, Wide, Wide).Node("MatMul", ["x", "w"], ["y"]);
        using var model = new ModelCase(network).With(new NpzBuilder().Floats("x", ModelBuilder.Random(7, 1, 120, Wide).ToFloats(), 120, Wide));
        var result = model.RunWhateverTheVerdict(r => r with { Recipe = recipe, MaxAccuracyDrop = 1e-9 });
        StringAssert.Contains(result.Warnings.Single(w => w.Code == Codes.NothingTaken).Message, expected);
        Assert.IsTrue(result.Weights.All(w => w.Rank is null && w.Bits == 8));
    }

    private static ModelCase Case(string recipe)
    {
        var network = Network.Build();
        var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(80)));
        File.WriteAllText(model["own.json"], recipe);
        return model;
    }

    private static CompressionResult Run(ModelCase model, Func<CompressionRequest, CompressionRequest>? change = null) =>
        model.RunWhateverTheVerdict(r => (change ?? (c => c))(r with { Recipe = model["own.json"], MaxAccuracyDrop = 0.1 }));

    private static string[] Deterministic(ModelCase model) => [.. model.Outputs().Where(f => !f.StartsWith("measurements", StringComparison.Ordinal) && !f.StartsWith("report.html", StringComparison.Ordinal) && !f.StartsWith("report.md", StringComparison.Ordinal))];
}
