using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Rewrites.Opsets;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites.Opsets;

[TestClass]
public class OpsetConversionTests
{
    [TestMethod]
    [DataRow("Softmax", 1L), DataRow("Softmax", 2L), DataRow("Softmax", 3L), DataRow("LogSoftmax", 0L), DataRow("Hardmax", 1L)]
    public void SoftmaxStillNormalizesOverAllLaterAxes(string op, long axis)
    {
        foreach (var dynamic in new[] { false, true })
            Same(new ModelBuilder(9, 4).Input("x", dynamic ? [-1, 3, 4, 2] : [2, 3, 4, 2]).Output("y", -1, -2, -3, -4).Node(op, ["x"], ["y"], NodeAttribute.Int("axis", axis)));
    }

    [TestMethod]
    public void SoftmaxOfUnknownRankStillNormalizesOverAllLaterAxes()
    {
        var b = new ModelBuilder(9, 4).Input("x", 2, 3, 4).Input("s", ElementType.Int64, -1).Output("y").Node("Reshape", ["x", "s"], ["r"]).Node("Softmax", ["r"], ["y"]);
        b.Proto.Graph.Output[0].Type.TensorType.Shape = null;
        Same(b, new() { ["s"] = Tensor.Create([4L, 3, 2], 3) });
    }

    [TestMethod]
    public void SoftmaxOverTheLastAxisStaysOneNode()
    {
        Assert.HasCount(1, Same(new ModelBuilder(9, 4).Input("x", -1, 5).Output("y", -1, 5).Node("Softmax", ["x"], ["y"])).AllNodes().ToArray());
        Assert.HasCount(1, Same(new ModelBuilder(9, 4).Input("x", -1, 5, 1, 1).Output("y", -1, 5, 1, 1).Node("Softmax", ["x"], ["y"])).AllNodes().ToArray());
        Assert.HasCount(1, Same(new ModelBuilder(11, 6).Input("x", -1, 5, 6).Output("y", -1, 5, 6).Node("Softmax", ["x"], ["y"], NodeAttribute.Int("axis", -1))).AllNodes().ToArray());
    }

    [TestMethod]
    [DataRow(7, "nearest", 2f), DataRow(7, "linear", 2f), DataRow(9, "nearest", 3f), DataRow(9, "linear", 1.5f), DataRow(7, "nearest", 1.7f)]
    public void UpsampleBecomesResize(int opset, string mode, float scale)
    {
        var b = new ModelBuilder(opset, 4).Input("x", 1, 2, 4, 5).Output("y", -1, -2, -3, -4);
        if (opset == 7) b.Node("Upsample", ["x"], ["y"], NodeAttribute.String("mode", mode), Floats("scales", 1, 1, scale, scale));
        else b.Initializer("s", [1, 1, scale, scale], 4).Node("Upsample", ["x", "s"], ["y"], NodeAttribute.String("mode", mode));
        Same(b);
    }

    [TestMethod]
    [DataRow("nearest", 0.5f), DataRow("nearest", 0.6f), DataRow("nearest", 2.4f), DataRow("linear", 0.7f), DataRow("linear", 2f)]
    public void ResizeKeepsItsCoordinates(string mode, float scale) => Same(
        new ModelBuilder(10, 5).Input("x", 1, 1, 7, 9).Output("y", -1, -2, -3, -4).Initializer("s", [1, 1, scale, scale], 4).Node("Resize", ["x", "s"], ["y"], NodeAttribute.String("mode", mode)));

    [TestMethod]
    public void ResizeThatOnlyAnOldRuntimeRuleExplainsIsRefused()
    {
        Refused(new ModelBuilder(10, 5).Input("x", 1, 1, 7, 9).Output("y", -1, -2, -3, -4).Initializer("s", [1, 1, 2, 0.5f], 4).Node("Resize", ["x", "s"], ["y"]), "enlarges one axis");
        Refused(new ModelBuilder(10, 5).Input("x", 1, 1, 7, 9).Input("s", 4).Output("y", -1, -2, -3, -4).Node("Resize", ["x", "s"], ["y"]), "run time");
        Refused(new ModelBuilder(11, 6).Input("x", 1, 1, 7, 9).Output("y", -1, -2, -3, -4).Initializer("r", [], 0).Initializer("s", [1, 1, 2, 2], 4)
            .Node("Resize", ["x", "r", "s"], ["y"], NodeAttribute.String("coordinate_transformation_mode", "tf_half_pixel_for_nn")), "tf_half_pixel_for_nn");
    }

