using CompressOnBuild.Diagnostics;
using CompressOnBuild.Emulation;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Emulation;

/// <summary>What a build says about processors without VNNI, and what it refuses.</summary>
[TestClass]
public sealed class Avx2CheckTests
{
    private const int Depth = 64, Samples = 200;

    [TestMethod]
    public void SaturatingWeightsAreRefusedForTheTargetCpu()
    {
        if (Processor.SaturatesIntegerProducts) Assert.Inconclusive("This processor has no VNNI: the original is measured with the same arithmetic.");
        using var model = new ModelCase(Quantized()).With(Labelled());
        var error = Assert.ThrowsExactly<GateException>(() => model.Run(r => r with { Recipe = "none", MaxAccuracyDrop = 0.05 }));
        Assert.AreEqual(Codes.Avx2AccuracyDropped, error.Diagnostic.Code);
        StringAssert.Contains(error.Diagnostic.Message, "'w'");
        StringAssert.Contains(error.Diagnostic.Message, "TargetDevice=\"cpu-vnni\"");
        Assert.HasCount(1, error.Errors);

        var measured = error.Result.Measurements;
        Assert.AreEqual(1, measured.Metrics[0].Compressed, "with VNNI every answer is right");
        Assert.AreEqual(0.5, measured.Avx2!.Metrics[0].Compressed, 0.02, "the class whose products saturate always loses");
        var weight = measured.Avx2.Weights.Single();
        Assert.AreEqual((64L, 32L), (weight.Pairs, weight.CanSaturate), "one column of two");
        Assert.IsTrue(weight.Saturated > 0 && weight.Saturated < weight.Counted, $"{weight.Saturated} of {weight.Counted}");
        StringAssert.Contains(File.ReadAllText(model[Path.Combine("out", "failed", "report.md")]), "Accuracy on AVX2 machines: top1 50");
        StringAssert.Contains(File.ReadAllText(model[Path.Combine("out", "failed", "measurements.json")]), "\"basis\": \"emulated\"");
    }

    [TestMethod]
    public void AMetricThatTheSamplesDoNotDefineIsAGapAndNoError()
    {
        if (Processor.SaturatesIntegerProducts) Assert.Inconclusive("This processor has no VNNI: nothing is emulated.");
        using var model = new ModelCase(Quantized()).With(Labelled());
        var bytes = File.ReadAllBytes(model.Model);
        var read = OnnxReader.Read(bytes, model.Model);
        using var session = new Session(read, new SessionSettings("original"));
        using var data = EvaluationData.Open(model.Request, read, session)!;
        var evaluator = new Evaluator(session, data.Metrics, data.Output, judgesOthers: false, seed: 1, threads: 2);
        var check = new Avx2Check(data, evaluator, new SessionSettings("compressed"), 2, NullCompressionLog.Instance, default);
        var result = check.Run(read, bytes, [], _ => throw new CompressionException(Codes.MetricDoesNotFit, "auc needs samples of both classes"))!;
        Assert.AreEqual(Avx2Basis.Unknown, result.Basis);
        Assert.AreEqual("so many samples as can be computed that way do not define the metric (auc needs samples of both classes)", check.Gap);
    }

    [TestMethod]
    public void ACandidateIsCheckedForTheTargetOfTheComparison()
    {
        if (Processor.SaturatesIntegerProducts) Assert.Inconclusive("This processor has no VNNI: the original is measured with the same arithmetic.");
        using var model = new ModelCase(Quantized()).With(Labelled());
        var request = model.Request with { Candidate = model.Model, MaxAccuracyDrop = 0.05 };
        Assert.AreEqual(Codes.Avx2AccuracyDropped, Assert.ThrowsExactly<GateException>(() => ModelComparison.Run(request, NullCompressionLog.Instance, default)).Diagnostic.Code);
        Assert.AreEqual(Verdict.Pass, ModelComparison.Run(request with { Target = Target.CpuVnni }, NullCompressionLog.Instance, default).Verdict);
    }

    [TestMethod]
    public void ForAnotherTargetNothingIsPromised()
    {
        using var model = new ModelCase(Quantized()).With(Labelled());
        var result = model.Run(r => r with { Recipe = "none", MaxAccuracyDrop = 0.05, Target = Target.CpuVnni });
        Assert.AreEqual(Verdict.Pass, result.Verdict);
        Assert.IsNull(result.Measurements.Avx2);
    }

