using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Runtime;

[TestClass]
public class SelfCheckTests
{
    [TestMethod]
    public void AQuantizedNetworkPasses()
    {
        var result = SelfCheck.Run(Quantized(), Plain(), Samples(), null, default)!;
        Assert.IsTrue(result.Passed);
        Assert.AreEqual("y", result.Output);
        Assert.IsGreaterThan(SelfCheck.MinDecibels, result.Decibels!.Value);
        Assert.IsGreaterThan(15, result.OwnDecibels!.Value);
    }

    [TestMethod]
    public void AWrongNodeInTheOptimizedModelIsFound()
    {
        // The planted fault: the optimized side runs a network in which one node computes something else.
        var wrong = Quantized(relu: "Neg");
        using var optimized = new Session(wrong, new SessionSettings("compressed"));
        using var plain = new Session(Quantized(), new SessionSettings("plain", Optimize: false));
        using var original = new Session(Plain(), new SessionSettings("original"));
        var result = SelfCheck.Measure(["y"], i => optimized.Run(i), i => plain.Run(i), i => original.Run(i), Samples())!;
        Assert.IsFalse(result.Passed);
        Assert.IsLessThan(5, result.Decibels!.Value);
    }

    [TestMethod]
    public void FailureNamesOutputFigureAndLimit()
    {
        var e = Assert.Throws<CompressionException>(() => SelfCheck.Require(new SelfCheckResult("logits", false, 6.66, null, 23.4, null), "net.onnx"));
        Assert.AreEqual(Codes.SelfCheckFailed, e.Diagnostic.Code);
        foreach (var part in new[] { "'logits'", "6.7 dB", "20 dB", "23.4 dB" }) StringAssert.Contains(e.Message, part);
        e = Assert.Throws<CompressionException>(() => SelfCheck.Require(new SelfCheckResult("ids", false, null, 0.25, null, null), "net.onnx"));
        StringAssert.Contains(e.Message, "75 %");
        SelfCheck.Require(new SelfCheckResult("logits", true, 40, null, null, null), "net.onnx");
        SelfCheck.Require(null, "net.onnx");
    }

    [TestMethod]
    public void ADifferenceBelowTheModelsOwnErrorPasses()
    {
        Tensor[] Of(params float[] v) => [Tensor.Create(v, v.Length)];
        SelfCheckResult Measure(Runner? original) => SelfCheck.Measure(["y"], _ => Of(1, 1.3f), _ => Of(1, 1), original, Samples())!;
        Assert.IsFalse(Measure(null).Passed); // 13.5 dB
        Assert.IsFalse(Measure(_ => Of(1, 1.1f)).Passed);
        Assert.IsTrue(Measure(_ => Of(1, 0.5f)).Passed);
    }

    [TestMethod]
    public void NaNWhereThePlainRunHasNumbersFails()
    {
        Tensor[] Of(params float[] v) => [Tensor.Create(v, v.Length)];
        Assert.IsFalse(SelfCheck.Measure(["y"], _ => Of(1, float.NaN), _ => Of(1, 1), null, Samples())!.Passed);
        Assert.IsTrue(SelfCheck.Measure(["y"], _ => Of(1, float.NaN), _ => Of(1, float.NaN), null, Samples())!.Passed);
        Assert.IsFalse(SelfCheck.Measure(["y"], _ => Of(1, 1, 1), _ => Of(1, 1), null, Samples())!.Passed);
        Assert.IsTrue(SelfCheck.Measure(["y"], _ => Of(0, 0), _ => Of(0, 0), null, Samples())!.Passed);
    }

    [TestMethod]
    public void TheWorstOutputIsReported()
    {
        Tensor[] plain = [Tensor.Create(new float[] { 1, 1 }, 2), Tensor.Create(new long[] { 1, 2, 3, 4 }, 4), Tensor.Create(new float[] { 1, 1 }, 2)];
        Tensor[] other = [Tensor.Create(new[] { 1, 1.001f }, 2), Tensor.Create(new long[] { 1, 9, 9, 9 }, 4), Tensor.Create(new[] { 1, 1.01f }, 2)];
        var result = SelfCheck.Measure(["a", "b", "c"], _ => other, _ => plain, null, Samples())!;
        Assert.AreEqual(("b", false, 0.25), (result.Output, result.Passed, result.Agreement));
        result = SelfCheck.Measure(["a", "c"], _ => [other[0], other[2]], _ => [plain[0], plain[2]], null, Samples())!;
        Assert.AreEqual(("c", true), (result.Output, result.Passed));
    }

    [TestMethod]
    public void WithoutSamplesThereIsNoResult() => Assert.IsNull(SelfCheck.Run(Plain(), null, [], null, default));

    private static Model Plain() => new ModelBuilder().Input("x", 1, 32).Output("y", 1, 16)
        .Initializer("w1", Grid(1, 32, 24)).Initializer("w2", Grid(2, 24, 16))
        .Node("MatMul", ["x", "w1"], ["a"]).Node("Relu", ["a"], ["r"]).Node("MatMul", ["r", "w2"], ["y"]).Build();

    // The same network with 8-bit activations and weights, in the form that the runtime fuses to integer kernels.
    private static Model Quantized(string relu = "Relu")
    {
        var builder = new ModelBuilder().Input("x", 1, 32).Output("y", 1, 16)
            .Initializer("s", Tensor.Scalar(4f / 255)).Initializer("z", Tensor.Scalar((byte)128)).Initializer("ws", Tensor.Scalar(1f / 64)).Initializer("wz", Tensor.Scalar((sbyte)0));
        foreach (var (name, seed, rows, columns) in new[] { ("w1", 1, 32, 24), ("w2", 2, 24, 16) })
            builder.Initializer(name + "q", Tensor.Create(Grid(seed, rows, columns).ToFloats().Select(v => (sbyte)MathF.Round(v * 64)).ToArray(), rows, columns))
                .Node("DequantizeLinear", [name + "q", "ws", "wz"], [name]);
        string Pass(string value) { builder.Node("QuantizeLinear", [value, "s", "z"], [value + "q"]).Node("DequantizeLinear", [value + "q", "s", "z"], [value + "d"]); return value + "d"; }
        return builder.Node("MatMul", [Pass("x"), "w1"], ["a"]).Node(relu, [Pass("a")], ["r"]).Node("MatMul", [Pass("r"), "w2"], ["y"]).Build();
    }

    private static Tensor Grid(int seed, int rows, int columns) =>
        Tensor.Create(ModelBuilder.Random(seed, 0.25f, rows, columns).ToFloats().Select(v => MathF.Round(v * 64) / 64).ToArray(), rows, columns);

    private static IEnumerable<IReadOnlyDictionary<string, Tensor>> Samples() =>
        Enumerable.Range(1, 6).Select(i => new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(i, 0.5f, 1, 32) });
}
