using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;
using CompressOnBuild.Scaling;
using CompressOnBuild.Techniques.Scaling;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Scaling;

/// <summary>Where channels can be scaled: the scaled model computes the same, and what would change it is not touched.</summary>
[TestClass]
public class ChannelFlowTests
{
    private const int C = 6;
    private static readonly NodeAttribute s_pads = NodeAttribute.Ints("pads", 1, 1, 1, 1);

    /// <summary>x[2,3,8,8] -> Conv w1, b1 -> h; the pattern; a convolution w2 of what it gives -> y.</summary>
    private static ModelBuilder Between(Func<ModelBuilder, ModelBuilder> pattern, string last = "p", int channels = C) => pattern(new ModelBuilder().Input("x", 2, 3, 8, 8).Output("y", -1, -1, -1, -1)
        .Weight("w1", 1, 0.5f, C, 3, 3, 3).Weight("b1", 2, 0.5f, C).Node("Conv", ["x", "w1", "b1"], ["h"], s_pads))
        .Weight("w2", 3, 0.5f, 4, channels, 3, 3).Node("Conv", [last, "w2"], ["y"], s_pads);

    private static ModelBuilder Of(string pattern) => pattern switch
    {
        "straight" => Between(b => b, "h"),
        "relu" => Between(b => b.Node("Relu", ["h"], ["p"])),
        "leaky relu" => Between(b => b.Node("LeakyRelu", ["h"], ["p"], NodeAttribute.Float("alpha", 0.2f))),
        "prelu" => Between(b => b.Weight("slope", 4, 0.3f, C, 1, 1).Node("PRelu", ["h", "slope"], ["p"])),
        "clip from zero" => Between(b => b.Initializer("zero", Tensor.Scalar(0f)).Node("Clip", ["h", "zero"], ["p"])),
        "max pool" => Between(b => b.Node("MaxPool", ["h"], ["p"], NodeAttribute.Ints("kernel_shape", 2, 2))),
        "average pool" => Between(b => b.Node("AveragePool", ["h"], ["p"], NodeAttribute.Ints("kernel_shape", 2, 2))),
        "pad and resize" => Between(b => b.Initializer("pads", Tensor.Create(new long[] { 0, 0, 1, 1, 0, 0, 1, 1 }, 8)).Initializer("scales", [1, 1, 2, 2], 4)
            .Node("Pad", ["h", "pads"], ["q"]).Node("Resize", ["q", "", "scales"], ["p"], NodeAttribute.String("mode", "linear"))),
        "constant sum" => Between(b => b.Weight("s", 4, 0.5f, C, 1, 1).Node("Add", ["h", "s"], ["q"]).Node("Relu", ["q"], ["p"])),
        "constant factor" => Between(b => b.Weight("f", 4, 0.5f, C, 1, 1).Node("Mul", ["h", "f"], ["p"])),
        "gate" => Between(b => b.Weight("wg", 4, 0.5f, C, 3, 1, 1).Node("Conv", ["x", "wg"], ["g"]).Node("Sigmoid", ["g"], ["m"]).Node("Mul", ["h", "m"], ["p"])),
        "squeeze and excite" => Between(b => b.Weight("wg", 4, 0.5f, C, C, 1, 1).Node("Relu", ["h"], ["r"]).Node("GlobalAveragePool", ["r"], ["a"]).Node("Conv", ["a", "wg"], ["g"]).Node("Sigmoid", ["g"], ["m"]).Node("Mul", ["r", "m"], ["p"])),
        "concatenation" => Between(b => b.Weight("w3", 4, 0.5f, 2, 3, 3, 3).Node("Conv", ["x", "w3"], ["k"], s_pads).Node("Concat", ["k", "h", "x"], ["p"], NodeAttribute.Int("axis", 1)), channels: 2 + C + 3),
        "normalization" => Between(b => b.Weight("gamma", 4, 0.5f, C).Weight("beta", 5, 0.5f, C).Weight("mean", 6, 0.1f, C).Initializer("var", [.. Enumerable.Repeat(0.5f, C)], C).Node("Sigmoid", ["h"], ["q"])
            .Node("BatchNormalization", ["q", "gamma", "beta", "mean", "var"], ["p"])),
        _ => throw new ArgumentException(pattern),
    };

