using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Encodings;

/// <summary>What ONNX Runtime makes of the encodings: the fused operators, or nothing but the float operator.</summary>
[TestClass]
public class EncodingFormTests
{
    private static IEnumerable<object[]> Forms => MatrixCase.All.SelectMany(c => c.Forms.Split(' ').Concat(Restored).Select(f => new object[] { c.Name, f }));

    private static IEnumerable<string> Restored => EncodingTable.All.OfType<RestoredAtLoad>().Select(e => e.Id).Except([EncodingTable.CastMul.Id]);

    [TestMethod]
    [DynamicData(nameof(Forms))]
    public void TheRuntimeFusesTheForm(string name, string encoding)
    {
        var model = MatrixCase.All.Single(c => c.Name == name).Model(17);
        var encoded = EncodedCase.Of(model, encoding, encoding == "qdq" ? EncodedCase.Ranges(model, EncodedCase.Inputs(model)) : null)!.Encoded;
        var operators = OptimizedForm.Operators(encoded);
        switch (encoding)
        {
            case "dynamic-lstm": CollectionAssert.AreEqual(new[] { "DynamicQuantizeLSTM" }, operators); break;
            case "dynamic-matmul": Only(operators, "DynamicQuantizeMatMul", "Add"); break;
            case "matmul-dq": Only(operators, "MatMulNBits", "Sub", "Neg", "Reshape"); break;
            case "matmul-nbits": Only(operators, "MatMulNBits", "Add"); break;
            case "gather": CollectionAssert.AreEqual(new[] { "Gather", "Gather", "Cast", "Mul" }, operators); break;
            case "qdq" when name.StartsWith("Conv", StringComparison.Ordinal): CollectionAssert.AreEqual(new[] { "QuantizeLinear", "QLinearConv", "DequantizeLinear" }, operators); break;
            case "qdq": Only(operators, "MatMulIntegerToFloat", "QuantizeLinear", "Sub", "Neg"); break;
            default: CollectionAssert.AreEqual(OptimizedForm.Operators(model), operators); break;
        }
    }

    [TestMethod]
    [DataRow("Relu", 0f, 0f), DataRow("Clip", 0f, 1.7f), DataRow("Clip", -1f, 1f), DataRow("Clip", -0.3f, 0.9f), DataRow("Clip", -1f, 0f)]
    public void AnActivationBehindAConvolutionIsAbsorbed(string activation, float low, float high)
    {
        CollectionAssert.AreEqual(new[] { "QuantizeLinear", "QLinearConv", "DequantizeLinear" }, Static(Activation(activation, low, high)));
    }

    [TestMethod]
    public void AClipThatKeepsZeroOutStaysBehindTheIntegerConvolution() =>
        CollectionAssert.AreEqual(new[] { "QuantizeLinear", "QLinearConv", "DequantizeLinear", "Clip" }, Static(Activation("Clip", 0.5f, 1)));

    private static Model Activation(string activation, float low, float high) => new ModelBuilder().Input("x", 1, 4, 8, 8).Output("y", 1, 8, 6, 6).Weight("w", 1, 1, 8, 4, 3, 3).Weight("b", 2, 1, 8)
        .Initializer("low", Tensor.Scalar(low)).Initializer("high", Tensor.Scalar(high)).Node("Conv", ["x", "w", "b"], ["c"]).Node(activation, activation == "Clip" ? ["c", "low", "high"] : ["c"], ["y"]).Build();

    [TestMethod]
    public void AResidualChainStaysInIntegers()
    {
        var model = new ModelBuilder().Input("x", 1, 4, 8, 8).Output("y", 1, 4, 8, 8).Weight("w1", 1, 1, 4, 4, 1, 1).Weight("w2", 2, 1, 4, 4, 1, 1).Weight("w3", 3, 1, 4, 4, 1, 1)
            .Node("Conv", ["x", "w1"], ["a"]).Node("Conv", ["a", "w2"], ["b"]).Node("Add", ["a", "b"], ["s"]).Node("Relu", ["s"], ["r"])
            .Node("MaxPool", ["r"], ["m"], NodeAttribute.Ints("kernel_shape", 3, 3), NodeAttribute.Ints("pads", 1, 1, 1, 1)).Node("Conv", ["m", "w3"], ["y"]).Build();
        CollectionAssert.AreEqual(new[] { "QuantizeLinear", "QLinearConv", "QLinearConv", "QLinearAdd", "NhwcMaxPool", "QLinearConv", "DequantizeLinear" }, Static(model));
    }

