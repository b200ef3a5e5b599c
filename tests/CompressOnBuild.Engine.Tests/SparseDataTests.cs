using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>Hardly any data, or hardly a model: a verdict all the same.</summary>
[TestClass]
public class SparseDataTests
{
    [TestMethod]
    [DataRow(1), DataRow(2), DataRow(9)]
    public void FewSamplesWarnAndNeverCrash(int count)
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(count)));
        var result = model.RunWhateverTheVerdict();
        CollectionAssert.Contains(result.Warnings.Select(w => w.Code).ToArray(), Codes.FewSamples);
        // Up to two samples leave one to the gate: it has no interval, and one right answer shows nothing.
        Assert.AreEqual(Verdict.Inconclusive, result.Verdict);
        Assert.AreEqual(Verdict.Inconclusive, result.Measurements.Metrics[0].Verdict);
        Assert.IsGreaterThanOrEqualTo(3, result.Weights.Count);
    }

    [TestMethod]
    [DataRow(1, "none", Verdict.Pass), DataRow(9, "none", Verdict.Pass), DataRow(9, "int8-weights", Verdict.Inconclusive), DataRow(60, "int8-weights", Verdict.Pass)]
    public void FewSamplesOfASimilarityPassOnlyWhereNothingChanged(int count, string recipe, Verdict expected)
    {
        using var model = new ModelCase(Network.Build()).With(Network.Unlabelled(Network.Pictures(count)));
        var result = model.Run(r => r with { Recipe = recipe, Metrics = ["cosine"] });
        Assert.AreEqual(expected, result.Verdict, $"drop {result.Measurements.Metrics[0].Drop}");
        Assert.AreEqual(expected == Verdict.Inconclusive, result.Warnings.Any(w => w.Code == Codes.Undecided));
    }

    [TestMethod]
    public void AModelWithoutWeightsPassesUnchanged()
    {
        using var model = new ModelCase(new ModelBuilder().Input("x", -1, 8).Output("y", -1, 8).Node("Relu", ["x"], ["y"])).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 30, 8).ToFloats(), 30, 8));
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.02 });
        Assert.AreEqual(result.Original.Sha256, result.Compressed.Sha256);
        Assert.AreEqual(Verdict.Pass, result.Verdict);
        Assert.IsEmpty(result.Weights);
    }

    [TestMethod]
    public void DataThatAreAlwaysZeroAreSurvived()
    {
        using var model = new ModelCase(Network.Build()).With(Network.Unlabelled([.. Enumerable.Range(0, 20).Select(i => new float[Network.Channels * Network.Side * Network.Side])]));
        var result = model.RunWhateverTheVerdict();
        Assert.IsTrue(double.IsFinite(result.Measurements.Metrics[0].Drop), "a figure that is no number judges nothing");
        Assert.AreNotEqual(Verdict.Unmeasured, result.Verdict);
    }

    [TestMethod]
    public void OutputsThatAreNoNumbersAreNotCalledEqualAccuracy()
    {
        var b = new ModelBuilder().Input("x", -1, 64).Output("y", -1, 64).Weight("w", 1, 0.2f, 64, 64).Node("MatMul", ["x", "w"], ["a"]).Node("Log", ["a"], ["y"]);
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 30, 64).ToFloats(), 30, 64));
        var result = model.RunWhateverTheVerdict(r => r with { MaxAccuracyDrop = 0.02 });
        // Half of the logarithms are NaN in the original too: what can be compared is compared.
        Assert.IsTrue(double.IsFinite(result.Measurements.Metrics[0].Drop) || result.Verdict != Verdict.Pass, $"{result.Verdict}, drop {result.Measurements.Metrics[0].Drop}");
    }

    [TestMethod]
    [DataRow(true), DataRow(false)]
    public void AnInfiniteScoreHidesNoRuin(bool named)
    {
        // One score is always -infinity (masked), the others are destroyed by a weight with an outlier per column.
        const int Size = 64;
        var w = ModelBuilder.Random(1, 0.02f, Size, Size).ToFloats();
        for (var c = 0; c < Size; c++) w[c] = 1000;
        var mask = new float[Size];
        mask[3] = float.NegativeInfinity;
        var b = new ModelBuilder().Input("x", -1, Size).Output("y", -1, Size).Initializer("w", w, Size, Size).Initializer("m", mask, Size).Node("MatMul", ["x", "w"], ["a"]).Node("Add", ["a", "m"], ["y"]);
        var x = ModelBuilder.Random(1, 1, 30, Size).ToFloats();
        for (var i = 0; i < x.Length; i += Size) x[i] = 0; // the outliers' input is silent
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", x, 30, Size));
        var result = model.RunWhateverTheVerdict(r => r with { Recipe = "int8-weights", Metrics = named ? ["cosine"] : [] });
        Assert.AreEqual(1, result.Measurements.Metrics[0].Original);
        Assert.IsGreaterThan(0.5, result.Measurements.Metrics[0].Drop);
        Assert.AreEqual(Verdict.Fail, result.Verdict);
    }

    [TestMethod]
    public void AWeightThatTwoLayersShareIsStoredOnce()
    {
        var b = new ModelBuilder().Input("x", -1, 64).Output("y", -1, 64).Weight("w", 1, 0.1f, 64, 64).Node("MatMul", ["x", "w"], ["a"]).Node("Tanh", ["a"], ["t"]).Node("MatMul", ["t", "w"], ["y"]);
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 30, 64).ToFloats(), 30, 64));
        foreach (var recipe in new[] { "auto", "int8", "int8-dynamic", "int8-weights", "fp16" })
        {
            var result = model.Run(r => r with { MaxAccuracyDrop = 0.05, Recipe = recipe });
            Assert.AreEqual("w", result.Weights.Single().Name);
            Assert.IsLessThan(result.Original.Bytes, result.Compressed.Bytes);
            CompressorTests.Close(model.Model, result.OutputModel, 0.08, ("x", ModelBuilder.Random(5, 1, 2, 64)));
        }
    }
}
