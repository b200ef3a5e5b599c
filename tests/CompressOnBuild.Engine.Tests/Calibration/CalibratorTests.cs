using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Calibration;

[TestClass]
public class CalibratorTests
{
    [TestMethod]
    public void ObservesInputsConstantsInnerValuesAndOutputs()
    {
        var model = Net();
        var samples = Samples(3);
        var statistics = Calibrator.Run(model, samples, new CalibrationRequest { Values = ["x", "w", "c", "r", "y"] }, default);
        Assert.AreEqual(3, statistics.Samples);

        var x = samples.SelectMany(s => s["x"].ToFloats()).ToArray();
        Assert.AreEqual(x.Min(), statistics["x"].Min);
        Assert.AreEqual(x.Max(), statistics["x"].Max);
        Assert.AreEqual(x.Length, statistics["x"].Count);
        CollectionAssert.AreEqual(new long[] { 1, 3, 8, 8 }, statistics["x"].Shape.ToArray());
        CollectionAssert.AreEqual(new long[] { 1, 4, 6, 6 }, statistics["c"].Shape.ToArray());
        Assert.AreEqual(4 * 36, statistics["c"].MeanElements);
        Assert.IsLessThan(0, statistics["c"].Min);
        Assert.AreEqual(0, statistics["r"].Min);
        Assert.AreEqual(statistics["c"].Max, statistics["r"].Max);
        Assert.AreEqual(model.Graph.Initializers[0].Constant!.ToFloats().Max(), statistics["w"].Max);
        Assert.AreEqual(3 * 4 * 36, statistics["y"].Histogram.Counts.ToArray().Sum() + statistics["y"].Histogram.Zeros);
        Assert.AreEqual(1, model.Graph.Outputs.Count);
    }

    [TestMethod]
    public void ChannelMeansAreThoseOfTheValue()
    {
        var samples = Samples(2);
        var statistics = Calibrator.Run(Net(), samples, new CalibrationRequest { Values = ["x"], ChannelMeans = new Dictionary<string, int> { ["x"] = 1 } }, default);
        for (var c = 0; c < 3; c++)
        {
            var expected = samples.SelectMany(s => s["x"].ToFloats().Skip(c * 64).Take(64)).Average(v => (double)v);
            Assert.AreEqual(expected, statistics["x"].ChannelMeans![c], 1e-12);
        }
    }

    [TestMethod]
    [DataRow(1), DataRow(-1)]
    public void ChannelRangesAreThoseOfTheValue(int axis)
    {
        var samples = Samples(2);
        var ranges = Calibrator.Run(Net(), samples, new CalibrationRequest { Values = ["x"], ChannelRanges = new Dictionary<string, int> { ["x"] = axis } }, default)["x"].ChannelRanges!;
        Assert.HasCount(axis == 1 ? 3 : 8, ranges.Min);
        for (var c = 0; c < ranges.Min.Count; c++)
        {
            var of = samples.SelectMany(s => s["x"].ToFloats().Where((_, i) => (axis == 1 ? i / 64 : i % 8) == c)).ToArray();
            Assert.AreEqual((of.Min(), of.Max()), (ranges.Min[c], ranges.Max[c]));
        }
    }

    [TestMethod]
    public void NoChannelRangesOfWhatIsNoNumber()
    {
        var model = new ModelBuilder().Input("x", 1, 4).Output("y", 1, 4).Node("Log", ["x"], ["l"]).Node("Neg", ["l"], ["y"]).Build();
        var statistics = Calibrator.Run(model, [Sample("x", Tensor.Create(new float[] { -1, 1, 1, 2 }, 1, 4))], new CalibrationRequest { Values = ["l", "x"], ChannelRanges = new Dictionary<string, int> { ["l"] = 1, ["x"] = 2 } }, default);
        Assert.IsNull(statistics["l"].ChannelRanges);
        Assert.IsNull(statistics["x"].ChannelRanges, "no such axis");
    }

    [TestMethod]
    public void ThreadsAndPassesDoNotChangeABit()
    {
        var samples = Samples(4);
        var request = new CalibrationRequest { Values = ["x", "c", "r", "y"], ChannelMeans = new Dictionary<string, int> { ["c"] = 1, ["y"] = -1 } };
        var one = Text(Calibrator.Run(Net(), samples, request, default));
        Assert.AreEqual(one, Text(Calibrator.Run(Net(), samples, request with { Threads = 3 }, default)));
        Assert.AreEqual(one, Text(Calibrator.Run(Net(), samples, request with { MemoryBound = 1 }, default)));
    }

