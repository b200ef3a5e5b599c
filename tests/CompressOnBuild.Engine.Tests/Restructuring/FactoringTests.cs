using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Restructuring;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Restructuring;

/// <summary>Low rank on graphs: a weight that is a product of thinner ones is found as such, whatever operator reads it, and the outputs stay.</summary>
[TestClass]
public class FactoringTests
{
    private static readonly NodeAttribute Pads = NodeAttribute.Ints("pads", 1, 1, 1, 1);

    [TestMethod]
    public void AMatMulOfLowRankBecomesTwo() => Exact(new ModelBuilder().Input("x", -1, 64).Output("y", -1, 48)
        .Initializer("w", Product(64, 8, 48), 64, 48).Node("MatMul", ["x", "w"], ["y"]), [10, 64], "MatMul MatMul", "Svd 8 0");

    [TestMethod]
    public void AGemmKeepsItsBiasAndItsTransposedWeight() => Exact(new ModelBuilder().Input("x", -1, 64).Output("y", -1, 48)
        .Initializer("w", Product(48, 8, 64), 48, 64).Weight("b", 5, 1, 48).Node("Gemm", ["x", "w", "b"], ["y"], NodeAttribute.Int("transB", 1)), [10, 64], "MatMul Gemm", "Svd 8 0");

    [TestMethod]
    public void APointwiseConvolutionKeepsItsStrides() => Exact(new ModelBuilder().Input("x", -1, 64, 9, 9).Output("y", -1, 48, 5, 5)
        .Initializer("w", Product(48, 8, 64), 48, 64, 1, 1).Node("Conv", ["x", "w"], ["y"], NodeAttribute.Ints("strides", 2, 2)), [1, 64, 9, 9], "Conv Conv", "Svd 8 0");

    [TestMethod]
    public void AConvolutionOfFewMixedChannelsBecomesTucker()
    {
        // W[n, c, t] = sum over r, s of A[n, r] G[r, s, t] B[s, c] with 8 channels on either side.
        var (a, g, b) = (Values(64 * 8, 1), Values(8 * 8 * 9, 2), Values(8 * 64, 3));
        var w = new float[64 * 64 * 9];
        for (var n = 0; n < 64; n++)
            for (var c = 0; c < 64; c++)
                for (var t = 0; t < 9; t++)
                {
                    double sum = 0;
                    for (var r = 0; r < 8; r++)
                        for (var s = 0; s < 8; s++) sum += (double)a[n * 8 + r] * g[(r * 8 + s) * 9 + t] * b[s * 64 + c];
                    w[(n * 64 + c) * 9 + t] = (float)sum;
                }
        Exact(new ModelBuilder().Input("x", -1, 64, 8, 8).Output("y", -1, 64, 4, 4).Initializer("w", w, 64, 64, 3, 3).Weight("b", 4, 1, 64)
            .Node("Conv", ["x", "w", "b"], ["y"], Pads, NodeAttribute.Ints("strides", 2, 2)), [1, 64, 8, 8], "Conv Conv Conv", "Tucker 8 8", amount: 0.95);
    }

    [TestMethod]
    public void AConvolutionOfSeparableKernelsBecomesColumnsAndRows()
    {
        // 8 pairs of a column filter over all channels and a row filter for every output.
        var (columns, rows) = (Values(8 * 32 * 3, 1), Values(32 * 8 * 3, 2));
        var w = new float[32 * 32 * 9];
        for (var n = 0; n < 32; n++)
            for (var c = 0; c < 32; c++)
                for (var y = 0; y < 3; y++)
                    for (var x = 0; x < 3; x++)
                        for (var r = 0; r < 8; r++) w[((n * 32 + c) * 3 + y) * 3 + x] += columns[(r * 32 + c) * 3 + y] * rows[(n * 8 + r) * 3 + x];
        Exact(new ModelBuilder().Input("x", -1, 32, 9, 8).Output("y", -1, 32, 5, 8).Initializer("w", w, 32, 32, 3, 3)
            .Node("Conv", ["x", "w"], ["y"], Pads, NodeAttribute.Ints("strides", 2, 1)), [1, 32, 9, 8], "Conv Conv", "Spatial 8", amount: 0.45);
    }

