using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class ReshapeTargetsTests
{
    [TestMethod]
    public void ATargetWithOneLengthThatTheModelAsksForIsAConstant()
    {
        var model = Asked([6L, 4L], [2L], [12L]);
        CollectionAssert.AreEqual(new[] { "Reshape" }, Write(model, 1, [5, 24]));
    }

    [TestMethod]
    public void ALengthAtTheSamePlaceIsCopiedSoThatASecondOneMayBeOpen()
    {
        // [B, T, 6] -> [B, T, 2, 3]: both lengths are asked for.
        var model = new ModelBuilder().Input("x", -1, -2, 6).Output("y", -1, -2, 2, 3).Node("Shape", ["x"], ["s"]).Initializer("both", Tensor.Create([0L, 1L], 2))
            .Node("Gather", ["s", "both"], ["g"]).Initializer("rest", Tensor.Create([2L, 3L], 2)).Node("Concat", ["g", "rest"], ["t"], NodeAttribute.Int("axis", 0)).Node("Reshape", ["x", "t"], ["y"]).Build();
        var written = model.Clone();
        Assert.AreEqual(1, new ReshapeTargets().Apply(written));
        CollectionAssert.AreEqual(new[] { 0L, 0L, 2L, 3L }, written.AllNodes().Single().Input(1)!.Constant!.ToLongs());
        Equivalence.Holds(model, written, 0, [3, 5]);
    }

    [TestMethod]
    public void TwoOpenLengthsStay() => Write(new ModelBuilder().Input("x", -1, -2, 6).Input("n", ElementType.Int64, 2).Output("y", -3, -4, 6).Initializer("six", Tensor.Create([6L], 1))
        .Node("Concat", ["n", "six"], ["t"], NodeAttribute.Int("axis", 0)).Node("Reshape", ["x", "t"], ["y"]).Build(), 0, run: false);

    [TestMethod]
    public void AnEmptyBatchStillRuns()
    {
        Equivalence.Holds(Asked([6L, 4L], [2L], [12L]), Written(Asked([6L, 4L], [2L], [12L]), 1), 0, [0]);
        // [N, ?]: the product of two lengths is not followed; a copied length that may be 0 beside an open one is refused by the runtime.
        var model = new ModelBuilder().Input("x", -1, 12, 64).Output("y", -1, 768).Node("Shape", ["x"], ["s"]).Initializer("zero", Tensor.Create([0L], 1)).Initializer("one", Tensor.Create([1L], 1)).Initializer("two", Tensor.Create([2L], 1))
            .Node("Gather", ["s", "zero"], ["n"]).Node("Gather", ["s", "one"], ["a"]).Node("Gather", ["s", "two"], ["b"]).Node("Mul", ["a", "b"], ["c"]).Node("Concat", ["n", "c"], ["t"], NodeAttribute.Int("axis", 0)).Node("Reshape", ["x", "t"], ["y"]).Build();
        Equivalence.Holds(model, Written(model, 0), 0, [0]);
    }

    private static Model Written(Model model, int expected)
    {
        var written = model.Clone();
        foreach (var output in written.Graph.OutputInfos) if (output.Type.TensorType.Shape is { Dim.Count: 0 }) output.Type.TensorType.Shape = null;
        Assert.AreEqual(expected, new ReshapeTargets().Apply(written));
        return written;
    }

    [TestMethod]
    public void AReshapeAndAnExpandToTheVeryShapeThatIsThereGo()
    {
        // As a broadcast is exported: the mean is put into the shape that the model asks for, and then widened to the same shape.
        var model = new ModelBuilder().Input("x", -1, 4).Output("y", -1, 4).Node("Shape", ["x"], ["s"]).Initializer("from", Tensor.Create([0L], 1)).Initializer("to", Tensor.Create([1L], 1)).Node("Slice", ["s", "from", "to"], ["b"])
            .Initializer("one", Tensor.Create([1L], 1)).Node("Concat", ["b", "one"], ["t"], NodeAttribute.Int("axis", 0))
            .Node("ReduceMean", ["x"], ["m"], NodeAttribute.Ints("axes", 1), NodeAttribute.Int("keepdims", 0)).Node("Reshape", ["m", "t"], ["r"]).Node("Expand", ["r", "t"], ["e"]).Node("Sub", ["x", "e"], ["y"]).Build();
        var simple = model.Clone();
        Assert.AreEqual(1, new IdentityRemoval().Apply(simple));
        Assert.IsFalse(simple.AllNodes().Any(n => n.Is("Expand")));
        Equivalence.Holds(model, simple, 0, [3]);
    }

    [TestMethod]
    public void AnExpandThatMightWidenStays()
    {
        var model = new ModelBuilder().Input("x", -1, 1).Input("like", -2, 1).Output("y", -2, 1).Node("Shape", ["like"], ["s"]).Node("Expand", ["x", "s"], ["y"]).Build();
        Assert.AreEqual(0, new IdentityRemoval().Apply(model));
    }

    private static Model Asked(long[] lengths, params long[][] target) => new ModelBuilder().Input("x", [-1, .. lengths]).Output("y").Node("Shape", ["x"], ["s"]).Node("Cast", ["s"], ["i"], NodeAttribute.Int("to", (int)ElementType.Int32))
        .Initializer("from", Tensor.Create([0L], 1)).Initializer("to", Tensor.Create([1L], 1)).Node("Slice", ["i", "from", "to"], ["b"]).Initializer("p0", Tensor.Create([(int)target[0][0]], 1)).Initializer("p1", Tensor.Create([(int)target[1][0]], 1))
        .Node("Concat", ["b", "p0", "p1"], ["c"], NodeAttribute.Int("axis", 0)).Node("Cast", ["c"], ["t"], NodeAttribute.Int("to", (int)ElementType.Int64)).Node("Reshape", ["x", "t"], ["y"]).Build();

    private static string[] Write(Model model, int expected, long[]? dynamic = null, bool run = true)
    {
        foreach (var output in model.Graph.OutputInfos) if (output.Type.TensorType.Shape is { Dim.Count: 0 }) output.Type.TensorType.Shape = null;
        var written = model.Clone();
        Assert.AreEqual(expected, new ReshapeTargets().Apply(written));
        if (run) Equivalence.Holds(model, written, 0, dynamic);
        return [.. written.AllNodes().Select(n => n.OpType)];
    }
}