    [TestMethod]
    public void AttributesThatBecameInputs()
    {
        Same(new ModelBuilder(9, 4).Input("x", 4, 6).Output("y", -1, -2).Node("Slice", ["x"], ["y"], NodeAttribute.Ints("starts", 1, -5), NodeAttribute.Ints("ends", 100, -1), NodeAttribute.Ints("axes", 0, 1)));
        Same(new ModelBuilder(9, 4).Input("x", 4, 6).Output("y", -1, -2).Node("Slice", ["x"], ["y"], NodeAttribute.Ints("starts", 1), NodeAttribute.Ints("ends", 3)));
        Same(new ModelBuilder(9, 4).Input("x", 4, 6).Output("y", 4, 2).Output("i", ElementType.Int64, 4, 2).Node("TopK", ["x"], ["y", "i"], NodeAttribute.Int("k", 2)));
        Same(new ModelBuilder(9, 4).Input("x", 4, 1, 6).Output("y", 4, 6).Node("Squeeze", ["x"], ["y"], NodeAttribute.Ints("axes", 1)));
        Same(new ModelBuilder(9, 4).Input("x", 4, 1, 6).Output("y", 4, 6).Node("Squeeze", ["x"], ["y"]));
        Same(new ModelBuilder(9, 4).Input("x", 4, 6).Output("y", 1, 4, 1, 6).Node("Unsqueeze", ["x"], ["y"], NodeAttribute.Ints("axes", 0, 2)));
        Same(new ModelBuilder(11, 6).Input("x", 4, 6).Output("y", 4).Node("ReduceSum", ["x"], ["y"], NodeAttribute.Ints("axes", -1), NodeAttribute.Int("keepdims", 0)));
        Same(new ModelBuilder(9, 4).Input("x", 4, 6).Output("y", 1, 1).Node("ReduceSum", ["x"], ["y"]));
        Same(new ModelBuilder(9, 4).Input("x", 4, 6).Output("y", 4, 1).Output("z", 4, 5).Node("Split", ["x"], ["y", "z"], NodeAttribute.Int("axis", 1), NodeAttribute.Ints("split", 1, 5)));
        Same(new ModelBuilder(9, 4).Input("x", 4, 6).Output("y", 4, 3).Output("z", 4, 3).Node("Split", ["x"], ["y", "z"], NodeAttribute.Int("axis", 1)));
    }

    [TestMethod]
    [DataRow("constant", 0f), DataRow("constant", 1.5f), DataRow("reflect", 0f), DataRow("edge", 0f)]
    public void PadsBecameAnInput(string mode, float value) => Same(
        new ModelBuilder(9, 4).Input("x", 4, 6).Output("y", -1, -2).Node("Pad", ["x"], ["y"], NodeAttribute.String("mode", mode), NodeAttribute.Ints("pads", 1, 0, 2, 3), NodeAttribute.Float("value", value)));

    [TestMethod]
    public void BoundsOfClipBecameInputsOfTheDatasType()
    {
        Same(new ModelBuilder(9, 4).Input("x", 4).Output("y", 4).Node("Neg", ["x"], ["n"]).Node("Clip", ["n"], ["y"], NodeAttribute.Float("min", -0.3f), NodeAttribute.Float("max", 0.4f)));
        Same(new ModelBuilder(9, 4).Input("x", 4).Output("y", 4).Node("Clip", ["x"], ["y"], NodeAttribute.Float("max", 0.1f)));
        Same(new ModelBuilder(9, 4).Input("x", 4).Output("y", 4).Node("Clip", ["x"], ["y"]));
        Same(new ModelBuilder(9, 4).Input("x", 4).Output("y", ElementType.Double, 4).Node("Cast", ["x"], ["c"], NodeAttribute.Int("to", 11)).Node("Exp", ["c"], ["e"])
            .Node("Identity", ["e"], ["y"]).Node("Clip", ["x"], ["z"], NodeAttribute.Float("min", 0)).Output("z", 4));
    }

    [TestMethod]
    public void BatchNormalizationDropoutAndScatterOfOldSets()
    {
        var b = new ModelBuilder(7, 3).Input("x", 1, 2, 3).Input("i", ElementType.Int64, 1, 1, 1).Output("y", 1, 2, 3);
        foreach (var name in new[] { "s", "b", "m", "v" }) b.Input(name, 2).Initializer(name, [0.5f, 1.5f], 2);
        Same(b.Node("BatchNormalization", ["x", "s", "b", "m", "v"], ["n"], NodeAttribute.Int("spatial", 1)).Node("Dropout", ["n"], ["y"], NodeAttribute.Float("ratio", 0.3f)));
        Same(new ModelBuilder(9, 4).Input("x", 2, 3).Input("i", ElementType.Int64, 1, 3).Input("u", 1, 3).Output("y", 2, 3).Node("Scatter", ["x", "i", "u"], ["y"]));
        Same(new ModelBuilder(10, 5).Input("x", 4).Output("y", 4).Node("Dropout", ["x"], ["y"]));
    }

