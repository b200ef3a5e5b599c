using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Restructuring;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Restructuring;

/// <summary>Layers behind a cut come near to the original's again, on samples that nobody solved for, through residual additions and products with a bias behind them.</summary>
[TestClass]
public class ReconstructionTests
{
    private const int C = 24, Side = 8;
    private static readonly long[] Shape = [1, C, Side, Side];

    [TestMethod]
    [DataRow("chain"), DataRow("residual"), DataRow("products")]
    public void TheOutputsComeNearerOnOtherSamples(string kind)
    {
        var (model, cut, left) = Cut(kind);
        var before = Decibels(model, cut);
        Run(model, cut, left, samples: 40, threads: 2);
        Assert.IsGreaterThan(before + 1, Decibels(model, cut));
    }

    [TestMethod]
    public void TheNumberOfThreadsChangesNoBit()
    {
        var made = new[] { 1, 3 }.Select(threads =>
        {
            var (model, cut, left) = Cut("residual");
            Run(model, cut, left, samples: 10, threads);
            return OnnxWriter.ToBytes(cut);
        }).ToArray();
        CollectionAssert.AreEqual(made[0], made[1]);
    }

    [TestMethod]
    public void WhatStandsBeforeTheCutStaysAndNamesStay()
    {
        var (model, cut, left) = Cut("residual");
        Run(model, cut, left, samples: 10, threads: 2);
        var was = model.Graph.Initializers.ToDictionary(i => i.Name, i => i.Initializer!);
        CollectionAssert.AreEqual(was["w1"].ToFloats(), cut.Graph.Initializers.Single(i => i.Name == "w1").Initializer!.ToFloats());
        CollectionAssert.AreNotEqual(was["w4"].ToFloats(), cut.Graph.Initializers.Single(i => i.Name == "w4").Initializer!.ToFloats());
        CollectionAssert.IsSubsetOf(cut.Graph.Initializers.Select(i => i.Name).ToArray(), was.Keys.ToArray());
    }

    /// <summary>A second round finds the bias of the original, not what the first one made of it.</summary>
    [TestMethod]
    [DataRow("products"), DataRow("one bias for two")]
    public void BiasesDoNotDriftFromRoundToRound(string kind)
    {
        var (model, cut, left) = Cut(kind);
        Run(model, cut, left, samples: 40, threads: 2);
        var once = Decibels(model, cut);
        for (var i = 0; i < 12; i++) Run(model, cut, left, samples: 40, threads: 2);
        Assert.IsGreaterThan(once - 0.5, Decibels(model, cut));
    }

    private static void Run(Model model, Model cut, IReadOnlyDictionary<string, KeptIndices> left, int samples, int threads)
    {
        IReadOnlyDictionary<string, Tensor>[] all = [.. Enumerable.Range(1, samples).Select(Sample)];
        new Reconstruction(model, left, _ => 1, (of, count, buffers) => new LayerwiseRun(of, all[..count], new SessionSettings("test"), threads, default, buffers), samples, new ParallelOptions { MaxDegreeOfParallelism = threads }).Run(cut);
    }

    private static Dictionary<string, Tensor> Sample(int seed) => new() { ["x"] = ModelBuilder.Random(seed, 1, Shape) };

    private static double Decibels(Model model, Model cut)
    {
        using var original = new Session(model, new SessionSettings("test"));
        using var made = new Session(cut, new SessionSettings("test"));
        var samples = Enumerable.Range(1000, 10).Select(Sample).ToArray();
        return Fidelity.Decibels([.. samples.Select(s => original.Run(s))], samples.Select(s => made.Run(s)));
    }

    /// <summary>Every fourth channel of the second layer goes, with nothing to make up for it.</summary>
    private static (Model Model, Model Cut, IReadOnlyDictionary<string, KeptIndices> Left) Cut(string kind)
    {
        var builder = new ModelBuilder().Input("x", Shape).Output("y", ElementType.Float);
        var model = (kind is "products" or "one bias for two" ? Products(builder, kind == "products" ? "b4" : "b3") : Convolutions(builder, kind == "residual")).Build();
        foreach (var info in model.Graph.OutputInfos) info.Type.TensorType.Shape = null; // the runtime infers it
        var shapes = Calibrator.Run(model, [Sample(1)], new CalibrationRequest { Values = [.. model.Graph.Nodes.SelectMany(n => n.Outputs).Select(o => o!.Name), "x"] }, default);
        var analysis = ChannelAnalysis.Of(model, v => shapes.TryGet(v.Name, out var seen) ? seen.Shape : null);
        var channels = analysis.Groups.Single(g => g.Name == "w2").Channels;
        var cut = new ChannelCut(model, analysis, channels.Where((_, i) => i % 4 == 0).ToHashSet());
        return (model, cut.Run(), cut.Left());
    }

    private static ModelBuilder Convolutions(ModelBuilder builder, bool residual)
    {
        void Layer(int i, string input, string output) => builder.Weight($"w{i}", i, 0.2f, C, C, 1, 1).Weight($"b{i}", i + 10, 0.2f, C).Node("Conv", [input, $"w{i}", $"b{i}"], [output]);
        Layer(1, "x", "a1");
        builder.Node("Relu", ["a1"], ["r1"]);
        Layer(2, "r1", "a2");
        builder.Node("Relu", ["a2"], ["r2"]);
        Layer(3, "r2", "a3");
        builder.Node(residual ? "Add" : "Relu", residual ? ["a3", "r1"] : ["a3"], ["r3"]);
        Layer(4, "r3", "a4");
        builder.Node(residual ? "Add" : "Relu", residual ? ["r3", "a4"] : ["a4"], ["r4"]);
        Layer(5, "r4", "y");
        return builder;
    }

    private static ModelBuilder Products(ModelBuilder builder, string lastBias)
    {
        void Layer(int i, string input, string output) => builder.Weight($"w{i}", i, 0.3f, Side, i == 2 ? 2 * Side : Side).Weight($"b{i}", i + 10, 0.3f, i == 2 ? 2 * Side : Side).Node("MatMul", [input, $"w{i}"], [$"m{i}"]).Node("Add", [$"m{i}", $"b{i}"], [output]);
        Layer(1, "x", "a1");
        Layer(2, "a1", "a2");
        builder.Node("Tanh", ["a2"], ["t2"]).Weight("w3", 3, 0.3f, 2 * Side, Side).Weight("b3", 13, 0.3f, Side).Node("MatMul", ["t2", "w3"], ["m3"]).Node("Add", ["m3", "b3"], ["a3"]).Node("Tanh", ["a3"], ["t3"]);
        if (lastBias != "b3") builder.Weight(lastBias, 14, 0.3f, Side);
        return builder.Weight("w4", 4, 0.3f, Side, Side).Node("MatMul", ["t3", "w4"], ["m4"]).Node("Add", ["m4", lastBias], ["y"]);
    }
}