    [TestMethod]
    public void WhatCannotBeFactoredSaysWhy()
    {
        var builder = new ModelBuilder().Input("x", -1, 32, 4, 4).Output("y", -1, 32, 4, 4)
            .Weight("grouped", 1, 1, 32, 1, 3, 3).Weight("shared", 2, 1, 32, 32, 1, 1).Weight("small", 3, 1, 8, 32, 1, 1).Weight("back", 4, 1, 32, 8, 1, 1)
            .Node("Conv", ["x", "grouped"], ["a"], Pads, NodeAttribute.Int("group", 32)).Node("Conv", ["a", "shared"], ["b"]).Node("Conv", ["b", "shared"], ["c"])
            .Node("Conv", ["c", "small"], ["d"]).Node("Conv", ["d", "back"], ["y"]);
        var left = Begin(builder.Build(), [1, 32, 4, 4]).LeftAlone.ToDictionary(l => l.Name, l => l.Because);
        StringAssert.Contains(left["grouped"], "thin already");
        StringAssert.Contains(left["shared"], "several nodes");
        StringAssert.Contains(left["small"], "no rank of 8");
    }

    [TestMethod]
    public void WhereTheOutputHasABiasTheMeanCostsNoRank()
    {
        // A large mean in a direction that the weight keeps: 9 directions with it, 8 without.
        var mean = Enumerable.Range(0, 64).Select(i => i % 2 == 0 ? 3f : -3f).ToArray();
        var builder = new ModelBuilder().Input("x", -1, 64).Output("y", -1, 64).Initializer("m", mean, 64).Weight("b", 8, 1, 64).Initializer("p", Product(64, 8, 64), 64, 64).Weight("w", 6, 1, 64, 64)
            .Node("MatMul", ["x", "p"], ["t"]).Node("Add", ["t", "m"], ["u"]).Node("Gemm", ["u", "w", "b"], ["y"]);
        var model = builder.Build();
        var round = Begin(model, [40, 64]).Choose(0.7);
        var decision = round.Ranks.Single(r => r.Weight == "w");
        Assert.AreEqual(8, decision.Rank);
        Equal(model, Begin(model, [40, 64]).Apply(round with { Ranks = [decision] }).Model, [40, 64], 0.02);
    }

    [TestMethod]
    public void AKernelWithFewerOutputsThanChannelsHasFewerRanks()
    {
        var model = new ModelBuilder().Input("x", -1, 64, 1, 400).Output("y", -1, 8, 1, 398).Weight("w", 1, 1, 8, 64, 1, 3).Node("Conv", ["x", "w"], ["y"]).Build();
        var started = Begin(model, [1, 64, 1, 400]);
        var decision = started.Choose(0.5).Ranks.Single();
        Assert.IsNull(started.Misfit(new StructureRound(1, [decision], [])));
        Assert.IsNull(started.Misfit(new StructureRound(1, [decision with { Form = FactorForm.Input, Rank = 24, InputRank = 0 }], [])));
        Assert.IsNotNull(started.Misfit(new StructureRound(1, [decision with { Form = FactorForm.Input, Rank = 32, InputRank = 0 }], [])), "8 outputs of 3 taps see at most 24 mixtures of channels");
        Assert.IsNotNull(started.Misfit(new StructureRound(1, [decision with { Form = FactorForm.Tucker, Rank = 8, InputRank = 32 }], [])));
    }

    [TestMethod]
    public void RanksFallWhereTheOutputsHearLeast()
    {
        // Two equal branches of which one is quiet.
        var model = new ModelBuilder().Input("x", -1, 64).Output("y", -1, 64).Weight("loud", 1, 1, 64, 64).Weight("quiet", 2, 1, 64, 64).Initializer("less", [0.01f], 1)
            .Node("MatMul", ["x", "loud"], ["a"]).Node("MatMul", ["x", "quiet"], ["b"]).Node("Mul", ["b", "less"], ["c"]).Node("Add", ["a", "c"], ["y"]).Build();
        var noise = Noise(model, 4);
        Assert.AreEqual("quiet", Begin(model, [400, 64], noise).Choose(0.3).Ranks.Single().Weight);
        Assert.HasCount(2, Begin(model, [400, 64]).Choose(0.3).Ranks);
        Assert.HasCount(2, Begin(model, [400, 64], noise, StepCriterion.Magnitude).Choose(0.3).Ranks, "the baseline looks at weights alone");
    }