    [TestMethod]
    public void CountsNaNAndInfinityApart()
    {
        var model = new ModelBuilder().Input("x", 1, 4).Output("y", 1, 4).Node("Log", ["x"], ["l"]).Node("Neg", ["l"], ["y"]).Build();
        var statistics = Calibrator.Run(model, [Sample("x", Tensor.Create(new float[] { -1, 0, 1, 2 }, 1, 4))], new CalibrationRequest { Values = ["l"] }, default);
        Assert.AreEqual(2, statistics["l"].NonFinite);
        Assert.AreEqual(2, statistics["l"].Count);
        Assert.AreEqual(0, statistics["l"].Min);
        Assert.AreEqual(MathF.Log(2), statistics["l"].Max, 1e-6f);
    }

    [TestMethod]
    public void IntegerValuesHaveAShapeAndNoRange()
    {
        var model = new ModelBuilder().Input("x", -1, 4).Output("y", ElementType.Int64, 2).Node("Relu", ["x"], ["r"]).Node("Shape", ["r"], ["y"]).Build();
        var statistics = Calibrator.Run(model, [Sample("x", ModelBuilder.Random(1, 1, 5, 4))], new CalibrationRequest { Values = ["y", "r"] }, default);
        Assert.AreEqual(ElementType.Int64, statistics["y"].ElementType);
        Assert.AreEqual(2, statistics["y"].Shape.Single());
        Assert.AreEqual(0, statistics["y"].Count);
        Assert.AreEqual(20, statistics["r"].Count);
    }

    [TestMethod]
    public void RefusesANameOfNoValue() =>
        Assert.Throws<ArgumentException>(() => Calibrator.Run(Net(), Samples(1), new CalibrationRequest { Values = ["nothing"] }, default));

    [TestMethod]
    public void ReportsProgress()
    {
        var seen = new List<double>();
        Calibrator.Run(Net(), Samples(4), new CalibrationRequest { Values = ["c"], Progress = seen.Add }, default);
        CollectionAssert.AreEqual(new[] { 0.25, 0.5, 0.75, 1 }, seen);
    }

    [TestMethod]
    public void SamplesAreReadWhenTheirTurnComes()
    {
        var (read, seen) = (0, new List<(int Read, double Done)>());
        var samples = Enumerable.Range(1, 4).Select(i => { read++; return Sample("x", ModelBuilder.Random(i, i, 1, 3, 8, 8)); }).Where(_ => true);
        var statistics = Calibrator.Run(Net(), samples, new CalibrationRequest { Values = ["c"], SampleCount = 4, Progress = f => seen.Add((read, f)) }, default);
        // The first one is read once more, to see how large the values are.
        CollectionAssert.AreEqual(new[] { (2, 0.25), (3, 0.5), (4, 0.75), (5, 1.0) }, seen);
        Assert.AreEqual(Text(Calibrator.Run(Net(), Samples(4), new CalibrationRequest { Values = ["c"] }, default)), Text(statistics));
    }

    private static Model Net() => new ModelBuilder().Input("x", 1, 3, 8, 8).Output("y", 1, 4, 6, 6)
        .Weight("w", 1, 0.3f, 4, 3, 3, 3).Node("Conv", ["x", "w"], ["c"]).Node("Relu", ["c"], ["r"]).Node("Tanh", ["r"], ["y"]).Build();

    private static IReadOnlyDictionary<string, Tensor>[] Samples(int count) => [.. Enumerable.Range(1, count).Select(i => Sample("x", ModelBuilder.Random(i, i, 1, 3, 8, 8)))];

    private static IReadOnlyDictionary<string, Tensor> Sample(string name, Tensor tensor) => new Dictionary<string, Tensor> { [name] = tensor };

    private static string Text(Statistics statistics) => string.Join("\n", statistics.Values.Values.OrderBy(v => v.Name).Select(v =>
        $"{v.Name} {v.Min:R} {v.Max:R} {v.Count} {v.MeanElements} {v.Histogram.Exponent} {v.Histogram.Zeros} [{string.Join(",", v.Histogram.Counts.ToArray())}] {string.Join(",", (v.ChannelMeans ?? []).Select(m => m.ToString("R")))}"));
}
