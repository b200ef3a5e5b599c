using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class OneHotLookupTests
{
    private const int Rows = 5, Columns = 3;

    [TestMethod]
    [DataRow(true), DataRow(false)]
    public void AProductWithAOneHotVectorReadsARow(bool expanded)
    {
        var model = OneHot(expanded);
        var written = model.Clone();
        Assert.AreEqual(1, new OneHotLookup().Apply(written));
        Assert.IsFalse(written.AllNodes().Any(n => n.OpType is "MatMul" or "Equal"));
        CollectionAssert.Contains(written.AllNodes().Select(n => n.OpType).ToArray(), "Gather");
        Same(model, written, [0, 1, 4, 2]);
    }

    [TestMethod]
    public void AnIdBeyondTheRowsReadsZeros()
    {
        var model = OneHot(expanded: true);
        var written = model.Clone();
        new OneHotLookup().Apply(written);
        Same(model, written, [-1, 5, int.MaxValue, int.MinValue]);
    }

    [TestMethod]
    public void AMatrixThatOthersReadStaysWhatItIs()
    {
        var model = OneHot(expanded: false, more: b => b.Input("z", 2, Rows).Output("p", 2, Columns).Node("MatMul", ["z", "w"], ["p"]));
        var written = model.Clone();
        Assert.AreEqual(1, new OneHotLookup().Apply(written));
        Equivalence.Holds(model, written, 0, [2], given: new() { ["ids"] = Tensor.Create([0, 1, 2, 3], 2, 2) });
    }

    [TestMethod]
    public void OtherNumbersAndOtherLengthsStay()
    {
        Assert.AreEqual(0, new OneHotLookup().Apply(OneHot(expanded: false, numbers: [0, 1, 2, 4, 3])));
        Assert.AreEqual(0, new OneHotLookup().Apply(OneHot(expanded: false, opset: 12)));
        // The batch of another input may be wider.
        Assert.AreEqual(0, new OneHotLookup().Apply(new ModelBuilder().Input("ids", ElementType.Int32, -1, 2, 1).Input("like", -2, 2, Rows).Output("y", -2, 2, Columns).Initializer("numbers", Tensor.Create([0, 1, 2, 3, 4], 1, 1, Rows))
            .Weight("w", 1, 1, Rows, Columns).Node("Shape", ["like"], ["t"]).Node("Expand", ["ids", "t"], ["e"]).Node("Equal", ["e", "numbers"], ["q"]).Node("Cast", ["q"], ["c"], NodeAttribute.Int("to", 1)).Node("MatMul", ["c", "w"], ["y"]).Build()));
    }

    private static Model OneHot(bool expanded, int opset = 15, int[]? numbers = null, Func<ModelBuilder, ModelBuilder>? more = null)
    {
        var builder = new ModelBuilder(opset).Input("ids", ElementType.Int32, -1, 2).Output("y", -1, 2, Columns).Initializer("column", Tensor.Create([-1L, 2L, 1L], 3)).Node("Reshape", ["ids", "column"], ["r"])
            .Initializer("numbers", Tensor.Create(numbers ?? [0, 1, 2, 3, 4], 1, 1, Rows)).Weight("w", 1, 1, Rows, Columns);
        if (expanded)
            builder.Node("Shape", ["ids"], ["s"]).Initializer("k", Tensor.Create([(long)Rows], 1)).Node("Concat", ["s", "k"], ["t"], NodeAttribute.Int("axis", 0)).Node("Expand", ["r", "t"], ["e"]);
        builder.Node("Equal", [expanded ? "e" : "r", "numbers"], ["q"]).Node("Cast", ["q"], ["c"], NodeAttribute.Int("to", 1)).Node("MatMul", ["c", "w"], ["y"]);
        return (more?.Invoke(builder) ?? builder).Build();
    }

    private static void Same(Model expected, Model actual, int[] ids)
    {
        var inputs = new Dictionary<string, Tensor> { ["ids"] = Tensor.Create(ids, 2, 2) };
        using var left = new Session(expected, new SessionSettings("original"));
        using var right = new Session(actual, new SessionSettings("rewritten"));
        Tensor a = left.Run(inputs)[0], b = right.Run(inputs)[0];
        CollectionAssert.AreEqual(a.Shape.ToArray(), b.Shape.ToArray());
        CollectionAssert.AreEqual(a.ToFloats(), b.ToFloats());
    }
}
