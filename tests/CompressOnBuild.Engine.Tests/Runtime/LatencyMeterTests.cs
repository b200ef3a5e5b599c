using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Runtime;

[TestClass]
public class LatencyMeterTests
{
    [TestMethod]
    public void TheRatioIsTheMedianOverThePairs()
    {
        var clock = new Clock();
        // Every fifth run of the compressed model is disturbed.
        var latency = LatencyMeter.Measure(_ => clock.Pass(30), i => clock.Pass(i % 5 == 4 ? 90 : 10), TimeSpan.FromSeconds(2), clock);
        Assert.AreEqual(30, latency.OriginalMs, 1e-6);
        Assert.AreEqual(10, latency.CompressedMs, 1e-6);
        Assert.AreEqual(3, latency.SpeedupMedian, 1e-6);
        Assert.AreEqual(3, latency.SpeedupMax, 1e-6);
        Assert.AreEqual(1 / 3.0, latency.SpeedupMin, 1e-6);
        Assert.AreEqual(2, clock.Seconds, 0.15);
    }

    [TestMethod]
    public void SlowModelsAreMeasuredFivePairs()
    {
        var clock = new Clock();
        var runs = new List<char>();
        LatencyMeter.Measure(_ => { runs.Add('o'); clock.Pass(9000); }, _ => { runs.Add('c'); clock.Pass(9000); }, TimeSpan.FromSeconds(1), clock);
        Assert.AreEqual("ococ" + "oc" + "co" + "oc" + "co" + "oc", string.Concat(runs)); // warm-up, then both take turns at being first
    }

    [TestMethod]
    public void QuickRunsAreRepeatedOnTheSameInputs()
    {
        var clock = new Clock();
        var original = new List<int>();
        var compressed = new List<int>();
        var latency = LatencyMeter.Measure(i => { original.Add(i); clock.Pass(0.02); }, i => { compressed.Add(i); clock.Pass(0.01); }, TimeSpan.Zero, clock);
        Assert.HasCount(2 + 5 * 200, original); // 2 ms a pair
        CollectionAssert.AreEqual(original, compressed);
        Assert.AreEqual(2, latency.SpeedupMedian, 1e-6);
    }

    [TestMethod]
    public void AnInterruptDoesNotMoveABatchOfQuickRuns()
    {
        var clock = new Clock();
        var latency = LatencyMeter.Measure(_ => clock.Pass(0.02), i => clock.Pass(i % 100 == 50 ? 20 : 0.01), TimeSpan.Zero, clock);
        Assert.AreEqual((2.0, 2.0, 2.0), (Math.Round(latency.SpeedupMin, 6), Math.Round(latency.SpeedupMedian, 6), Math.Round(latency.SpeedupMax, 6)));
    }

    [TestMethod]
    public void MeasuresTwoModels()
    {
        var samples = Enumerable.Range(1, 3).Select(i => new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(i, 1, 1, 256) }).ToArray();
        var latency = LatencyMeter.Measure(Net(8), Net(1), samples, null, default, TimeSpan.FromMilliseconds(100))!;
        Assert.IsGreaterThan(1.5, latency.SpeedupMedian);
        Assert.IsNull(LatencyMeter.Measure(Net(1), Net(1), [], null, default));
    }

    private static Model Net(int layers)
    {
        var builder = new ModelBuilder().Input("x", 1, 256).Output("y0", 1, 256).Weight("w", 1, 0.1f, 256, 256);
        for (var i = layers - 1; i >= 0; i--) builder.Node("MatMul", [i == layers - 1 ? "x" : $"y{i + 1}", "w"], [$"y{i}"]);
        return builder.Build();
    }

    private sealed class Clock : TimeProvider
    {
        private long microseconds;
        public double Seconds => microseconds / 1e6;
        public void Pass(double milliseconds) => microseconds += (long)Math.Round(milliseconds * 1000);
        public override long TimestampFrequency => 1_000_000;
        public override long GetTimestamp() => microseconds;
    }
}
