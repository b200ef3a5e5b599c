using CompressOnBuild.Diagnostics;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;
using Google.Protobuf;

namespace CompressOnBuild.Engine.Tests;

/// <summary>Two given models against each other: what a compression would have said of the second.</summary>
[TestClass]
public class ModelComparisonTests
{
    [TestMethod]
    [DataRow("int8")]
    [DataRow("int8-dynamic")]
    public void OfAnOriginalAndItsResultRepeatsTheFiguresOfTheCompression(string recipe)
    {
        using var model = Labelled();
        var compressed = model.RunWhateverTheVerdict(r => r with { Recipe = recipe });
        var compared = Compare(model, compressed.OutputModel);
        Assert.AreEqual(compressed.Verdict, compared.Verdict);
        Assert.IsGreaterThan(0, compressed.Measurements.Metrics.Count);
        CollectionAssert.AreEqual(compressed.Measurements.Metrics.ToArray(), compared.Measurements.Metrics.ToArray());
        // A comparison counts numbers as they are stored, scales and codes of zero points among them.
        Assert.AreEqual(compressed.Compressed with { Parameters = 0, NonZeroParameters = 0 }, compared.Compressed with { Parameters = 0, NonZeroParameters = 0 });
        Assert.AreEqual(compressed.Provenance.GateSha256, compared.Provenance.GateSha256);
        Assert.IsNull(compared.Provenance.RecipeName);
        Assert.IsNotNull(compared.Measurements.Latency);
        // Our encodings rename the weights: they are found between the values that kept their names.
        foreach (var weight in compressed.Weights)
        {
            var twin = compared.Weights.SingleOrDefault(w => w.Name == weight.Name);
            Assert.AreEqual((8.0, weight.BytesBefore), (twin?.Bits, twin?.BytesBefore), weight.Name);
        }
    }

    [TestMethod]
    [DataRow("LSTM", 4, 2)]
    [DataRow("GRU", 3, 1)]
    [DataRow("RNN", 1, 2)]
    public void MultiplyAddsOfRecurrentOperatorsFollowFromTheirShapes(string type, int gates, int directions)
    {
        const int Steps = 5, Input = 16, Hidden = 12;
        var network = new ModelBuilder().Input("x", Steps, 1, Input).Output("y", Steps, directions, 1, Hidden)
            .Weight("w", 1, 0.1f, directions, gates * Hidden, Input).Weight("r", 2, 0.1f, directions, gates * Hidden, Hidden)
            .Node(type, ["x", "w", "r"], ["y"], NodeAttribute.Int("hidden_size", Hidden), NodeAttribute.String("direction", directions == 2 ? "bidirectional" : "forward"));
        using var model = new ModelCase(network).With(new NpzBuilder().Floats("x", ModelBuilder.Random(3, 1, 30, Steps, 1, Input).AsSpan<float>().ToArray(), 30, Steps, 1, Input));
        var result = model.RunWhateverTheVerdict(r => r with { Recipe = "int8-weights" });
        Assert.AreEqual(Steps * directions * gates * Hidden * (Input + Hidden), result.Original.MultiplyAdds);
        Assert.AreEqual(result.Original.MultiplyAdds, result.Compressed.MultiplyAdds);
        var compared = Compare(model, result.OutputModel);
        Assert.AreEqual((result.Original.MultiplyAdds, result.Original.MultiplyAdds), (compared.Original.MultiplyAdds, compared.Compressed.MultiplyAdds));
    }

    [TestMethod]
    public void OfAModelWithItselfChangesNothingAndCopiesNothing()
    {
        using var model = Labelled();
        File.Copy(model.Model, model["b.onnx"]);
        var result = Compare(model, model["b.onnx"]);
        Assert.AreEqual(0, result.Measurements.Metrics[0].Drop);
        Assert.IsTrue(result.Weights.All(w => w.Technique == "unchanged" && w.BytesBefore == w.BytesAfter));
        CollectionAssert.AreEquivalent(new[] { "measurements.json", "report.html", "report.json", "report.md" }, Directory.GetFiles(model["out"]).Select(Path.GetFileName).ToArray());
        StringAssert.Contains(File.ReadAllText(model[Path.Combine("out", "report.md")]), "m.onnx → b.onnx");
    }

