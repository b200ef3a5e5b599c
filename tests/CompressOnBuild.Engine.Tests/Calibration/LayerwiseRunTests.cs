using CompressOnBuild.Calibration;
using CompressOnBuild.Engine.Tests.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Calibration;

[TestClass]
public class LayerwiseRunTests
{
    [TestMethod]
    public void ThePiecesComputeWhatTheWholeModelDoes()
    {
        var (model, samples) = Case();
        var walk = new LayerwiseRun(model, samples, new SessionSettings("test"), 2, CancellationToken.None);
        foreach (var name in new[] { "a", "b", "y" })
        {
            var values = walk.Advance(name)!;
            foreach (var (sample, value) in samples.Zip(values)) EncodedCase.Near(Whole(model, sample, name), value, 1e-5, name);
        }
        Assert.IsNull(walk.Advance("nothing"));
    }

    [TestMethod]
    public void WhatIsChangedIsWhatTheRestReads()
    {
        var (model, samples) = Case();
        var walk = new LayerwiseRun(model, samples, new SessionSettings("test"), 1, CancellationToken.None);
        Assert.IsNotNull(walk.Advance("a"));
        walk.Change("a", (_, values) => values.Clear());
        // y = (a times w2) + a, and a branch that shows a.
        Assert.IsTrue(walk.Advance("y")!.All(t => t.ToFloats().All(v => v == 0)));
        Assert.IsNull(walk.Advance("a"), "nobody reads it any more");
    }

    [TestMethod]
    public void ValuesThatNobodyReadsLeaveTheirMemoryToLaterOnes()
    {
        var buffers = new ReusedBuffers();
        var first = buffers.Rent(100);
        buffers.Return(first);
        buffers.Return(new byte[50]);
        Assert.HasCount(50, buffers.Rent(20), "the smallest that fits");
        Assert.AreSame(first, buffers.Rent(60));
        Assert.HasCount(60, buffers.Rent(60), "nothing is left");
    }

    private static Tensor Whole(Model model, IReadOnlyDictionary<string, Tensor> sample, string name)
    {
        var shown = model.Clone();
        if (name != "y") shown.Graph.AddOutput(shown.Graph.Nodes.SelectMany(n => n.Outputs).Single(o => o?.Name == name)!, new ModelBuilder().Output(name, -1, 4).Proto.Graph.Output[0]);
        using var session = new Session(shown, new SessionSettings("whole"));
        return session.Run(sample)[session.Outputs.Select(o => o.Name).ToList().IndexOf(name)];
    }

    // x -> a -> b; a is read again later, and by a body.
    private static (Model, IReadOnlyList<IReadOnlyDictionary<string, Tensor>>) Case()
    {
        var then = new ModelBuilder().Output("t", -1, 4).Node("Identity", ["a"], ["t"]);
        var otherwise = new ModelBuilder().Output("e", -1, 4).Node("Neg", ["a"], ["e"]);
        var model = new ModelBuilder().Input("x", -1, 4).Input("yes", ElementType.Bool).Output("y", -1, 4).Weight("w1", 1, 1, 4, 4).Weight("w2", 2, 1, 4, 4)
            .Node("MatMul", ["x", "w1"], ["a"]).Node("MatMul", ["a", "w2"], ["b"]).NodeWithBodies("If", ["yes"], ["c"], ("then_branch", then), ("else_branch", otherwise))
            .Node("Add", ["b", "c"], ["d"]).Node("Add", ["d", "a"], ["y"]).Build();
        return (model, [.. Enumerable.Range(0, 3).Select(i => new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(i, 1, 2, 4), ["yes"] = new Tensor(ElementType.Bool, [], new[] { (byte)(i % 2) }) })]);
    }
}
