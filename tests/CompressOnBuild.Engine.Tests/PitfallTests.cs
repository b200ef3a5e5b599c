using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>Models with a trap in them: each found a way to a wrong or missing result once.</summary>
[TestClass]
public class PitfallTests
{
    [TestMethod]
    [DataRow("int8"), DataRow("auto")]
    public void AWeightThatTwoConvolutionsShareIsCompressedOnce(string recipe)
    {
        var b = new ModelBuilder(17, 8).Input("x", 1, 32, 24, 24).Output("y", 1, 32, 24, 24).Weight("w", 1, 0.1f, 32, 32, 3, 3)
            .Node("Conv", ["x", "w"], ["a"], NodeAttribute.Ints("pads", 1, 1, 1, 1)).Node("Relu", ["a"], ["r"])
            .Node("Conv", ["r", "w"], ["y"], NodeAttribute.Ints("pads", 1, 1, 1, 1));
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 40, 32, 24, 24).ToFloats(), 40, 32, 24, 24));
        var result = model.RunWhateverTheVerdict(r => r with { MaxAccuracyDrop = 0.05, Recipe = recipe });
        Assert.AreEqual(1, result.Weights.Count);
        Assert.AreEqual("qdq", result.Weights[0].Encoding);
        Assert.IsTrue(result.Compressed.Bytes < 0.4 * result.Original.Bytes);
    }

    [TestMethod]
    public void TheNumberOfThreadsNeverReachesTheBytes()
    {
        // Channel counts that no vector width divides: the runtime then splits its sums by the number of threads.
        var b = new ModelBuilder(17, 8).Input("x", 1, 100, 64).Output("y", 1, 100, 64);
        for (var i = 0; i < 3; i++)
            b.Weight($"w{i}", i, 0.05f, 100, 100, 9).Weight($"b{i}", 9 + i, 0.5f, 100)
                .Node("Conv", [i == 0 ? "x" : $"a{i - 1}", $"w{i}", $"b{i}"], [i == 2 ? "y" : $"a{i}"], NodeAttribute.Ints("pads", 4, 4));
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 24, 100, 64).ToFloats(), 24, 100, 64));
        var hashes = new[] { 1, 2, 8, 16 }.Select(threads => model.RunWhateverTheVerdict(r => r with { Recipe = "int8", Threads = threads }).Compressed.Sha256).Distinct().ToArray();
        Assert.HasCount(1, hashes);
    }

    [TestMethod]
    public void AModelThatDrawsRandomNumbersIsCompressedWithAWarning()
    {
        var b = new ModelBuilder(17, 8).Input("x", -1, 64).Output("y", -1, 64).Weight("w", 1, 0.2f, 64, 64)
            .Node("MatMul", ["x", "w"], ["a"]).Node("RandomNormalLike", ["a"], ["n"]).Node("Add", ["a", "n"], ["y"]);
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 30, 64).ToFloats(), 30, 64));
        var result = model.RunWhateverTheVerdict(r => r with { Recipe = "int8-weights", MaxAccuracyDrop = 1 });
        Assert.IsTrue(result.Warnings.Any(w => w.Code == Codes.NotDeterministic));
        Assert.HasCount(1, result.Weights);
    }

    [TestMethod]
    public void AWeightThatACallerMaySetStaysAnInput()
    {
        var b = new ModelBuilder(17, 8).Input("x", -1, 64).Input("w", 64, 64).Output("y", -1, 64).Weight("w", 1, 0.2f, 64, 64).Weight("v", 2, 0.2f, 64, 64)
            .Node("MatMul", ["x", "w"], ["a"]).Node("MatMul", ["a", "v"], ["y"]);
        using var model = new ModelCase(b);
        var result = model.Run();
        CollectionAssert.AreEqual(new[] { "x", "w" }, OnnxReader.Load(result.OutputModel).Graph.Inputs.Select(v => v.Name).ToArray());
        CollectionAssert.AreEqual(new[] { "v" }, result.Weights.Select(w => w.Name).ToArray());
    }
}