    [TestMethod]
    [DataRow("straight", 1), DataRow("relu", 1), DataRow("leaky relu", 1), DataRow("prelu", 1), DataRow("clip from zero", 1), DataRow("max pool", 1), DataRow("average pool", 1), DataRow("pad and resize", 1)]
    [DataRow("constant sum", 1), DataRow("constant factor", 1), DataRow("gate", 1), DataRow("squeeze and excite", 1), DataRow("concatenation", 1), DataRow("normalization", 1)]
    public void TheScaledModelComputesTheSame(string pattern, int places) => Check(Of(pattern).Build(), places);

    [TestMethod]
    public void ADepthwiseConvolutionEndsAndMakesChannels()
    {
        var model = Between(b => b.Weight("wd", 4, 0.5f, 2 * C, 1, 3, 3).Weight("bd", 5, 0.5f, 2 * C).Node("Relu", ["h"], ["r"]).Node("Conv", ["r", "wd", "bd"], ["d"], NodeAttribute.Int("group", C)).Node("Relu", ["d"], ["p"]), channels: 2 * C).Build();
        var places = Check(model, 2);
        Assert.AreEqual("w1:6 wd:12", string.Join(' ', places.Select(p => $"{p.Name}:{p.Count}")));
    }

    [TestMethod]
    public void OneChannelThatIsSpreadOverManyIsNone()
    {
        // A gate of one channel times values that cannot be scaled: no place between the gate and the layer that reads all of them.
        var model = new ModelBuilder().Input("x", 4, 8).Output("y", 4, 3).Weight("wg", 1, 0.5f, 8, 1).Weight("wv", 2, 0.5f, 8, C).Weight("wo", 3, 0.5f, C, 3).Node("MatMul", ["x", "wg"], ["s"]).Node("MatMul", ["x", "wv"], ["u"]).Node("Tanh", ["u"], ["v"])
            .Node("Mul", ["s", "v"], ["p"]).Node("MatMul", ["p", "wo"], ["y"]).Build();
        Assert.IsEmpty(ScaledModel.Places(model, Shapes(model)));
    }

    [TestMethod]
    public void AScalarBiasIsNoChannels()
    {
        var model = new ModelBuilder().Input("x", 4, 8).Output("y", 4, 1).Weight("w1", 1, 0.5f, 8, C).Weight("w2", 2, 0.5f, C, 1).Initializer("c", Tensor.Scalar(0.5f)).Node("Gemm", ["x", "w1"], ["h"]).Node("Relu", ["h"], ["r"]).Node("Gemm", ["r", "w2", "c"], ["y"]).Build();
        Assert.HasCount(1, ScaledModel.Places(model, Shapes(model)));
    }

    [TestMethod]
    public void TheOrderOfTheDecisionsDoesNotChangeABit()
    {
        // Two layers share a bias: who keeps its name is decided by the graph, and a lock file has another order.
        var model = new ModelBuilder().Input("x", 2, 3, 8, 8).Output("y", -1, -1, -1, -1).Weight("w2", 1, 0.5f, C, 3, 1, 1).Weight("w10", 2, 0.5f, C, C, 1, 1).Weight("b", 3, 0.5f, C).Weight("w3", 4, 0.5f, 2, C, 1, 1)
            .Node("Conv", ["x", "w2", "b"], ["h"]).Node("Relu", ["h"], ["r"]).Node("Conv", ["r", "w10", "b"], ["g"]).Node("Relu", ["g"], ["q"]).Node("Conv", ["q", "w3"], ["y"]).Build();
        var places = ScaledModel.Places(model, Shapes(model));
        ScaleDecision[] decisions = [.. places.Select(p => new ScaleDecision(p.Name, [.. Enumerable.Range(1, p.Count)]))];
        Assert.HasCount(2, decisions);
        CollectionAssert.AreEqual(OnnxWriter.ToBytes(ScaledModel.Apply(model, Shapes(model), decisions).Model!), OnnxWriter.ToBytes(ScaledModel.Apply(model, Shapes(model), [.. decisions.Reverse()]).Model!));
    }

