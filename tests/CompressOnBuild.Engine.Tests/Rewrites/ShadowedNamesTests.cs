using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class ShadowedNamesTests
{
    [TestMethod]
    public void AnInnerValueWithAnOuterNameIsRenamed()
    {
        // The branch's own n hides the n around it; siblings may bear equal names.
        var then = new ModelBuilder().Output("t", 2).Constant("n", Tensor.Create([1f, 2f], 2)).Node("Add", ["x", "n"], ["t"]);
        var otherwise = new ModelBuilder().Output("t", 2).Node("Neg", ["n"], ["t"]);
        var model = new ModelBuilder().Input("x", 2).Input("if", ElementType.Bool).Output("y", 2).Node("Abs", ["x"], ["n"])
            .NodeWithBodies("If", ["if"], ["y"], ("then_branch", then), ("else_branch", otherwise)).Build();
        Assert.AreEqual(1, new ShadowedNames().Apply(model));
        CollectionAssert.AreEqual(new[] { "n", "y", "n_2", "t", "t" }, model.AllNodes().SelectMany(n => n.Outputs).Select(v => v!.Name).ToArray());
        Assert.AreEqual(0, new ShadowedNames().Apply(model));
    }
}
