using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Restructuring;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Restructuring;

/// <summary>
/// Structured pruning on graphs: channels that nobody hears (their weights and biases are 0) or that say what others say go first, through whatever stands between two
/// layers, and the outputs stay.
/// </summary>
[TestClass]
public class PruningTests
{
    private const int C = 16, Side = 6;
    private static readonly int[] Dead = [1, 4, 6, 11];
    private static readonly NodeAttribute Pads = NodeAttribute.Ints("pads", 1, 1, 1, 1);

    [TestMethod]
    public void AChainOfConvolutionsLosesItsDeadChannels() => Loses(Picture().Conv("a", "x", 8, C, Dead).Node("Relu", ["a"], ["r"]).Conv("y", "r", C, 8), "wa", Dead, "[12,8,3,3] [12] [8,12,3,3] [8]");

    [TestMethod]
    public void DuplicatesGoAndTheirTwinsTakeOver()
    {
        // Channels 8 to 11 are channels 0 to 3 again.
        var w = ModelBuilder.Random(1, 1, C, 8, 3, 3).ToFloats();
        w.AsSpan(0, 4 * 72).CopyTo(w.AsSpan(8 * 72));
        var builder = Picture().Initializer("wa", w, C, 8, 3, 3).Node("Conv", ["x", "wa"], ["a"], Pads).Node("Relu", ["a"], ["r"]).Conv("y", "r", C, 8);
        var (before, after, round) = Prune(builder, 0.05);
        var gone = Enumerable.Range(0, C).Except(round.Channels.Single().Kept).ToArray();
        CollectionAssert.AreEqual(new[] { 0, 1, 2, 3 }, gone.Select(g => g % 8).Order().ToArray());
        FactoringTests.Equal(before, after, [1, 8, Side, Side], 0.02);
    }

    [TestMethod]
    public void AResidualStreamLosesAChannelInEveryLayerThatFeedsIt() => Loses(Picture().Conv("a", "x", 8, C, Dead).Node("Relu", ["a"], ["r"]).Conv("b", "r", C, C, Dead).Node("Add", ["r", "b"], ["s"]).Conv("y", "s", C, 8),
        "wa", Dead, "[12,8,3,3] [12] [12,12,3,3] [12] [8,12,3,3] [8]");

    [TestMethod]
    public void ADepthwiseConvolutionFollows() => Loses(Picture().Conv("a", "x", 8, C, Dead).Node("Clip", ["a"], ["r"]).Weight("wd", 9, 1, C, 1, 3, 3).Node("Conv", ["r", "wd"], ["d"], Pads, NodeAttribute.Int("group", C)).Conv("y", "d", C, 8),
        "wa", Dead, "[12,8,3,3] [12] [12,1,3,3] [8,12,3,3] [8]");

    [TestMethod]
    public void ConcatKeepsThePlacesApart() => Loses(Picture().Conv("a", "x", 8, C).Conv("b", "x", 8, C, Dead, seed: 5).Node("Concat", ["a", "b"], ["c"], NodeAttribute.Int("axis", 1)).Conv("y", "c", 2 * C, 8),
        "wb", Dead, "[16,8,3,3] [16] [12,8,3,3] [12] [8,28,3,3] [8]");

    [TestMethod]
    public void SplitGetsNewSizes()
    {
        var builder = Picture().Conv("a", "x", 8, 2 * C, [.. Dead.Select(d => d + C)]).Node("Split", ["a"], ["l", "r"], NodeAttribute.Int("axis", 1)).Conv("b", "l", C, 8, seed: 7).Conv("c", "r", C, 8, seed: 8).Node("Add", ["b", "c"], ["y"]);
        Loses(builder, "wa#2", Dead, "[28,8,3,3] [28] [2] [8,16,3,3] [8] [8,12,3,3] [8]");
    }

