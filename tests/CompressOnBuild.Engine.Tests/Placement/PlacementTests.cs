using CompressOnBuild.Encodings;
using CompressOnBuild.Engine.Tests.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Placement;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Placement;

/// <summary>Which activations are quantized around integer convolutions, and what is written.</summary>
[TestClass]
public class PlacementTests
{
    private static ModelBuilder Picture() => new ModelBuilder().Input("x", 1, 4, 8, 8).Output("y", 1, 4, 8, 8).Weight("w1", 1, 1, 4, 4, 1, 1).Weight("w2", 2, 1, 4, 4, 1, 1).Weight("w3", 3, 1, 4, 4, 1, 1);

    [TestMethod]
    [DataRow("Relu"), DataRow("Clip")]
    public void OnlyTheValueBehindAnAbsorbedActivationIsQuantized(string activation)
    {
        var model = Picture().Initializer("lo", Tensor.Scalar(0f)).Initializer("hi", Tensor.Scalar(6f)).Node("Conv", ["x", "w1"], ["c"])
            .Node(activation, activation == "Clip" ? ["c", "lo", "hi"] : ["c"], ["r"]).Node("Conv", ["r", "w2"], ["y"]).Build();
        CollectionAssert.AreEqual(new[] { "x", "r", "y" }, Names(model));
        Assert.AreEqual(activation, Region(model).Values.Single(v => v.Value.Name == "r").Activation!.OpType);
    }

    [TestMethod]
    public void AnActivationIsNotAbsorbedWhenSomebodyElseReadsTheConvolution()
    {
        var model = Picture().Output("t", 1, 4, 8, 8).Node("Conv", ["x", "w1"], ["c"]).Node("Relu", ["c"], ["r"]).Node("Tanh", ["c"], ["t"]).Node("Conv", ["r", "w2"], ["y"]).Build();
        CollectionAssert.AreEqual(new[] { "x", "c", "r", "y" }, Names(model));
        Check(model);
    }

    [TestMethod]
    public void AnAddJoinsOnlyWhenBothSidesComeQuantized()
    {
        var both = Picture().Node("Conv", ["x", "w1"], ["a"]).Node("Conv", ["a", "w2"], ["b"]).Node("Add", ["a", "b"], ["s"]).Node("Conv", ["s", "w3"], ["y"]).Build();
        Assert.Contains("Add", Region(both).Integers.Select(n => n.OpType));
        CollectionAssert.AreEqual(new[] { "x", "a", "b", "s", "y" }, Names(both));
        Check(both);
        var one = Picture().Node("Tanh", ["x"], ["a"]).Node("Conv", ["a", "w2"], ["b"]).Node("Add", ["a", "b"], ["s"]).Node("Conv", ["s", "w3"], ["y"]).Build();
        Assert.DoesNotContain("Add", Region(one).Integers.Select(n => n.OpType));
        Check(one);
    }

    [TestMethod]
    public void NobodyJoinsWithoutAnIntegerReader()
    {
        var model = Picture().Node("Conv", ["x", "w1"], ["a"]).Node("Conv", ["a", "w2"], ["b"]).Node("Add", ["a", "b"], ["s"]).Node("Relu", ["s"], ["r"])
            .Node("MaxPool", ["r"], ["m"], NodeAttribute.Ints("kernel_shape", 1, 1)).Node("Tanh", ["m"], ["y"]).Build();
        Assert.IsTrue(Region(model).Integers.All(n => n.OpType == "Conv"));
        CollectionAssert.AreEqual(new[] { "x", "a", "b" }, Names(model));
        Check(model);
    }

    [TestMethod]
    public void WithoutJoiningEverythingBetweenStaysFloat()
    {
        var model = Picture().Node("Conv", ["x", "w1"], ["a"]).Node("MaxPool", ["a"], ["m"], NodeAttribute.Ints("kernel_shape", 1, 1)).Node("Conv", ["m", "w2"], ["y"]).Build();
        Assert.HasCount(3, Region(model).Integers);
        Assert.HasCount(2, Region(model, join: false).Integers);
    }

    [TestMethod]
    public void MaxPoolSharesTheParametersOfItsInput()
    {
        var model = Picture().Node("Conv", ["x", "w1"], ["a"]).Node("MaxPool", ["a"], ["m"], NodeAttribute.Ints("kernel_shape", 3, 3), NodeAttribute.Ints("pads", 1, 1, 1, 1)).Node("Conv", ["m", "w2"], ["y"]).Build();
        Assert.AreEqual("a", Region(model).Values.Single(v => v.Value.Name == "m").Source!.Name);
        var written = Written(model);
        string[] Scale(string name) => [.. written.AllNodes().Where(n => n.Is("QuantizeLinear") && n.Input(0)!.Name == name).Select(n => n.Input(1)!.Name)];
        CollectionAssert.AreEqual(Scale("a"), Scale("m"));
        Check(model);
    }