    /// <summary>Integers leave this model, so that nothing is heard of any loss: what each weight's own output loses decides.</summary>
    [TestMethod]
    public void WhereNothingIsHeardTheLayersOwnErrorsDecide()
    {
        var model = new ModelBuilder().Input("x", -1, 64).Output("y", ElementType.Int64, -1, 1).Initializer("thin", Product(64, 8, 64), 64, 64).Weight("full", 2, 1, 64, 64)
            .Node("MatMul", ["x", "thin"], ["a"]).Node("MatMul", ["a", "full"], ["b"]).Node("ArgMax", ["b"], ["y"], NodeAttribute.Int("axis", 1)).Build();
        var noise = Noise(model, 1);
        Assert.AreEqual(0, noise.Of(model));
        CollectionAssert.AreEqual(Begin(model, [400, 64]).Choose(0.3).Ranks.ToArray(), Begin(model, [400, 64], noise).Choose(0.3).Ranks.ToArray());
    }

    [TestMethod]
    public void ASearchWhoseTimeIsOverTakesNothing()
    {
        var model = new ModelBuilder().Input("x", -1, 64).Output("y", -1, 64).Weight("w", 1, 1, 64, 64).Node("MatMul", ["x", "w"], ["y"]).Build();
        Assert.IsFalse(Begin(model, [400, 64], Noise(model, 1)).Choose(0.5).IsEmpty);
        Assert.IsTrue(Begin(model, [400, 64], Noise(model, 1), isOver: () => true).Choose(0.5).IsEmpty);
    }

    private static OutputNoise Noise(Model model, int samples) =>
        new(model, () => Enumerable.Range(50, samples).Select(i => new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(i, 1, 400, 64) }), new SessionSettings("test"), new ParallelOptions());

    private static void Exact(ModelBuilder builder, long[] shape, string nodes, string form, double amount = 0.5)
    {
        var model = builder.Build();
        var started = Begin(model, shape);
        var round = started.Choose(amount);
        StringAssert.StartsWith($"{round.Ranks.Single().Form} {round.Ranks[0].Rank} {round.Ranks[0].InputRank}", form);
        Assert.IsNull(started.Misfit(round));
        var (made, ranks) = started.Apply(round);
        Assert.AreEqual(nodes, string.Join(' ', made.Graph.Nodes.Select(n => n.OpType)));
        Assert.IsTrue(ranks.Count >= 2 && ranks.Values.All(r => r == round.Ranks[0].Rank));
        Assert.IsFalse(made.Graph.Initializers.Any(i => i.Name == "w"), "the weight is gone");
        Assert.AreEqual("x y", $"{made.Graph.Inputs[0]} {made.Graph.Outputs[0]}");
        Equal(model, made, shape, 0.02);
        Assert.IsNotNull(started.Misfit(round with { Ranks = [round.Ranks[0] with { Weight = "other" }] }));
        Assert.IsNotNull(started.Misfit(round with { Ranks = [round.Ranks[0] with { Rank = 1000 }] }));
    }

    internal static void Equal(Model before, Model after, long[] shape, double tolerance)
    {
        using var original = new Session(before, new SessionSettings("test"));
        using var made = new Session(after, new SessionSettings("test"));
        var input = new Dictionary<string, Tensor> { [original.Inputs[0].Name] = ModelBuilder.Random(99, 1, shape) };
        var (x, y) = (original.Run(input)[0].ToFloats(), made.Run(input)[0].ToFloats());
        Assert.HasCount(x.Length, y);
        var largest = x.Max(Math.Abs);
        for (var i = 0; i < x.Length; i++) Assert.AreEqual(x[i], y[i], tolerance * largest, $"element {i}");
    }

    private static IRestructuring Begin(Model model, long[] shape, OutputNoise? noise = null, StepCriterion by = StepCriterion.Calibration, Func<bool>? isOver = null)
    {
        var technique = new Factoring();
        var needs = technique.Needs(model);
        var samples = Enumerable.Range(1, 30).Select(i => (IReadOnlyDictionary<string, Tensor>)new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(i, 1, shape) });
        var statistics = Calibrator.Run(model, samples, new CalibrationRequest { Values = needs.Values, Grams = needs.Grams, SampleCount = 30 }, default);
        return technique.Begin(model, statistics, statistics, new RecipeStep(StepKind.LowRank, null, [], null, by), new Sensitivities(noise is null ? null : noise.Of, isOver ?? (() => false)), new ParallelOptions());
    }

    /// <summary>A random matrix [n, k] of rank r.</summary>
    private static float[] Product(int n, int r, int k)
    {
        var (a, b) = (Values(n * r, 1), Values(r * k, 2));
        var w = new float[n * k];
        for (var i = 0; i < n; i++)
            for (var j = 0; j < k; j++)
                for (var l = 0; l < r; l++) w[i * k + j] += a[i * r + l] * b[l * k + j];
        return w;
    }

    private static float[] Values(int count, int seed) => ModelBuilder.Random(seed, 1, count).ToFloats();
}
