using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class ChannelAffineFoldingTests
{
    [TestMethod]
    [DataRow("Add", false), DataRow("Mul", false), DataRow("Sub", false), DataRow("Div", false), DataRow("Add", true), DataRow("Mul", true)]
    public void AConstantPerChannelGoesIntoConv(string op, bool left)
    {
        var model = Conv(1).Weight("k", 5, 2, 1, 4, 1).Node(op, left ? ["k", "c"] : ["c", "k"], ["y"]).Build();
        CollectionAssert.AreEqual(new[] { "Conv" }, Fold(model, 1));
    }

    [TestMethod]
    public void ABatchNormalizationTakenApartGoesIntoConv()
    {
        var model = Conv(2).Weight("k", 5, 2, 4, 1).Weight("o", 6, 2, 1, 4, 1).Node("Mul", ["c", "k"], ["m"]).Node("Add", ["m", "o"], ["y"]).Build();
        CollectionAssert.AreEqual(new[] { "Conv" }, Fold(model, 2));
    }

    [TestMethod]
    public void AScalarGoesIntoConvTransposeAndGemm()
    {
        CollectionAssert.AreEqual(new[] { "ConvTranspose" }, Fold(new ModelBuilder().Input("x", 1, 2, 5).Output("y", 1, 3, -2).Weight("w", 1, 1, 2, 3, 3)
            .Initializer("k", Tensor.Scalar(3f)).Node("ConvTranspose", ["x", "w"], ["c"]).Node("Mul", ["c", "k"], ["y"]).Build(), 1));
        CollectionAssert.AreEqual(new[] { "Gemm" }, Fold(new ModelBuilder().Input("x", -1, 2).Output("y", -1, 3).Weight("w", 1, 1, 2, 3)
            .Weight("k", 3, 1, 3).Node("Gemm", ["x", "w"], ["c"]).Node("Add", ["c", "k"], ["y"]).Build(), 1));
    }

    [TestMethod]
    public void MatMulTakesAFactorAndLeavesTheBias()
    {
        var model = new ModelBuilder().Input("x", 2, -1, 2).Output("y", 2, -1, 3).Weight("w", 1, 1, 2, 3).Weight("k", 3, 1, 3).Weight("o", 4, 1, 3)
            .Node("MatMul", ["x", "w"], ["c"]).Node("Mul", ["c", "k"], ["m"]).Node("Add", ["m", "o"], ["y"]).Build();
        CollectionAssert.AreEqual(new[] { "MatMul", "Add" }, Fold(model, 1));
    }

    [TestMethod]
    public void ConstantsOfOtherAxesStay()
    {
        Fold(Conv(1).Weight("k", 5, 2, 6).Node("Add", ["c", "k"], ["y"]).Build(), 0);
        Fold(Conv(1).Weight("k", 5, 2, 1, 1, 4, 1).Node("Add", ["c", "k"], ["y"]).Build(), 0);
        Fold(Conv(1).Weight("k", 5, 2, 1, 4, 1).Node("Div", ["k", "c"], ["y"]).Build(), 0);
        Fold(Conv(1).Initializer("k", [1, 0, 2, 3], 4, 1).Node("Div", ["c", "k"], ["y"]).Build(), 0, run: false);
    }

    private static ModelBuilder Conv(int group) => new ModelBuilder().Input("x", 1, 2, 8).Output("y").Weight("w", 1, 0.5f, 4, 2 / group, 3).Weight("b", 2, 1, 4)
        .Node("Conv", ["x", "w", "b"], ["c"], NodeAttribute.Int("group", group));

    private static string[] Fold(Model model, int expected, bool run = true)
    {
        foreach (var output in model.Graph.OutputInfos) if (output.Type.TensorType.Shape is { Dim.Count: 0 }) output.Type.TensorType.Shape = null;
        var folded = model.Clone();
        Assert.AreEqual(expected, new ChannelAffineFolding().Apply(folded));
        if (run) Equivalence.Holds(model, folded);
        return [.. folded.AllNodes().Select(n => n.OpType)];
    }
}