    [TestMethod]
    public void FloatReadersOfAFloatValueKeepIt()
    {
        var model = Picture().Output("t", 1, 4, 8, 8).Node("Tanh", ["x"], ["f"]).Node("Sin", ["f"], ["t"]).Node("Conv", ["f", "w1"], ["y"]).Build();
        var written = Written(model);
        Assert.AreEqual("f", written.AllNodes().Single(n => n.Is("Sin")).Input(0)!.Name);
        Assert.IsTrue(written.AllNodes().Single(n => n.Is("Conv")).Input(0)!.Producer!.Is("DequantizeLinear"));
        Check(model);
    }

    [TestMethod]
    public void EveryReaderOfAnIntegerValueReadsItDequantized()
    {
        var model = Picture().Output("t", 1, 4, 8, 8).Node("Conv", ["x", "w1"], ["a"]).Node("Sin", ["a"], ["t"]).Node("Conv", ["a", "w2"], ["y"]).Build();
        var written = Written(model);
        Assert.IsTrue(written.AllNodes().Single(n => n.Is("Sin")).Input(0)!.Producer!.Is("DequantizeLinear"));
        Assert.AreEqual("QuantizeLinear", written.AllNodes().First(n => n.Is("Conv")).Output(0)!.Uses.Single().Node.OpType);
        Check(model);
    }

    [TestMethod]
    public void OutputsKeepNamesTypesAndOrderAlsoWhenReadInside()
    {
        var model = Picture().Output("mid", 1, 4, 8, 8).Node("Conv", ["x", "w1"], ["mid"]).Node("Conv", ["mid", "w2"], ["y"]).Build();
        var written = OnnxReader.Read(OnnxWriter.ToBytes(Written(model)));
        CollectionAssert.AreEqual(new[] { "y", "mid" }, written.Graph.Outputs.Select(o => o.Name).ToArray());
        Assert.IsTrue(written.Graph.Outputs.All(o => o.Producer!.Is("DequantizeLinear")));
        Assert.AreEqual("x", written.Graph.Inputs.Single().Name);
        Assert.HasCount(2, OptimizedForm.Operators(written).Where(o => o == "QLinearConv").ToArray());
        Check(model);
    }

    [TestMethod]
    public void ABodyReadsTheDequantizedValue()
    {
        var left = new ModelBuilder().Output("l", 1, 4, 8, 8).Node("Sin", ["a"], ["l"]);
        var right = new ModelBuilder().Output("r", 1, 4, 8, 8).Node("Cos", ["a"], ["r"]);
        var model = Picture().Input("flag", ElementType.Bool).Output("t", 1, 4, 8, 8).Node("Conv", ["x", "w1"], ["a"]).NodeWithBodies("If", ["flag"], ["t"], ("then_branch", left), ("else_branch", right))
            .Node("Conv", ["a", "w2"], ["y"]).Build();
        Assert.HasCount(2, OptimizedForm.Operators(Written(model)).Where(o => o == "QLinearConv").ToArray());
        Check(model);
    }

    [TestMethod]
    public void AProductReadByAnotherIsQuantizedBetweenThem()
    {
        var model = new ModelBuilder().Input("x", 3, 16).Output("y", 3, 16).Weight("w1", 1, 1, 16, 16).Weight("b", 2, 1, 16).Weight("w2", 3, 1, 16, 16)
            .Node("Gemm", ["x", "w1", "b"], ["g"]).Node("Relu", ["g"], ["r"]).Node("Gemm", ["r", "w2", "b"], ["y"], NodeAttribute.Int("transB", 1)).Build();
        var operators = OptimizedForm.Operators(Written(model));
        Assert.AreEqual(2, operators.Count(o => o == "MatMulIntegerToFloat"), string.Join(", ", operators));
        Check(model);
    }

    private static QuantizedRegion Region(Model model, bool join = true) => QuantizedRegion.Find(model.Graph,
        SiteFinder.Find(model).Where(s => EncodingTable.Static.Refuses(s, model.Opset()) is null).SelectMany(s => s.Uses.Select(u => u.Node)).ToHashSet(), join);

    private static string[] Names(Model model) => [.. Region(model).Values.Select(v => v.Value.Name)];

    private static Model Written(Model model) => EncodedCase.Of(model, "qdq", EncodedCase.Ranges(model, EncodedCase.Inputs(model)))!.Encoded;

    // The quantized model says what the float model says but for the noise of 8-bit activations, with and without optimizations.
    private static void Check(Model model)
    {
        var inputs = EncodedCase.Inputs(model);
        var encoded = EncodedCase.Of(model, "qdq", EncodedCase.Ranges(model, inputs))!;
        var expected = EncodedCase.Run(encoded.Reference, inputs, optimize: false);
        foreach (var optimize in new[] { false, true })
            foreach (var (e, a) in expected.Zip(EncodedCase.Run(encoded.Encoded, inputs, optimize))) EncodedCase.Near(e, a, 0.03 * EncodedCase.Largest(e), $"optimized: {optimize}");
    }
}