    [TestMethod]
    public void AConvolutionOfGroupsEndsAndMakesChannels() =>
        Check(Between(b => b.Weight("wd", 4, 0.5f, 8, C / 2, 3, 3).Node("Relu", ["h"], ["r"]).Node("Conv", ["r", "wd"], ["p"], NodeAttribute.Int("group", 2)), channels: 8).Build(), 2);

    [TestMethod]
    [DataRow(1), DataRow(2)]
    public void ATransposedConvolutionEndsAndMakesChannels(int group) =>
        Check(Between(b => b.Weight("wt", 4, 0.5f, C, 8 / group, 2, 2).Weight("bt", 5, 0.5f, 8).Node("Relu", ["h"], ["r"]).Node("ConvTranspose", ["r", "wt", "bt"], ["p"], NodeAttribute.Int("group", group)), channels: 8).Build(), 2);

    [TestMethod]
    public void ASumSharesItsFactors()
    {
        var model = Between(b => b.Weight("w3", 4, 0.5f, C, C, 3, 3).Node("Relu", ["h"], ["r"]).Node("Conv", ["r", "w3"], ["k"], s_pads).Node("Add", ["r", "k"], ["q"]).Node("Relu", ["q"], ["p"])).Build();
        var place = Check(model, 1)[0];
        Assert.AreEqual("w1 b1 w3", string.Join(' ', place.Producers.Select(s => s.Node.Input(s.Input))));
        Assert.AreEqual("w3 w2", string.Join(' ', place.Consumers.Select(s => s.Node.Input(s.Input))));
    }

    [TestMethod]
    public void MatricesAndAFlattenedPicture()
    {
        var model = new ModelBuilder().Input("x", 2, 3, 8, 8).Output("y", 2, 5).Weight("w1", 1, 0.5f, C, 3, 3, 3).Weight("w2", 2, 0.2f, C * 64, 7).Weight("b2", 3, 0.5f, 1, 7).Weight("w3", 4, 0.5f, 4, 7).Weight("w4", 5, 0.5f, 4, 5).Weight("b4", 6, 0.5f, 5)
            .Node("Conv", ["x", "w1"], ["h"], s_pads).Node("Relu", ["h"], ["r"]).Node("Flatten", ["r"], ["f"]).Node("Gemm", ["f", "w2", "b2"], ["g"], NodeAttribute.Float("beta", 0.5f)).Node("Relu", ["g"], ["r2"])
            .Node("Gemm", ["r2", "w3"], ["m"], NodeAttribute.Int("transB", 1)).Node("MatMul", ["m", "w4"], ["n"]).Node("Add", ["n", "b4"], ["y"]).Build();
        Assert.AreEqual("w1:6 w2:7 w3:4", string.Join(' ', Check(model, 3).Select(p => $"{p.Name}:{p.Count}")));
    }

    [TestMethod]
    public void ALayerNormalizationFeedsMatricesAndAnLstm()
    {
        var model = new ModelBuilder().Input("x", 4, 2, C).Output("y", 4, 2, 5).Output("z", 4, 1, 2, 3).Weight("gamma", 1, 0.5f, C).Weight("beta", 2, 0.5f, C).Weight("w", 3, 0.5f, C, 5).Weight("lw", 4, 0.5f, 1, 12, C).Weight("lr", 5, 0.5f, 1, 12, 3)
            .Node("LayerNormalization", ["x", "gamma", "beta"], ["h"]).Node("MatMul", ["h", "w"], ["y"]).Node("LSTM", ["h", "lw", "lr"], ["z"], NodeAttribute.Int("hidden_size", 3)).Build();
        Check(model, 1);
    }