    [TestMethod]
    public void ABrokenLimitFailsWithTheReportsInTheOutputFolder()
    {
        using var model = Labelled();
        var other = Network.Build();
        foreach (var weight in other.Proto.Graph.Initializer.Where(t => t.Dims.Count > 1)) weight.RawData = ByteString.CopyFrom(new byte[weight.RawData.Length]);
        File.WriteAllBytes(model["b.onnx"], other.Proto.ToByteArray());
        var error = Assert.ThrowsExactly<GateException>(() => Run(model, model["b.onnx"]));
        Assert.AreEqual(Codes.AccuracyDropped, error.Diagnostic.Code);
        Assert.AreEqual(Verdict.Fail, error.Result.Verdict);
        StringAssert.Contains(File.ReadAllText(model[Path.Combine("out", "report.json")]), "\"fail\"");
    }

    [TestMethod]
    public void OutputsAreComparedByNameInWhateverOrder()
    {
        static ModelBuilder Two(params string[] outputs)
        {
            var model = new ModelBuilder().Input("x", -1, 8).Weight("w", 1, 0.5f, 8, 8).Node("MatMul", ["x", "w"], ["a"]).Node("Neg", ["a"], ["b"]);
            foreach (var output in outputs) model.Output(output, -1, 8);
            return model;
        }
        using var model = new ModelCase(Two("a", "b")).With(new NpzBuilder().Floats("x", ModelBuilder.Random(3, 1, 60, 8).AsSpan<float>().ToArray(), 60, 8));
        File.WriteAllBytes(model["b.onnx"], Two("b", "a").Proto.ToByteArray());
        var result = Compare(model, model["b.onnx"]);
        Assert.IsTrue(result.Measurements.Metrics.Where(m => m.Name.StartsWith("cosine", StringComparison.Ordinal)).All(m => m.Compressed > 0.999999), string.Join(", ", result.Measurements.Metrics));
    }

    [TestMethod]
    public void ModelsOfAnotherSurfaceAreRefusedWithEveryDifference()
    {
        using var model = new ModelCase(new ModelBuilder().Input("x", -1, 8).Output("y", -1, 8).Node("Neg", ["x"], ["y"]));
        File.WriteAllBytes(model["b.onnx"], new ModelBuilder().Input("pixels", -1, 8).Output("y", -1, 8).Output("z", -1, 8).Node("Neg", ["pixels"], ["y"]).Node("Abs", ["pixels"], ["z"]).Proto.ToByteArray());
        var error = Assert.ThrowsExactly<CompressionException>(() => Run(model, model["b.onnx"]));
        Assert.AreEqual(Codes.ModelsNotComparable, error.Diagnostic.Code);
        foreach (var part in new[] { "the first has the input 'x', the second has 'pixels'", "the second has the input 'pixels', which the first has not", "the second has the output 'z', which the first has not" })
            StringAssert.Contains(error.Message, part);
        Assert.IsFalse(Directory.Exists(model["out"]));
    }

    private static ModelCase Labelled()
    {
        var network = Network.Build();
        return new ModelCase(network).With(Network.Labelled(network, Network.Pictures(120)));
    }

    private static CompressionResult Run(ModelCase model, string second) =>
        ModelComparison.Run(model.Request with { Candidate = second, Output = model[second.Contains("out", StringComparison.Ordinal) ? "compared" : "out"] }, NullCompressionLog.Instance, default);

    private static CompressionResult Compare(ModelCase model, string second)
    {
        try { return Run(model, second); }
        catch (GateException e) { return e.Result; }
    }
}