    [TestMethod]
    public void WeightsOfBodiesAreFoldedThere()
    {
        // One weight in a Constant node of the body, one as the body's initializer, one captured from outside.
        var left = new ModelBuilder().Output("t", 1, 8).Constant("k", ModelBuilder.Random(1, 1, 32, 8)).Node("MatMul", ["x", "k"], ["u"]).Node("MatMul", ["x", "outer"], ["v"]).Node("Sub", ["u", "v"], ["t"]);
        var right = new ModelBuilder().Output("e", 1, 8).Weight("k2", 2, 1, 32, 8).Node("MatMul", ["x", "k2"], ["e"]);
        var model = new ModelBuilder().Input("x", 1, 32).Input("flag", ElementType.Bool).Output("y", 1, 8).Weight("outer", 3, 1, 32, 8)
            .NodeWithBodies("If", ["flag"], ["y"], ("then_branch", left), ("else_branch", right)).Build();
        Assert.HasCount(3, SiteFinder.Find(model));
        // Two products of the same activations share their quantization, so there only the second half is fused.
        foreach (var (encoding, kernels) in new[] { ("cast-mul", "MatMul"), ("fp16-cast", "MatMul"), ("dynamic-matmul", "DynamicQuantizeMatMul MatMulIntegerToFloat"), ("matmul-dq", "MatMulNBits"), ("matmul-nbits", "MatMulNBits") })
        {
            var encoded = EncodedCase.Of(model, encoding)!;
            var operators = OptimizedForm.Operators(encoded.Encoded);
            Assert.AreEqual(3, operators.Count(kernels.Split(' ').Contains), $"{encoding}: {string.Join(", ", operators)}");
            Assert.IsEmpty(operators.Intersect(["Cast", "Mul", "DequantizeLinear", "MatMulInteger"]), $"{encoding}: {string.Join(", ", operators)}");
        }
    }

    [TestMethod]
    public void AWeightCapturedByTwoBodiesIsRestoredAtLoad()
    {
        ModelBuilder Body() => new ModelBuilder().Output("t", 1, 8).Node("MatMul", ["x", "w"], ["t"]);
        var model = new ModelBuilder().Input("x", 1, 32).Input("flag", ElementType.Bool).Output("y", 1, 8).Weight("w", 3, 1, 32, 8)
            .NodeWithBodies("If", ["flag"], ["y"], ("then_branch", Body()), ("else_branch", Body())).Build();
        Assert.IsNull(EncodedCase.Of(model, "matmul-dq"));
        CollectionAssert.AreEqual(new[] { "If", "MatMul", "MatMul" }, OptimizedForm.Operators(EncodedCase.Of(model, "cast-mul")!.Encoded));
    }

    [TestMethod]
    public void AnLstmWithCapturedWeightsRunsOnIntegers()
    {
        var body = new ModelBuilder().Output("t", 5, 1, 2, 6).Node("LSTM", ["x", "w", "r"], ["t"], NodeAttribute.Int("hidden_size", 6));
        var other = new ModelBuilder().Output("e", 5, 1, 2, 6).Constant("w2", ModelBuilder.Random(3, 0.4f, 1, 24, 8)).Constant("r2", ModelBuilder.Random(4, 0.4f, 1, 24, 6))
            .Node("LSTM", ["x", "w2", "r2"], ["e"], NodeAttribute.Int("hidden_size", 6));
        var model = new ModelBuilder().Input("x", 5, 2, 8).Input("flag", ElementType.Bool).Output("y", 5, 1, 2, 6).Weight("w", 1, 0.4f, 1, 24, 8).Weight("r", 2, 0.4f, 1, 24, 6)
            .NodeWithBodies("If", ["flag"], ["y"], ("then_branch", body), ("else_branch", other)).Build();
        var encoded = EncodedCase.Of(model, "dynamic-lstm")!;
        Assert.AreEqual(2, OptimizedForm.Operators(encoded.Encoded).Count(o => o == "DynamicQuantizeLSTM"));
        foreach (var flag in new[] { true, false })
        {
            var inputs = new Dictionary<string, Tensor>(EncodedCase.Inputs(model)) { ["flag"] = Tensor.Create([flag], []) };
            var expected = EncodedCase.Run(encoded.Reference, inputs, optimize: false)[0];
            EncodedCase.Near(expected, EncodedCase.Run(encoded.Encoded, inputs, optimize: true)[0], 0.03 * EncodedCase.Largest(expected), $"flag {flag}");
        }
    }