    [TestMethod]
    public void AFlattenedPictureAndTransposesAreFollowed() => Loses(new ModelBuilder().Input("x", -1, 8, Side, Side).Output("y", -1, 10).Conv("a", "x", 8, C, Dead).Node("Transpose", ["a"], ["t"], NodeAttribute.Ints("perm", 0, 2, 3, 1))
        .Initializer("shape", Tensor.Create([-1L, Side * Side * C], 2)).Node("Reshape", ["t", "shape"], ["f"]).Weight("wg", 4, 1, Side * Side * C, 10).Node("Gemm", ["f", "wg"], ["y"]),
        "wa", Dead, "[12,8,3,3] [12] [2] [432,10] [10]", shapeNumbers: [-1, Side * Side * 12]);

    [TestMethod]
    public void FactorsAndBiasesOfChannelsFollow() => Loses(new ModelBuilder().Input("x", -1, 7, 12).Output("y", -1, 7, 10).Initializer("wa", Matrix(12, C, Dead, 1), 12, C).Node("MatMul", ["x", "wa"], ["m"]).Initializer("b", Vector(C, Dead), C).Node("Add", ["m", "b"], ["a"])
        .Weight("f", 3, 1, 1, 1, C).Node("Mul", ["a", "f"], ["s"]).Node("Tanh", ["s"], ["t"]).Weight("wb", 4, 1, C, 10).Node("MatMul", ["t", "wb"], ["y"]),
        "wa", Dead, "[12,12] [12] [1,1,12] [12,10]", shape: [1, 7, 12]);