    [TestMethod]
    public void AWrittenOutLayerNormalizationEndsInAFactorThatCanBeScaled()
    {
        var model = new ModelBuilder().Input("x", 4, C).Output("y", 4, 5).Weight("w0", 9, 0.5f, C, C).Weight("gamma", 1, 0.5f, C).Weight("beta", 2, 0.5f, C).Weight("w", 3, 0.5f, C, 5).Initializer("e", [1e-5f], 1)
            .Node("MatMul", ["x", "w0"], ["h"]).Node("ReduceMean", ["h"], ["mean"], NodeAttribute.Ints("axes", -1)).Node("Sub", ["h", "mean"], ["c"]).Node("Mul", ["c", "c"], ["sq"]).Node("ReduceMean", ["sq"], ["v"], NodeAttribute.Ints("axes", -1))
            .Node("Add", ["v", "e"], ["ve"]).Node("Sqrt", ["ve"], ["sd"]).Node("Div", ["c", "sd"], ["n"]).Node("Mul", ["n", "gamma"], ["g"]).Node("Add", ["g", "beta"], ["p"]).Node("MatMul", ["p", "w"], ["y"]).Build();
        Assert.AreEqual("gamma", Check(model, 1)[0].Name);
    }

    [TestMethod]
    public void ABiasThatTwoLayersReadIsScaledForEachOnItsOwn() => Check(Between(b => b.Weight("w3", 4, 0.5f, C, C, 3, 3).Node("Relu", ["h"], ["r"]).Node("Conv", ["r", "w3", "b1"], ["k"], s_pads).Node("Relu", ["k"], ["p"])).Build(), 2);

    [TestMethod]
    [DataRow("sigmoid"), DataRow("clip to six"), DataRow("output"), DataRow("tied"), DataRow("square"), DataRow("unknown sum"), DataRow("body"), DataRow("padded with ones"), DataRow("softmax")]
    public void WhatWouldChangeTheModelIsNotTouched(string pattern)
    {
        var model = (pattern switch
        {
            "sigmoid" => Between(b => b.Node("Sigmoid", ["h"], ["p"])),
            "clip to six" => Between(b => b.Initializer("zero", Tensor.Scalar(0f)).Initializer("six", Tensor.Scalar(6f)).Node("Clip", ["h", "zero", "six"], ["p"])),
            "output" => Between(b => b.Output("h", -1, -1, -1, -1), "h"),
            "tied" => Between(b => b.Node("Conv", ["x", "w1"], ["again"], s_pads).Output("again", -1, -1, -1, -1), "h"),
            "square" => Between(b => b.Node("Mul", ["h", "h"], ["p"])),
            "unknown sum" => Between(b => b.Input("u", 2, C, 8, 8).Node("Add", ["h", "u"], ["p"])),
            "body" => Between(b => b.Input("c", ElementType.Bool).NodeWithBodies("If", ["c"], ["p"], ("then_branch", new ModelBuilder().Output("t", -1, -1, -1, -1).Node("Relu", ["h"], ["t"])), ("else_branch", new ModelBuilder().Output("e", -1, -1, -1, -1).Node("Neg", ["h"], ["e"])))),
            "padded with ones" => Between(b => b.Initializer("pads", Tensor.Create(new long[] { 0, 0, 1, 1, 0, 0, 1, 1 }, 8)).Initializer("one", Tensor.Scalar(1f)).Node("Pad", ["h", "pads", "one"], ["p"])),
            _ => Between(b => b.Node("Softmax", ["h"], ["p"], NodeAttribute.Int("axis", 1))),
        }).Build();
        Assert.IsEmpty(ScaledModel.Places(model, Shapes(model)));
    }

