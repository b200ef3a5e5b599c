using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class ConstantFoldingTests
{
    [TestMethod]
    public void ATransposedWeightBecomesAWeight()
    {
        var model = new ModelBuilder().Input("x", 1, 64).Output("y", 1, 32).Weight("w", 1, 1, 32, 64)
            .Node("Transpose", ["w"], ["t"], NodeAttribute.Ints("perm", 1, 0)).Node("MatMul", ["x", "t"], ["y"]).Build();
        var folded = Fold(model, 1);
        Assert.AreEqual("Float[64,32]", folded.Graph.Nodes.Last!.Input(1)!.Constant!.ToString());
        Assert.IsEmpty(folded.Graph.Initializers);
    }

    [TestMethod]
    public void ShapeArithmeticOfAStaticInputBecomesAConstant()
    {
        var model = new ModelBuilder().Input("x", 2, 3, 4).Output("y", -1, -2)
            .Node("Relu", ["x"], ["r"]).Node("Shape", ["r"], ["s"])
            .Constant("zero", Tensor.Scalar(0L)).Node("Gather", ["s", "zero"], ["n"])
            .Constant("axes", Tensor.Create([0L], 1)).Node("Unsqueeze", ["n", "axes"], ["u"])
            .Constant("rest", Tensor.Create([-1L], 1)).Node("Concat", ["u", "rest"], ["target"], NodeAttribute.Int("axis", 0))
            .Node("Reshape", ["r", "target"], ["y"]).Build();
        var folded = Fold(model, 4);
        CollectionAssert.AreEqual(new[] { 2L, -1L }, folded.Graph.Nodes.Last!.Input(1)!.Constant!.ToLongs());
        Assert.AreEqual(3, folded.Graph.Nodes.Count);
    }

    [TestMethod]
    public void ADynamicShapeStays() => Fold(new ModelBuilder().Input("x", -1, 3).Output("s", ElementType.Int64, 2).Node("Shape", ["x"], ["s"]).Build(), 0);

    [TestMethod]
    public void WhatWouldGrowStays()
    {
        Fold(new ModelBuilder().Input("x", 1, 512).Output("y", 1, 512).Initializer("w", new Tensor(ElementType.Int8, [512], new byte[512]))
            .Node("Cast", ["w"], ["c"], NodeAttribute.Int("to", 1)).Node("Add", ["x", "c"], ["y"]).Build(), 0);
        // A weight somebody reads untransposed as well would be stored twice.
        Fold(new ModelBuilder().Input("x", 1, 32).Output("y", 1, 32).Output("z", 1, 32).Weight("w", 1, 1, 32, 32).Node("Transpose", ["w"], ["t"])
            .Node("MatMul", ["x", "t"], ["y"]).Node("MatMul", ["x", "w"], ["z"]).Build(), 0);
    }

    [TestMethod]
    [DataRow("ConstantOfShape"), DataRow("Expand"), DataRow("Range")]
    public void ABombIsNotRun(string bomb)
    {
        var b = new ModelBuilder().Input("x", 1).Output("y", -1, -1);
        var huge = Tensor.Create([1L << 40, 1L << 40], 2);
        if (bomb == "Range") b.Output("y", ElementType.Int64, -1).Constant("a", Tensor.Create([0L])).Constant("b", Tensor.Create([1L << 60])).Constant("c", Tensor.Create([1L])).Node("Range", ["a", "b", "c"], ["y"]);
        else if (bomb == "Expand") b.Constant("a", Tensor.Create([1f], 1)).Constant("b", huge).Node("Expand", ["a", "b"], ["y"]);
        else b.Constant("b", huge).Node("ConstantOfShape", ["b"], ["y"]);
        if (bomb == "Range") b.Proto.Graph.Output.RemoveAt(0);
        Assert.AreEqual(0, new ConstantFolding(_ => throw new AssertFailedException("it was run")).Apply(b.Build()));
    }

    [TestMethod]
    public void ANodeThatCannotRunStaysAndTheOthersAreFolded()
    {
        var bad = new ModelBuilder().Output("t", 2).Constant("p", Tensor.Create([1f, 2f], 2)).Constant("q", Tensor.Create([3L], 1)).Node("Reshape", ["p", "q"], ["r"]).Node("Add", ["r", "x"], ["t"]);
        var good = new ModelBuilder().Output("e", 2).Constant("p2", Tensor.Create([1f, 2f], 2)).Node("Neg", ["p2"], ["n"]).Node("Add", ["n", "x"], ["e"]);
        var model = new ModelBuilder().Input("x", 2).Input("if", ElementType.Bool).Output("y", 2).NodeWithBodies("If", ["if"], ["y"], ("then_branch", bad), ("else_branch", good)).Build();
        Assert.AreEqual(1, new ConstantFolding(Constants.Evaluate).Apply(model));
    }

    [TestMethod]
    public void QuantizedWeightsStayQuantized() => Fold(new ModelBuilder().Input("x", 1, 4).Output("y", 1, 4)
        .Initializer("q", new Tensor(ElementType.Int8, [4], new byte[4])).Initializer("s", Tensor.Create([0.1f])).Node("DequantizeLinear", ["q", "s"], ["d"]).Node("Add", ["x", "d"], ["y"]).Build(), 0);

    private static Model Fold(Model model, int expected)
    {
        var folded = model.Clone();
        Assert.AreEqual(expected, new ConstantFolding(Constants.Evaluate).Apply(folded));
        Equivalence.Holds(model, folded);
        return folded;
    }
}