    [TestMethod]
    public void AttentionLosesWholeHeads()
    {
        // Four heads of four columns; the values of head 2 and what makes them are 0.
        int[] dead = [8, 9, 10, 11];
        var builder = new ModelBuilder().Input("x", -1, 5, 12).Output("y", -1, 5, 12).Initializer("heads", Tensor.Create([0L, 5, 4, 4], 4)).Initializer("joined", Tensor.Create([0L, 5, 16], 3));
        foreach (var (name, order) in new[] { ("q", new long[] { 0, 2, 1, 3 }), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3]) })
            builder.Initializer("w" + name, Matrix(12, C, name == "v" ? dead : [], name[0]), 12, C).Node("MatMul", ["x", "w" + name], [name]).Node("Reshape", [name, "heads"], [name + "h"]).Node("Transpose", [name + "h"], [name + "t"], NodeAttribute.Ints("perm", order));
        builder.Node("MatMul", ["qt", "kt"], ["scores"]).Node("Softmax", ["scores"], ["p"], NodeAttribute.Int("axis", -1)).Node("MatMul", ["p", "vt"], ["o"])
            .Node("Transpose", ["o"], ["ot"], NodeAttribute.Ints("perm", 0, 2, 1, 3)).Node("Reshape", ["ot", "joined"], ["j"]).Weight("wo", 6, 1, C, 12).Node("MatMul", ["j", "wo"], ["y"]);
        Loses(builder, "wq", [2], "[12,12] [12,12] [12,12] [12,12]", shape: [1, 5, 12], ignoreShapes: true);
    }

    [TestMethod]
    public void HiddenUnitsOfAnLstmGoWithTheirGates()
    {
        // Units whose output gate is closed for good (a bias of -100) say nothing.
        int[] dead = [1, 4];
        var r = ModelBuilder.Random(2, 0.3f, 1, 4 * 8, 8).ToFloats();
        var b = ModelBuilder.Random(3, 0.3f, 1, 8 * 8).ToFloats();
        foreach (var unit in dead) b[8 + unit] = -100; // gates are input, output, forget, cell
        var builder = new ModelBuilder().Input("x", 6, 1, 10).Output("y", 6, 1, 12).Weight("w", 1, 0.5f, 1, 32, 10).Initializer("r", r, 1, 32, 8).Initializer("b", b, 1, 64)
            .Node("LSTM", ["x", "w", "r", "b"], ["h"], NodeAttribute.Int("hidden_size", 8)).Initializer("axes", Tensor.Create([1L], 1)).Node("Squeeze", ["h", "axes"], ["s"]).Weight("wg", 5, 1, 8, 12).Node("MatMul", ["s", "wg"], ["y"]);
        var (before, after, round) = Prune(builder, 0.2, [6, 1, 10]);
        CollectionAssert.AreEqual(dead, Enumerable.Range(0, 8).Except(round.Channels.Single().Kept).ToArray());
        Assert.AreEqual("[1,24,10] [1,24,6] [1,48] [1] [6,12]", Shapes(after));
        FactoringTests.Equal(before, after, [6, 1, 10], 0.02);
    }

    [TestMethod]
    public void WhatCannotBeCutSaysWhy()
    {
        var builder = Picture().Conv("a", "x", 8, C).Conv("b", "a", C, C, seed: 2).Node("ReduceMean", ["b"], ["mean"], NodeAttribute.Ints("axes", 1)).Node("Sub", ["b", "mean"], ["n"])
            .Node("DepthToSpace", ["n"], ["e"], NodeAttribute.Int("blocksize", 2)).Node("Conv", ["n", "wc"], ["y"]).Weight("wc", 3, 1, 8, C, 1, 1);
        var left = Begin(builder.Build(), [1, 8, Side, Side], new RecipeStep(StepKind.PruneStructured, null, [], null)).LeftAlone.ToDictionary(l => l.Name, l => l.Because);
        Assert.AreEqual("ReduceMean runs over them", left["wb"]);
        Assert.AreEqual("they are those of the model's output 'y'", left["wc"]);
        Assert.IsFalse(left.ContainsKey("wa"));
        var recurrent = new ModelBuilder().Input("x", 6, 1, 10).Input("h0", 1, 1, 8).Output("y", 6, 1, 1, 8).Output("h1", 1, 1, 8).Weight("w", 1, 0.5f, 1, 24, 10).Weight("r", 2, 0.5f, 1, 24, 8)
            .Node("GRU", ["x", "w", "r", "", "", "h0"], ["y", "h1"], NodeAttribute.Int("hidden_size", 8)).Build();
        var groups = ChannelAnalysis.Of(recurrent, v => v.Name switch { "x" => [6L, 1, 10], "h0" or "h1" => [1L, 1, 8], "y" => [6L, 1, 1, 8], _ => null }).Groups;
        Assert.AreEqual("the state 'h0' comes from outside the layer", groups.Single().Because);
    }

    [TestMethod]
    public void TheAmountIsOfTheMultiplyAccumulatesAndTheRepairBeatsMagnitude()
    {
        var builder = Picture().Conv("a", "x", 8, 64).Node("Relu", ["a"], ["r"]).Conv("b", "r", 64, 64, seed: 3).Node("Relu", ["b"], ["s"]).Conv("y", "s", 64, 8, seed: 4);
        var (before, after, round) = Prune(builder, 0.3);
        long[] shape = [1, 8, Side, Side];
        var share = (double)Cost(after, shape) / Cost(before, shape);
        Assert.IsTrue(share is <= 0.7 and > 0.55, $"{share}");
        Assert.IsTrue(round.Channels.All(c => c.Kept.Count % 8 == 0));
        var magnitude = Prune(builder, 0.3, by: StepCriterion.Magnitude).After;
        Assert.IsGreaterThan(Decibels(before, magnitude, shape) + 1, Decibels(before, after, shape));
    }

    /// <summary>Two equal branches, of which the sum hears one a thousand times less: layer by layer both lose the same.</summary>
    [TestMethod]
    public void ChannelsGoWhereTheOutputsHearThemLeast()
    {
        var builder = Picture().Initializer("quiet", [0.001f], 1);
        foreach (var branch in new[] { "p", "q" }) builder.Conv(branch + "a", "x", 8, 64, seed: 1).Node("Relu", [branch + "a"], [branch + "r"]).Conv(branch + "b", branch + "r", 64, 8, seed: 2);
        var model = builder.Node("Mul", ["qb", "quiet"], ["qs"]).Node("Add", ["pb", "qs"], ["y"]).Build();
        long[] shape = [1, 8, Side, Side];
        var step = new RecipeStep(StepKind.PruneStructured, 0.2, [], null);
        var asked = 0;
        double Noise(Model made) { asked++; return Math.Pow(10, -Decibels(model, made, shape) / 10); }
        var round = Begin(model, shape, step, Noise).Choose(0.2);
        Assert.AreEqual("wqa", round.Channels.Single().Group);
        Assert.AreEqual(3, asked, "the model, and each group alone");
        CollectionAssert.AreEquivalent(new[] { "wpa", "wqa" }, Begin(model, shape, step).Choose(0.2).Channels.Select(c => c.Group).ToArray());
        Begin(model, shape, step with { By = StepCriterion.Magnitude }, _ => throw new InvalidOperationException("by magnitude nothing is run")).Choose(0.2);
    }

    /// <summary>Labels leave some models as integers, and a change may bring an output nearer by chance: neither makes a group free.</summary>
    [TestMethod]
    public void WhereNothingIsHeardTheLayersOwnLossesDecide()
    {
        var builder = Picture();
        foreach (var (branch, seed) in new[] { ("p", 1), ("q", 5) }) builder.Conv(branch + "a", "x", 8, 64, seed == 5 ? [.. Enumerable.Range(0, 40)] : null, seed).Node("Relu", [branch + "a"], [branch + "r"]).Conv(branch + "b", branch + "r", 64, 8, seed: 2);
        var model = builder.Node("Add", ["pb", "qb"], ["y"]).Build();
        long[] shape = [1, 8, Side, Side];
        var step = new RecipeStep(StepKind.PruneStructured, 0.3, [], null);
        string Chosen(Func<Model, double>? noise) => string.Join(' ', Begin(model, shape, step, noise).Choose(0.3).Channels.Select(c => $"{c.Group} {string.Join(',', c.Kept)}"));
        var alone = Chosen(null);
        StringAssert.StartsWith(alone, "wqa");
        Assert.AreEqual(alone, Chosen(_ => 0));
    }

    [TestMethod]
    public void ASearchWhoseTimeIsOverAsksNothingAndTakesNothing()
    {
        var model = Picture().Conv("a", "x", 8, C, Dead).Node("Relu", ["a"], ["r"]).Conv("y", "r", C, 8).Build();
        var step = new RecipeStep(StepKind.PruneStructured, null, [], null);
        Assert.IsTrue(Begin(model, [1, 8, Side, Side], step, _ => throw new InvalidOperationException("time is over"), () => true).Choose(0.05).IsEmpty);
    }

    private static ModelBuilder Picture() => new ModelBuilder().Input("x", -1, 8, Side, Side).Output("y", -1, -2, Side, Side);

    private static float[] Matrix(int k, int n, int[] dead, int seed)
    {
        var w = ModelBuilder.Random(seed, 1, k, n).ToFloats();
        for (var i = 0; i < k; i++) foreach (var d in dead) w[i * n + d] = 0;
        return w;
    }

    private static float[] Vector(int n, int[] dead) => [.. ModelBuilder.Random(7, 1, n).ToFloats().Select((v, i) => dead.Contains(i) ? 0 : v)];

    private static void Loses(ModelBuilder builder, string group, int[] gone, string shapes, long[]? shape = null, long[]? shapeNumbers = null, bool ignoreShapes = false)
    {
        shape ??= [1, 8, Side, Side];
        var (before, after, round) = Prune(builder, 0.01, shape);
        var decision = round.Channels.Single();
        Assert.AreEqual(group, decision.Group);
        CollectionAssert.AreEqual(gone, Enumerable.Range(0, decision.Of).Except(decision.Kept).ToArray());
        StringAssert.Contains(decision.Because, "dead");
        Assert.AreEqual(shapes, ignoreShapes ? Shapes(after, s => s.Length == 2) : Shapes(after));
        if (shapeNumbers is not null) CollectionAssert.AreEqual(shapeNumbers, after.Graph.Initializers.Single(i => i.ElementType == ElementType.Int64).Constant!.ToLongs());
        Assert.IsTrue(after.Graph.Initializers.Where(i => i.ElementType == ElementType.Float).All(i => before.Graph.Initializers.Any(b => b.Name == i.Name) || i.Name == "bias"), "weights keep their names");
        FactoringTests.Equal(before, after, shape, 1e-4);
    }

    private static string Shapes(Model model, Func<long[], bool>? which = null)
    {
        var order = model.Graph.Nodes.SelectMany(n => n.Inputs).Where(v => v?.Initializer is not null).Distinct().Select(v => v!.Initializer!);
        return string.Join(' ', order.Where(t => which?.Invoke(t.Shape.ToArray()) ?? true).Select(t => $"[{string.Join(",", t.Shape.ToArray())}]"));
    }

    private static (Model Before, Model After, StructureRound Round) Prune(ModelBuilder builder, double amount, long[]? shape = null, StepCriterion by = StepCriterion.Calibration)
    {
        var model = builder.Build();
        var step = new RecipeStep(StepKind.PruneStructured, amount, [], null, by);
        var started = Begin(model, shape ?? [1, 8, Side, Side], step);
        var round = started.Choose(amount);
        Assert.IsNull(started.Misfit(round));
        Assert.IsNotNull(started.Misfit(round with { Channels = [.. round.Channels, round.Channels[0]] }));
        return (model, started.Apply(round).Model, round);
    }

    private static long Cost(Model model, long[] shape)
    {
        IReadOnlyDictionary<string, Tensor>[] sample = [new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(1, 1, shape) }];
        return MultiplyAdds.Count(model, Calibrator.Run(model, sample, new CalibrationRequest { Values = MultiplyAdds.ValuesToObserve(model) }, default));
    }

    private static double Decibels(Model before, Model after, long[] shape)
    {
        using var original = new Session(before, new SessionSettings("test"));
        using var made = new Session(after, new SessionSettings("test"));
        var inputs = Enumerable.Range(100, 10).Select(i => new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(i, 1, shape) }).ToArray();
        return Fidelity.Decibels([.. inputs.Select(i => original.Run(i))], inputs.Select(i => made.Run(i)));
    }

    private static IRestructuring Begin(Model model, long[] shape, RecipeStep step, Func<Model, double>? noise = null, Func<bool>? isOver = null)
    {
        var technique = new Pruning();
        var needs = technique.Needs(model);
        var samples = Enumerable.Range(1, 30).Select(i => (IReadOnlyDictionary<string, Tensor>)new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(i, 1, shape) });
        var statistics = Calibrator.Run(model, samples, new CalibrationRequest { Values = needs.Values, Grams = needs.Grams, SampleCount = 30 }, default);
        var shapes = Calibrator.Run(model, samples.Take(1), new CalibrationRequest { Values = needs.Shapes }, default);
        return technique.Begin(model, statistics, shapes, step, new Sensitivities(noise, isOver ?? (() => false)), new ParallelOptions());
    }
}

file static class Layers
{
    /// <summary>A 3 x 3 convolution with a bias whose channels <paramref name="dead"/> are 0; its weight is called "w" and then as its output.</summary>
    public static ModelBuilder Conv(this ModelBuilder builder, string output, string input, int from, int to, int[]? dead = null, int seed = 1)
    {
        var (w, b) = (ModelBuilder.Random(seed, 0.3f, to, from, 3, 3).ToFloats(), ModelBuilder.Random(seed + 100, 0.3f, to).ToFloats());
        foreach (var d in dead ?? [])
        {
            w.AsSpan(d * from * 9, from * 9).Clear();
            b[d] = 0;
        }
        return builder.Initializer("w" + output, w, to, from, 3, 3).Initializer("b" + output, b, to).Node("Conv", [input, "w" + output, "b" + output], [output], NodeAttribute.Ints("pads", 1, 1, 1, 1));
    }
}