    /// <summary>Every place is scaled by factors from 1/8 to 8; the outputs stay within float rounding, and the constants that were to move did.</summary>
    private static IReadOnlyList<ScalePlace> Check(Model model, int count)
    {
        var shapes = Shapes(model);
        var places = ScaledModel.Places(model, shapes);
        Assert.HasCount(count, places);
        var random = new Random(11);
        ScaleDecision[] decisions = [.. places.Select(p => new ScaleDecision(p.Name, [.. Enumerable.Range(0, p.Count).Select(_ => random.Next(-24, 25))]))];
        var scaled = ScaledModel.Apply(model, shapes, decisions).Model!;
        Tensor[] expected = Run(model), actual = Run(scaled);
        Assert.IsGreaterThan(110, Fidelity.WorstOutput([expected], [actual]));
        foreach (var slot in places.SelectMany(p => p.Producers.Concat(p.Consumers)))
        {
            var twin = scaled.Graph.Nodes.Single(n => n.Name == slot.Node.Name).Input(slot.Input)!.Constant!.ToFloats();
            CollectionAssert.AreNotEqual(slot.Tensor.ToFloats(), twin, slot.Node.Input(slot.Input)!.Name);
        }
        CollectionAssert.AreEqual(OnnxWriter.ToBytes(scaled), OnnxWriter.ToBytes(ScaledModel.Apply(model, shapes, decisions).Model!), "the same again");
        Assert.IsNull(ScaledModel.Apply(model, shapes, [new("nobody", [1])]).Model);
        Assert.IsNull(ScaledModel.Apply(model, shapes, [decisions[0] with { Steps = [1] }]).Model);
        return places;
    }

    private static Tensor[] Run(Model model)
    {
        using var session = new Session(model, new SessionSettings("test"));
        return session.Run(Inputs(model));
    }

    private static Dictionary<string, Tensor> Inputs(Model model) => model.Graph.Inputs.ToDictionary(i => i.Name,
        i => i.ElementType == ElementType.Bool ? Tensor.Scalar(true) : ModelBuilder.Random(5, 1, [.. i.Info!.Type.TensorType.Shape.Dim.Select(d => d.DimValue)]), StringComparer.Ordinal);

    private static Statistics Shapes(Model model) => Calibrator.Run(model, [Inputs(model)], new CalibrationRequest { Values = [.. model.Graph.Inputs.Concat(model.Graph.Nodes.SelectMany(n => n.Outputs).OfType<Value>()).Select(v => v.Name)] }, CancellationToken.None);

    [TestMethod]
    public void EqualizationMakesTheRangesOfBothSidesEqualThroughADepthwiseConvolution()
    {
        var model = Between(b => b.Weight("wd", 4, 0.05f, C, 1, 3, 3).Node("Relu", ["h"], ["r"]).Node("Conv", ["r", "wd"], ["d"], NodeAttribute.Int("group", C)).Node("Relu", ["d"], ["p"])).Build();
        var places = ScaledModel.Places(model, Shapes(model));
        var steps = Equalization.Steps(places);
        var constants = new ScaledConstants();
        foreach (var (place, s) in places.Zip(steps)) constants.Scale(place, [.. s.Select(ScaleSteps.Factor)]);
        foreach (var place in places)
        {
            var made = place.Producers.Single(s => s.IsWeight);
            double[] r1 = made.Largest(constants.Of(made), place.Count), r2 = place.Consumers[0].Largest(constants.Of(place.Consumers[0]), place.Count);
            // Steps of an eighth of an octave, of which four meet.
            foreach (var (a, b) in r1.Zip(r2)) Assert.IsLessThan(0.26, Math.Abs(Math.Log2(a / b)));
        }
    }
}