    [TestMethod]
    public void OneQuantizationOfActivationsServesAllItsProducts()
    {
        var model = new ModelBuilder().Input("x", 3, 32).Output("y", 3, 16).Output("z", 3, 16).Weight("w", 1, 1, 32, 16).Weight("v", 2, 1, 16, 32)
            .Node("MatMul", ["x", "w"], ["y"]).Node("Gemm", ["x", "v"], ["z"], NodeAttribute.Int("transB", 1)).Build();
        var encoded = EncodedCase.Of(model, "dynamic-matmul")!.Encoded;
        Assert.AreEqual(1, encoded.AllNodes().Count(n => n.Is("DynamicQuantizeLinear")));
    }

    // A refusal costs compression or speed: each is justified by what the runtime does with the form that was refused.

    [TestMethod]
    [DataRow("Gemm", "qdq", 11), DataRow("MatMul", "matmul-dq", 11), DataRow("MatMul", "dynamic-matmul", 10)]
    public void WhatIsRefusedForItsOperatorSetDoesNotLoad(string name, string encoding, int opset)
    {
        var model = Forced(MatrixCase.All.Single(c => c.Name == name).Model(opset), encoding);
        Assert.AreEqual("COB1020", Assert.ThrowsExactly<CompressOnBuild.Diagnostics.CompressionException>(() => OptimizedBySession(model)).Diagnostic.Code);
    }

    [TestMethod]
    [DataRow("GemmAlphaBeta", "matmul-dq"), DataRow("GemmTransA", "matmul-dq"), DataRow("ConvTranspose", "qdq"), DataRow("Conv2d", "matmul-dq")]
    public void WhatIsRefusedForItsOperatorIsNotFused(string name, string encoding)
    {
        var operators = OptimizedForm.Operators(Forced(MatrixCase.All.Single(c => c.Name == name).Model(17), encoding));
        Assert.Contains("DequantizeLinear", operators);
        Assert.IsEmpty(operators.Where(o => o is "MatMulNBits" or "QLinearConv" or "QGemm"), string.Join(", ", operators));
    }

    // The form as it would be written if it were not refused, with quantized activations around it where it is static.
    private static Model Forced(Model model, string encoding)
    {
        var site = SiteFinder.Find(model).Single();
        Assert.IsNotNull(EncodingTable.Find(encoding).Refuses(site, model.Opset()));
        var node = site.SingleNode!;
        EncodingTable.Find(encoding).Write([new EncodedSite(site, RoundToNearest.Quantize(site.Tensor.ToFloats(), [.. site.Tensor.Shape], [.. site.ChannelAxes], 7))]);
        if (encoding != "qdq" || !node.IsInGraph) return model;
        var graph = model.Graph;
        Value scale = graph.AddInitializer("s", Tensor.Scalar(0.02f)), zero = graph.AddInitializer("z", Tensor.Scalar((byte)128));
        var input = graph.Insert(node, "QuantizeLinear", "q", [node.Input(0), scale, zero]);
        node.SetInput(0, graph.Insert(node, "DequantizeLinear", "d", [input.Output(0), scale, zero]).Output(0));
        var shown = node.Output(0)!;
        node.SetOutput(0, graph.NewValue("f"));
        var output = graph.Insert(null, "QuantizeLinear", "q", [node.Output(0), scale, zero]);
        graph.Insert(null, "DequantizeLinear", "d", [output.Output(0), scale, zero]).SetOutput(0, shown);
        return model;
    }

    private static void OptimizedBySession(Model model)
    {
        using var session = new CompressOnBuild.Runtime.Session(model, new CompressOnBuild.Runtime.SessionSettings("compressed"));
    }

    private static string[] Static(Model model) => OptimizedForm.Operators(EncodedCase.Of(model, "qdq", EncodedCase.Ranges(model, EncodedCase.Inputs(model)))!.Encoded);

    private static void Only(string[] operators, string kernel, params string[] allowed)
    {
        Assert.AreEqual(1, operators.Count(o => o == kernel), string.Join(", ", operators));
        Assert.IsEmpty(operators.Except([kernel, .. allowed]), string.Join(", ", operators));
    }
}
