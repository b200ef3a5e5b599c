using System.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Worker;

/// <summary>Models that are small to look at and endless to run: the worker ends in time, within its memory, and with a code.</summary>
[TestClass]
public sealed class BombTests : BadInput
{
    // The bound on memory is three quarters of what the runtime says there is: here 768 MB, whatever the machine has.
    private static readonly Dictionary<string, string?> SmallMachine = new() { ["DOTNET_GCHeapHardLimit"] = "0x30000000" };

    [TestMethod]
    public void ALoopWithoutEnd()
    {
        var body = new ModelBuilder().Input("i", ElementType.Int64).Input("c", ElementType.Bool).Input("a", -1, 64).Output("c2", ElementType.Bool).Output("b", -1, 64)
            .Node("Identity", ["c"], ["c2"]).Node("Cos", ["a"], ["b"]);
        var model = new ModelBuilder().Input("x", -1, 64).Output("y", -1, 64)
            .Initializer("n", Tensor.Create(new[] { 1L << 62 })).Initializer("yes", Tensor.Create(new[] { true }))
            .NodeWithBodies("Loop", ["n", "yes", "x"], ["y"], ("body", body));
        var clock = Stopwatch.StartNew();
        StringAssert.Contains(Refused("COB1022", Save(model), "--evaluation-data", SaveData(), "--run-timeout", "1"), "running the original model for more than 1 s");
        Assert.IsLessThan(20, clock.Elapsed.TotalSeconds);
    }

    [TestMethod]
    public void ALoopWithoutEndOnConstants()
    {
        // Nothing feeds this loop, so that folding or the runtime's own optimizer would run it while loading.
        var body = new ModelBuilder().Input("i", ElementType.Int64).Input("c", ElementType.Bool).Input("a", 1).Output("c2", ElementType.Bool).Output("b", 1)
            .Node("Identity", ["c"], ["c2"]).Node("Cos", ["a"], ["b"]);
        var model = Layer().Initializer("n", Tensor.Create(new[] { 1L << 62 })).Initializer("yes", Tensor.Create(new[] { true })).Initializer("one", [1f], 1)
            .NodeWithBodies("Loop", ["n", "yes", "one"], ["looped"], ("body", body)).Node("Add", ["y", "looped"], ["z"]).Output("z", -1, 32);
        Refused("COB1022", Save(model), "--evaluation-data", SaveData(), "--run-timeout", "1");
    }

    [TestMethod]
    public void ATensorOfAPetabyte()
    {
        // No allocator gives this: the runtime itself refuses, at once.
        var run = WorkerProcess.Compress(Save(Filled(1L << 25, 1L << 25)), "--evaluation-data", SaveData(), "--output", Output);
        Refused(run.Output.Contains("COB1020", StringComparison.Ordinal) ? "COB1020" : "COB1021", run);
    }

    [TestMethod]
    public void TensorsThatFillTheMemory() =>
        Refused("COB1023", WorkerProcess.CompressWith(SmallMachine, Save(Filled(1L << 15, 1L << 15)), "--evaluation-data", SaveData(), "--output", Output));

    [TestMethod]
    public void ALoopThatCollectsWithoutEnd()
    {
        var body = new ModelBuilder().Input("i", ElementType.Int64).Input("c", ElementType.Bool).Output("c2", ElementType.Bool).Output("s", -1, 64)
            .Node("Identity", ["c"], ["c2"]).Node("Tile", ["x", "times"], ["s"]);
        var model = new ModelBuilder().Input("x", -1, 64).Output("y", -1, -1, 64)
            .Initializer("n", Tensor.Create(new[] { 1L << 40 })).Initializer("yes", Tensor.Create(new[] { true })).Initializer("times", Tensor.Create(new[] { 4096L, 1L }, 2))
            .NodeWithBodies("Loop", ["n", "yes"], ["y"], ("body", body));
        Refused("COB1023", WorkerProcess.CompressWith(SmallMachine, Save(model), "--evaluation-data", SaveData(), "--output", Output));
    }

    // Constant folding must not build what the runtime would: a few bytes of file that are gigabytes of constants.
    [TestMethod]
    public void AConstantOfShapeIsNotFoldedIntoTheModel()
    {
        var model = Layer().Initializer("n", Tensor.Create(new[] { 1L << 28 }, 1)).Node("ConstantOfShape", ["n"], ["big"])
            .Node("ReduceMax", ["big"], ["one"]).Node("Add", ["y", "one"], ["z"]).Output("z", -1, 32);
        var run = WorkerProcess.CompressWith(SmallMachine, Save(model), "--evaluation-data", SaveData(), "--output", Output);
        if (run.ExitCode != 0) Refused("COB1023", run);
        else Assert.IsLessThan(1 << 20, new FileInfo(Path.Combine(Output, "m.onnx")).Length);
    }

    // Fed by the input, so that nothing can be folded: x (1 x 64) + a constant tensor of the given shape, reduced to x's shape.
    private static ModelBuilder Filled(long rows, long columns) => new ModelBuilder().Input("x", -1, 64).Output("y", -1, 64)
        .Initializer("n", Tensor.Create(new[] { rows, columns }, 2)).Node("ConstantOfShape", ["n"], ["f"])
        .Node("ReduceMax", ["f"], ["m"]).Node("Add", ["x", "m"], ["y"]);
}