    [TestMethod]
    public void WeightsWrittenForTheTargetCpuAreExactEverywhere()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(40)));
        var result = model.RunWhateverTheVerdict(r => r with { Recipe = "int8" });
        Assert.AreEqual(Avx2Basis.Exact, result.Measurements.Avx2!.Basis);
        Assert.IsGreaterThanOrEqualTo(3, result.Measurements.Avx2.Products);
        Assert.IsEmpty(result.Measurements.Avx2.Weights);

        // The same graph cut at every product, safe as they are, computes what it computes in one piece.
        var bytes = File.ReadAllBytes(result.OutputModel);
        var optimized = OptimizedGraph.Of(bytes, new SessionSettings("compressed"))!;
        using var session = new Session(bytes, new SessionSettings("compressed"));
        using var emulator = new Avx2Emulator(optimized, IntegerProducts.Find(optimized), new SessionSettings("compressed"));
        foreach (var picture in Network.Pictures(4))
        {
            var input = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(picture, 1, Network.Channels, Network.Side, Network.Side) };
            var (expected, actual) = (session.Run(input)[0].ToFloats(), emulator.Run(input, null, default)[0].ToFloats());
            for (var i = 0; i < expected.Length; i++) Assert.AreEqual(expected[i], actual[i], 1e-4f * expected.Max(Math.Abs));
        }
    }

    [TestMethod]
    public void AModelWithoutIntegerProductsIsNotAskedAbout()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(40)));
        Assert.IsNull(model.Run(r => r with { Recipe = "none" }).Measurements.Avx2);
    }

    [TestMethod]
    public void WhatCannotBeComputedIsSaid()
    {
        // In the body of an If, and without data.
        var then = new ModelBuilder().Node("MatMulInteger", ["a", "w"], ["i"]).Node("Cast", ["i"], ["t"], NodeAttribute.Int("to", (int)ElementType.Float)).Output("t", -1, 2);
        var @else = new ModelBuilder().Node("Cast", ["a"], ["c"], NodeAttribute.Int("to", (int)ElementType.Float)).Node("MatMul", ["c", "f"], ["e"]).Output("e", -1, 2);
        var body = new ModelBuilder().Input("x", -1, Depth).Input("take", ElementType.Bool, 1).Output("y", -1, 2).Initializer("w", Weights()).Weight("f", 1, 1, Depth, 2)
            .Node("DynamicQuantizeLinear", ["x"], ["a", "s", "z"]).NodeWithBodies("If", ["take"], ["y"], ("then_branch", then), ("else_branch", @else));
        foreach (var (model, reason) in new[] { (new ModelCase(body), "If"), (new ModelCase(Quantized()), "no data") })
            using (model)
            {
                var result = model.Run(r => r with { Recipe = "none" });
                if (Processor.SaturatesIntegerProducts) continue;
                Assert.AreEqual(Avx2Basis.Unknown, result.Measurements.Avx2!.Basis);
                StringAssert.Contains(result.Warnings.Single(w => w.Code == Codes.Avx2AccuracyUnknown).Message, reason);
            }
    }

    // Class 0 wins where the inputs are large, unless its products saturate; class 1 has an offset and small weights.
    private static ModelBuilder Quantized() => new ModelBuilder().Import("com.microsoft", 1).Input("x", -1, Depth).Output("y", -1, 2)
        .Initializer("s", Tensor.Scalar(1 / 255f)).Initializer("z", Tensor.Scalar((byte)0)).Initializer("w", Weights()).Initializer("ws", Tensor.Scalar(0.01f)).Initializer("b", [0, 0.3f * Depth], 2)
        .Node("QuantizeLinear", ["x", "s", "z"], ["q"]).NodeIn("com.microsoft", "MatMulIntegerToFloat", ["q", "w", "s", "ws", "z", "", "b"], ["y"]);

    private static Tensor Weights() => Tensor.Create([.. Enumerable.Range(0, 2 * Depth).Select(i => (sbyte)(i % 2 == 0 ? 127 : 64))], Depth, 2);

    private static NpzBuilder Labelled()
    {
        var values = Enumerable.Range(0, Samples).SelectMany(i => Enumerable.Range(0, Depth).Select(k => (i % 2 == 0 ? 0.95f : 0.2f) + 0.0004f * ((i * 7 + k * 13) % 100))).ToArray();
        return new NpzBuilder().Floats("x", values, Samples, Depth).Longs("labels", [.. Enumerable.Range(0, Samples).Select(i => i % 2L)], Samples);
    }
}