    [TestMethod]
    public void WhatASetTookAwayIsRefused()
    {
        var b = new ModelBuilder(7, 3).Input("x", 1, 2, 3).Output("y", 1, 2, 3);
        foreach (var name in new[] { "s", "b", "m", "v" }) b.Initializer(name, [0.5f, 1.5f], 2);
        Refused(b.Node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], NodeAttribute.Int("spatial", 0)), "spatial");
        Refused(new ModelBuilder(9, 4).Input("x", 4).Output("y", 4).Output("k", 4).Node("Dropout", ["x"], ["y", "k"]), "mask");
        Refused(new ModelBuilder(8, 3).Input("x", 4).Output("y", 4).Node("Scan", ["x"], ["y"]), "batches");
        Refused(new ModelBuilder(9, 4).Input("x", 4).Output("y", 4).Node("ATen", ["x"], ["y"]), "ATen 'y_node' is not known");
    }

    [TestMethod]
    public void AModelWithFunctionsIsRefused()
    {
        var b = new ModelBuilder(9, 8).Input("x", 4).Output("y", 4).NodeIn("mine", "F", ["x"], ["y"]).Import("mine", 1);
        b.Proto.Functions.Add(new FunctionProto
        {
            Name = "F", Domain = "mine", Input = { "a" }, Output = { "b" }, Node = { new NodeProto { OpType = "Relu", Input = { "a" }, Output = { "b" } } },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 9 } },
        });
        Refused(b, "function 'F'");
    }

    [TestMethod]
    public void BodiesAreConvertedToo()
    {
        var then = new ModelBuilder().Output("t", 1, 4).Node("Unsqueeze", ["x"], ["t"], NodeAttribute.Ints("axes", 0));
        var otherwise = new ModelBuilder().Output("e", 1, 4).Node("Neg", ["x"], ["n"]).Node("Unsqueeze", ["n"], ["e"], NodeAttribute.Ints("axes", 0));
        Same(new ModelBuilder(11, 6).Input("x", 4).Input("if", ElementType.Bool).Output("y", 1, 4).NodeWithBodies("If", ["if"], ["y"], ("then_branch", then), ("else_branch", otherwise)));
    }

    [TestMethod]
    public void AModelThatIsNewEnoughIsLeftAlone()
    {
        var model = new ModelBuilder(17).Input("x", 4).Output("y", 4).Node("Softmax", ["x"], ["y"]).Build();
        Assert.AreSame(model, OpsetConversion.Raise(model, 13).Model);
    }

    [TestMethod, ZooCondition]
    [DataRow("mnist-8", new long[] { }), DataRow("mobilenetv2", new[] { 1L }), DataRow("ocr-cls", new[] { 2L, 3, 48, 96 }), DataRow("ocr-rec", new[] { 2L, 3, 48, 160 })]
    [DataRow("dtln-1", new long[] { }), DataRow("dtln-2", new long[] { })]
    public void RealModelsStayWhatTheyWere(string name, long[] dynamic)
    {
        var model = ZooModels.Load(name);
        var raised = OpsetConversion.Raise(model, 13);
        Assert.IsNull(raised.Refusal);
        Assert.AreEqual(13, raised.Model!.Opset());
        Equivalence.Holds(model, raised.Model, 1e-5, dynamic);
        StandardRewrites.Run(raised.Model, Constants.Evaluate);
        Equivalence.Holds(model, raised.Model, 1e-4, dynamic);
    }

    private static NodeAttribute Floats(string name, params float[] values)
    {
        var proto = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Floats };
        proto.Floats.AddRange(values);
        return new NodeAttribute(proto);
    }

    private static Model Same(ModelBuilder builder, Dictionary<string, Tensor>? given = null)
    {
        var model = builder.Build();
        var before = OnnxWriter.ToBytes(model);
        var raised = OpsetConversion.Raise(model, 13);
        Assert.IsNull(raised.Refusal);
        CollectionAssert.AreEqual(before, OnnxWriter.ToBytes(model));
        Assert.AreEqual(13, raised.Model!.Opset());
        Equivalence.Holds(model, raised.Model, 1e-6, given: given);
        return raised.Model;
    }

    private static void Refused(ModelBuilder builder, string reason)
    {
        var raised = OpsetConversion.Raise(builder.Build(), 13);
        Assert.IsNull(raised.Model);
        StringAssert.Contains(raised.Refusal, reason);
    }
}
