using CompressOnBuild.Encodings;
using CompressOnBuild.Engine.Tests.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Techniques.Quantization;

[TestClass]
public class BiasCorrectionTests
{
    [TestMethod]
    [DataRow(1), DataRow(2), DataRow(6)]
    public void IsTheErrorOfTheRoundedLayerOnTheMeanInput(int groups)
    {
        // Literal: both layers on a picture that is the channel means everywhere; their difference is the correction.
        const int Rows = 6, Channels = 12, Kernel = 3;
        var columns = Channels / groups;
        float[] w = ModelBuilder.Random(1, 1, Rows, columns, Kernel, Kernel).ToFloats(), means = ModelBuilder.Random(2, 1, Channels).ToFloats();
        var q = RoundToNearest.Quantize(w, [Rows, columns, Kernel, Kernel], [0], 4).Decompress();
        var picture = Tensor.Create([.. means.SelectMany(m => Enumerable.Repeat(m, Kernel * Kernel))], 1, Channels, Kernel, Kernel);
        float[] exact = Layer(w), rounded = Layer(q);
        var correction = BiasCorrection.Correction(w, q, means, Rows, columns, groups);
        for (var m = 0; m < Rows; m++) Assert.AreEqual(exact[m] - rounded[m], correction[m], 1e-4);

        float[] Layer(float[] weights) => EncodedCase.Run(new ModelBuilder().Input("x", 1, Channels, Kernel, Kernel).Output("y", 1, Rows, 1, 1).Initializer("w", weights, Rows, columns, Kernel, Kernel)
            .Node("Conv", ["x", "w"], ["y"], NodeAttribute.Int("group", groups)).Build(), new Dictionary<string, Tensor> { ["x"] = picture }, optimize: false)[0].ToFloats();
    }

    [TestMethod]
    public void LeavesOutACorrectionBeyondTwiceTheLargestBias() =>
        CollectionAssert.AreEqual(new[] { 1.5f, -2f, 1f, -6f }, BiasCorrection.Corrected([1, -2, 1, -2], [0.5, 4.1, -4.5, -4]));

    [TestMethod]
    public void TheStaticFormCarriesTheCorrectedBiasOnceTheMeansAreKnown()
    {
        var model = new ModelBuilder().Input("x", 1, 4, 8, 8).Output("y", 1, 8, 6, 6).Weight("w", 1, 1, 8, 4, 3, 3).Initializer("b", [5, 5, 5, 5, 5, 5, 5, 5], 8).Node("Conv", ["x", "w", "b"], ["y"]).Build();
        var ranges = EncodedCase.Ranges(model, EncodedCase.Inputs(model));
        var plan = new Plan([new WeightDecision("w", WeightForm.Static, EncodingTable.Static.Id, 4, "")], [.. ranges.Select(r => new ValueDecision(r.Key, new(r.Value.Scale, r.Value.Zero)))], true);
        Assert.AreEqual("b", Bias([]));
        float[] means = [0.5f, -0.2f, 0.1f, 0.9f];
        Assert.AreNotEqual("b", Bias(new() { ["x"] = means }));
        Assert.AreEqual("b", Bias(new() { ["x"] = [1f] }));
        Assert.AreEqual("b", Bias(new() { ["other"] = means }));

        string Bias(Dictionary<string, float[]> known) => new Transformer(model, known).Apply(plan).AllNodes().Single(n => n.Is("Conv")).Input(2)!.Name;
    }
}
