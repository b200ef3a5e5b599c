using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class GeluFormTests
{
    [TestMethod]
    public void AGeluInAnyOrderBecomesTheRuntimesKernel()
    {
        foreach (var model in new[] { Jax(), Divided() })
        {
            Assert.IsFalse(Fused(model), "the runtime would have found it");
            var written = model.Clone();
            Assert.AreEqual(1, new GeluForm().Apply(written));
            Assert.IsTrue(Fused(written));
            Equivalence.Holds(model, written, 2e-6, [3]);
        }
    }

    [TestMethod]
    public void WhatStandsBeforeItIsNotPartOfIt()
    {
        // x is 2 z: the function of z is none, the one of x is.
        var model = Jax(b => b.Initializer("double", Tensor.Scalar(2f)).Node("Mul", ["z", "double"], ["x"]));
        var written = model.Clone();
        Assert.AreEqual(1, new GeluForm().Apply(written));
        Equivalence.Holds(model, written, 2e-6, [3]);
    }

    [TestMethod]
    public void TheRuntimesOwnFormStays()
    {
        var model = Jax();
        Assert.AreEqual(1, new GeluForm().Apply(model));
        Assert.AreEqual(0, new GeluForm().Apply(model));
    }

    [TestMethod]
    public void AnotherFunctionStays()
    {
        Assert.AreEqual(0, new GeluForm().Apply(Jax(cubic: 0.05f)));
        Assert.AreEqual(0, new GeluForm().Apply(Jax(shape: [1, 1, 1, 1]))); // a constant that adds an axis
    }

    [TestMethod]
    public void WhatOthersReadStays() => Assert.AreEqual(0, new GeluForm().Apply(Jax(b => b.Node("Identity", ["z"], ["x"]).Output("tanh"))));

    // x * (0.5 * (1 + tanh(0.79788 * (x + 0.044715 * x * x * x)))), as jax2tf writes it.
    private static Model Jax(Func<ModelBuilder, ModelBuilder>? before = null, float cubic = 0.044715f, long[]? shape = null)
    {
        var builder = new ModelBuilder(15).Input("z", -1, 4).Output("y", -1, 4);
        builder = before?.Invoke(builder) ?? builder.Node("Neg", ["z"], ["x"]);
        return builder.Initializer("k", Tensor.Scalar(cubic)).Initializer("s", Tensor.Scalar(0.79788456f)).Initializer("one", Tensor.Create([1f], shape ?? [1, 1])).Initializer("half", Tensor.Scalar(0.5f))
            .Node("Mul", ["k", "x"], ["a"]).Node("Mul", ["x", "a"], ["b"]).Node("Mul", ["x", "b"], ["c"]).Node("Add", ["x", "c"], ["d"]).Node("Mul", ["s", "d"], ["e"]).Node("Tanh", ["e"], ["tanh"])
            .Node("Add", ["one", "tanh"], ["g"]).Node("Mul", ["half", "g"], ["h"]).Node("Mul", ["x", "h"], ["y"]).Build();
    }

    // (1 + tanh(...)) * x / 2 with a power, and the last node a Mul by 0.5.
    private static Model Divided() => new ModelBuilder(15).Input("z", -1, 4).Output("y", -1, 4).Node("Neg", ["z"], ["x"]).Initializer("three", Tensor.Scalar(3f)).Initializer("k", Tensor.Scalar(1 / 0.044715f)).Initializer("s", Tensor.Scalar(0.79788456f))
        .Initializer("one", Tensor.Scalar(1f)).Initializer("half", Tensor.Scalar(0.5f)).Node("Pow", ["x", "three"], ["a"]).Node("Div", ["a", "k"], ["b"]).Node("Add", ["b", "x"], ["c"]).Node("Mul", ["c", "s"], ["d"]).Node("Tanh", ["d"], ["t"])
        .Node("Add", ["t", "one"], ["e"]).Node("Mul", ["e", "x"], ["f"]).Node("Mul", ["f", "half"], ["y"]).Build();

    // The last node of a fusion must not be an output of the graph.
    private static bool Fused(Model model)
    {
        var copy = model.Clone();
        var y = copy.Graph.Outputs[0];
        var last = y.Producer!;
        var inner = copy.Graph.NewValue("inner");
        last.SetOutput(0, inner);
        copy.Graph.Insert(null, "Neg", "y", [inner]).SetOutput(0, y);
        return OptimizedGraph.Of(OnnxWriter.ToBytes(copy), new SessionSettings("optimized"))!.AllNodes().Any(n => n.OpType is "FastGelu" or "Gelu");
    }
}
