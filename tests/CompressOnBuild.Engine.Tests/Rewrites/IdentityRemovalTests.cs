using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class IdentityRemovalTests
{
    [TestMethod]
    public void NodesThatChangeNothingGo()
    {
        var model = new ModelBuilder().Input("x", 2, 3).Output("y", 2, 3)
            .Node("Identity", ["x"], ["a"]).Node("Dropout", ["a"], ["b"]).Node("Cast", ["b"], ["c"], NodeAttribute.Int("to", 1))
            .Node("Transpose", ["c"], ["d"], NodeAttribute.Ints("perm", 0, 1)).Constant("s", Tensor.Create([2L, -1L], 2)).Node("Reshape", ["d", "s"], ["e"])
            .Node("Flatten", ["e"], ["f"]).Node("Neg", ["f"], ["y"]).Build();
        CollectionAssert.AreEqual(new[] { "Constant", "Neg" }, Remove(model, 6));
    }

    [TestMethod]
    public void AnOutputKeepsItsName() => CollectionAssert.AreEqual(new[] { "Neg", "Abs" }, Remove(
        new ModelBuilder().Input("x", 2).Output("y", 2).Output("z", 2).Node("Neg", ["x"], ["n"]).Node("Identity", ["n"], ["y"]).Node("Abs", ["n"], ["z"]).Build(), 1));

    [TestMethod]
    public void AnIdentityBetweenInputAndOutputStays()
    {
        Remove(new ModelBuilder().Input("x", 2).Output("y", 2).Node("Identity", ["x"], ["y"]).Build(), 0);
        Remove(new ModelBuilder().Input("x", 2).Output("y", 2).Output("n", 2).Node("Neg", ["x"], ["n"]).Node("Identity", ["n"], ["y"]).Build(), 0);
    }

    [TestMethod]
    public void ABranchThatPassesAnOuterValueThroughStays()
    {
        var then = new ModelBuilder().Output("t", 2).Node("Identity", ["n"], ["t"]);
        var otherwise = new ModelBuilder().Output("e", 2).Node("Identity", ["n"], ["i"]).Node("Neg", ["i"], ["e"]);
        CollectionAssert.AreEqual(new[] { "Neg", "If", "Identity", "Neg" }, Remove(new ModelBuilder().Input("x", 2).Input("if", ElementType.Bool).Output("y", 2)
            .Node("Neg", ["x"], ["n"]).NodeWithBodies("If", ["if"], ["y"], ("then_branch", then), ("else_branch", otherwise)).Build(), 1));
    }

    [TestMethod]
    public void WhatMightChangeSomethingStays() => Remove(new ModelBuilder().Input("x", -1, 3).Output("y", -1, 3).Output("z", 3, -1)
        .Constant("s", Tensor.Create([2L, 3L], 2)).Node("Reshape", ["x", "s"], ["r"]).Node("Cast", ["r"], ["c"], NodeAttribute.Int("to", 10)).Node("Cast", ["c"], ["y"], NodeAttribute.Int("to", 1))
        .Node("Transpose", ["x"], ["z"]).Build(), 0);

    private static string[] Remove(Model model, int expected)
    {
        var changed = model.Clone();
        Assert.AreEqual(expected, new IdentityRemoval().Apply(changed));
        Equivalence.Holds(model, changed, 0);
        return [.. changed.AllNodes().Select(n => n.OpType)];
    }
}
