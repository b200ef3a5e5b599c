using System.Diagnostics;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Runtime;

[TestClass]
public class WatchdogTests
{
    private static readonly Dictionary<string, Tensor> One = new() { ["x"] = Tensor.Create(new[] { 1f }, 1) };

    [TestMethod]
    public void ALoopWithoutEndIsAskedToEnd()
    {
        var told = 0;
        var watchdog = new Watchdog(TimeSpan.FromMilliseconds(300), long.MaxValue, "bomb.onnx", _ => told++);
        using var session = new Session(EndlessLoop(), new SessionSettings("original", "bomb.onnx", Watchdog: watchdog));
        var start = Stopwatch.StartNew();
        var e = Assert.Throws<CompressionException>(() => session.Run(One));
        Assert.AreEqual(Codes.RuntimeTimeout, e.Diagnostic.Code);
        StringAssert.Contains(e.Message, "running the original model for more than 0.3 s");
        Assert.IsLessThan(2, start.Elapsed.TotalSeconds);
        Assert.AreEqual(0, told); // it ended when asked: nobody needs to end the process
    }

    [TestMethod]
    public void ATensorThatFitsNoMemoryIsACodedError()
    {
        var e = Assert.Throws<CompressionException>(() =>
        {
            using var session = new Session(Fill([1L << 20, 1L << 20]), new SessionSettings("original"));
            session.Run(One);
        });
        CollectionAssert.Contains(new[] { Codes.RuntimeRefused, Codes.RuntimeFailed }, e.Diagnostic.Code);
    }

    [TestMethod]
    public void GrowingMemoryIsNoticed()
    {
        // A chain of tensors of 128 MB each, all alive at the end, against a bound of 200 MB more than now.
        var builder = new ModelBuilder().Input("x", 1).Output("y", 1).Initializer("n", Tensor.Create(new[] { 32L << 20 }, 1));
        builder.Node("Expand", ["x", "n"], ["t0"]);
        for (var i = 1; i <= 8; i++) builder.Node("Exp", [$"t{i - 1}"], [$"t{i}"]);
        builder.Node("Sum", [.. Enumerable.Range(0, 9).Select(i => $"t{i}")], ["s"]).Node("ReduceSum", ["s"], ["y"], NodeAttribute.Int("keepdims", 0));
        var told = new TaskCompletionSource<CompressionException>();
        var watchdog = new Watchdog(TimeSpan.FromMinutes(1), ProcessMemory.WorkingSet() + (200 << 20), "bomb.onnx", told.SetResult);
        using var session = new Session(builder.Build(), new SessionSettings("original", Watchdog: watchdog));
        CompressionException? thrown = null;
        try { session.Run(One); }
        catch (CompressionException e) { thrown = e; }
        // Ended when asked, or, had it been inside one long node, reported to the owner.
        Assert.AreEqual(Codes.RuntimeMemory, (thrown ?? told.Task.Result).Diagnostic.Code);
    }

    [TestMethod]
    public void ACallThatCannotBeAskedIsReportedToTheOwner()
    {
        var told = new TaskCompletionSource<CompressionException>();
        var watchdog = new Watchdog(TimeSpan.FromMilliseconds(50), long.MaxValue, "bomb.onnx", told.SetResult);
        using (watchdog.Watch("loading the original model"))
        {
            Assert.IsTrue(told.Task.Wait(5000));
            StringAssert.Contains(told.Task.Result.Message, "loading the original model");
            Assert.AreEqual("bomb.onnx", told.Task.Result.Diagnostic.File);
        }
    }

    [TestMethod]
    public void ACallThatGoesOnAfterItWasAskedIsReportedOnce()
    {
        var asked = new List<long>();
        var told = new List<long>();
        var clock = Stopwatch.StartNew();
        var watchdog = new Watchdog(TimeSpan.FromMilliseconds(50), long.MaxValue, "", _ => told.Add(clock.ElapsedMilliseconds));
        using (watchdog.Watch("running", () => asked.Add(clock.ElapsedMilliseconds))) Thread.Sleep(2600);
        Assert.HasCount(1, asked);
        Assert.HasCount(1, told);
        Assert.IsGreaterThanOrEqualTo(asked[0] + 1900, told[0]);
    }

    [TestMethod]
    public void EndedCallsAreLeftAlone()
    {
        var told = 0;
        var watchdog = new Watchdog(TimeSpan.FromMilliseconds(100), long.MaxValue, "", _ => told++);
        for (var i = 0; i < 1000; i++) watchdog.Watch("running", () => told++).Dispose();
        Thread.Sleep(300);
        Assert.AreEqual(0, told);
    }

    [TestMethod]
    public void ReadingTheMemoryIsCheap()
    {
        ProcessMemory.WorkingSet();
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < 1000; i++) ProcessMemory.WorkingSet();
        Assert.IsLessThan(1000, clock.ElapsedMilliseconds); // 1 ms a look, every 25 ms
    }

    private static Model EndlessLoop()
    {
        var body = new ModelBuilder().Input("i", ElementType.Int64).Input("c", ElementType.Bool).Input("a", 1).Output("c2", ElementType.Bool).Output("b", 1)
            .Node("Identity", ["c"], ["c2"]).Node("Cos", ["a"], ["b"]);
        return new ModelBuilder().Input("x", 1).Output("y", 1)
            .Initializer("n", Tensor.Create(new[] { 1L << 62 })).Initializer("yes", Tensor.Create(new[] { true }))
            .NodeWithBodies("Loop", ["n", "yes", "x"], ["y"], ("body", body)).Build();
    }

    private static Model Fill(long[] shape) => new ModelBuilder().Input("x", 1).Output("y", 1, 1)
        .Initializer("n", Tensor.Create(shape, shape.Length)).Node("ConstantOfShape", ["n"], ["f"]).Node("Add", ["f", "x"], ["g"]).Node("ReduceMax", ["g"], ["y"]).Build();
}
