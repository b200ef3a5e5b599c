using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class BatchNormalizationFoldingTests
{
    [TestMethod]
    [DataRow(1, true), DataRow(1, false), DataRow(2, true), DataRow(4, false)]
    public void FoldsIntoConv(int group, bool bias)
    {
        var b = new ModelBuilder().Input("x", -1, 4, 6, 6).Output("y", -1, 8, -2, -3).Weight("w", 1, 0.5f, 8, 4 / group, 3, 3);
        if (bias) b.Weight("b", 2, 1, 8);
        b.Node("Conv", bias ? ["x", "w", "b"] : ["x", "w"], ["c"], NodeAttribute.Int("group", group), NodeAttribute.Ints("pads", 1, 1, 1, 1));
        Folds(Norm(b, "c", "y", 8).Build(), "Conv");
    }

    [TestMethod]
    [DataRow(1), DataRow(2)]
    public void FoldsIntoConvTranspose(int group)
    {
        var b = new ModelBuilder().Input("x", 1, 4, 5).Output("y", 1, 6, -2).Weight("w", 1, 0.5f, 4, 6 / group, 3)
            .Node("ConvTranspose", ["x", "w"], ["c"], NodeAttribute.Int("group", group), NodeAttribute.Ints("strides", 2));
        Folds(Norm(b, "c", "y", 6).Build(), "ConvTranspose");
    }

    [TestMethod]
    [DataRow(0, "row"), DataRow(1, "row"), DataRow(0, "one"), DataRow(1, "none"), DataRow(0, "matrix")]
    public void FoldsIntoGemm(int transposed, string c)
    {
        var b = new ModelBuilder().Input("x", -1, 5).Output("y", -1, 3);
        if (transposed == 1) b.Weight("w", 1, 0.5f, 3, 5);
        else b.Weight("w", 1, 0.5f, 5, 3);
        if (c == "row") b.Weight("b", 2, 1, 3);
        if (c == "one") b.Initializer("b", Tensor.Scalar(0.3f));
        if (c == "matrix") b.Weight("b", 2, 1, 1, 3);
        b.Node("Gemm", c == "none" ? ["x", "w"] : ["x", "w", "b"], ["g"], NodeAttribute.Int("transB", transposed), NodeAttribute.Float("alpha", 0.5f), NodeAttribute.Float("beta", 2f));
        Folds(Norm(b, "g", "y", 3).Build(), "Gemm");
    }

    [TestMethod]
    public void AfterMatMulOfMatricesBecomesABias()
    {
        var b = new ModelBuilder().Input("x", -1, 5).Output("y", -1, 3).Weight("w", 1, 0.5f, 5, 3).Node("MatMul", ["x", "w"], ["g"]);
        Folds(Norm(b, "g", "y", 3).Build(), "MatMul", "Add");
    }

    [TestMethod]
    public void AfterMatMulOfThreeAxesTheChannelsAreNotTheColumns()
    {
        var b = new ModelBuilder().Input("x", -1, 3, 5).Output("y", -1, 3, 3).Weight("w", 1, 0.5f, 5, 3).Node("MatMul", ["x", "w"], ["g"]);
        Leaves(Norm(b, "g", "y", 3).Build());
    }

    [TestMethod]
    public void LeavesAConvWhoseOutputSomebodyElseReads()
    {
        var b = Conv().Node("Relu", ["c"], ["r"]).Output("r", 1, 4, -2);
        Leaves(Norm(b, "c", "y", 4).Build());
    }

    [TestMethod]
    public void LeavesAConvWhoseOutputIsAnOutput() => Leaves(Norm(Conv().Output("c", 1, 4, -2), "c", "y", 4).Build());

    [TestMethod]
    public void LeavesAWeightTwoLayersShare()
    {
        var b = Conv().Node("Conv", ["x", "w"], ["z"]).Output("z", 1, 4, -2);
        Leaves(Norm(b, "c", "y", 4).Build());
    }

    [TestMethod]
    public void LeavesAWeightThatCallersMaySet()
    {
        var b = Norm(Conv().Input("w", 4, 3, 3), "c", "y", 4);
        Leaves(b.Build());
        b.Proto.IrVersion = 3;
        Assert.AreEqual(1, new BatchNormalizationFolding().Apply(b.Build()));
    }

    [TestMethod]
    public void LeavesTrainingModeAndBadVariance()
    {
        Leaves(Norm(Conv(), "c", "y", 4, NodeAttribute.Float("epsilon", -100f)).Build());
        Leaves(Norm(Conv(), "c", "y", 4, NodeAttribute.Int("training_mode", 1)).Build());
    }

    [TestMethod]
    public void FoldsInsideABranchAndKeepsConstantNodes()
    {
        var then = Norm(new ModelBuilder().Output("t", 1, 4, -2).Constant("w", ModelBuilder.Random(1, 0.5f, 4, 3, 3)).Node("Conv", ["x", "w"], ["c"]), "c", "t", 4);
        var otherwise = new ModelBuilder().Output("e", 1, 4, -2).Weight("w2", 3, 1, 4, 3, 3).Node("Conv", ["x", "w2"], ["e"]);
        var model = new ModelBuilder().Input("x", 1, 3, 8).Input("if", ElementType.Bool).Output("y", 1, 4, -2)
            .NodeWithBodies("If", ["if"], ["y"], ("then_branch", then), ("else_branch", otherwise)).Build();
        var folded = model.Clone();
        Assert.AreEqual(1, new BatchNormalizationFolding().Apply(folded));
        CollectionAssert.AreEquivalent(new[] { "If", "Constant", "Conv", "Conv" }, folded.AllNodes().Select(n => n.OpType).ToArray());
        Equivalence.Holds(model, folded);
    }

    [TestMethod, ZooCondition]
    public void FoldsAllOfARealClassifier()
    {
        var model = ZooModels.Load("ocr-cls");
        var folded = model.Clone();
        Assert.AreEqual(35, new BatchNormalizationFolding().Apply(folded));
        Assert.IsFalse(folded.AllNodes().Any(n => n.Is("BatchNormalization")));
        Equivalence.Holds(model, folded, 1e-5, [1, 3, 48, 192]);
    }

    private static ModelBuilder Conv() => new ModelBuilder().Input("x", 1, 3, 8).Output("y", 1, 4, -2).Weight("w", 1, 0.5f, 4, 3, 3).Node("Conv", ["x", "w"], ["c"]);

    private static ModelBuilder Norm(ModelBuilder b, string x, string y, int channels, params NodeAttribute[] attributes) => b
        .Weight($"{y}_s", 11, 1, channels).Weight($"{y}_b", 12, 1, channels).Weight($"{y}_m", 13, 1, channels)
        .Initializer($"{y}_v", [.. Enumerable.Range(1, channels).Select(i => 0.3f * i)], channels)
        .Node("BatchNormalization", [x, $"{y}_s", $"{y}_b", $"{y}_m", $"{y}_v"], [y], attributes);

    private static void Folds(Model model, params string[] left)
    {
        var folded = model.Clone();
        Assert.AreEqual(1, new BatchNormalizationFolding().Apply(folded));
        CollectionAssert.AreEqual(left, folded.AllNodes().Select(n => n.OpType).ToArray());
        Equivalence.Holds(model, folded);
    }

    private static void Leaves(Model model)
    {
        var before = OnnxWriter.ToBytes(model);
        Assert.AreEqual(0, new BatchNormalizationFolding().Apply(model));
        CollectionAssert.AreEqual(before, OnnxWriter.ToBytes(model));
    }
}
