using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>Every recipe on the two samples of the repository: sizes, accuracy, and a word about each weight.</summary>
[TestClass]
public class SampleRecipeTests
{
    [TestMethod]
    [DataRow("shapes", "int8", 0.24, 0.29), DataRow("shapes", "int8-dynamic", 0.24, 0.29), DataRow("shapes", "int8-weights", 0.24, 0.29), DataRow("shapes", "fp16", 0.48, 0.54), DataRow("shapes", "auto", 0.24, 0.29)]
    [DataRow("tones", "int8", 0.24, 0.3), DataRow("tones", "int8-dynamic", 0.24, 0.3), DataRow("tones", "int8-weights", 0.24, 0.3), DataRow("tones", "fp16", 0.48, 0.54), DataRow("tones", "auto", 0.24, 0.3)]
    public void ARecipeShrinksTheModelAndKeepsItsAccuracy(string name, string recipe, double least, double most)
    {
        using var output = new ScratchFolder();
        var result = Run(name, r => r with { Recipe = recipe, Output = output.Path });
        Assert.AreEqual(Verdict.Pass, result.Verdict);
        var share = (double)new FileInfo(result.OutputModel).Length / result.Original.Bytes;
        Assert.IsTrue(share >= least && share <= most, $"{share:P1} of the original, expected {least:P0} to {most:P0}");
        Assert.IsLessThanOrEqualTo(0.05, result.Measurements.Metrics[0].Drop);
        Assert.IsGreaterThan(0.9, result.Measurements.Metrics[0].Original);
        EveryWeightIsAccountedFor(result);
        Assert.IsTrue(result.Weights.All(w => w.Bits == (recipe == "fp16" ? 16 : 8)));
        var done = result.Weights.Sum(w => w.BytesBefore);
        Assert.IsGreaterThanOrEqualTo(0.8, (double)done / (done + result.Skipped.Sum(s => s.Bytes)));
        Assert.IsEmpty(result.Steps.Where(s => s.Contains("operator set", StringComparison.Ordinal)), "operator set 17 needs no raising");
    }

    [TestMethod]
    public void APaletteTakesHalfAByteOfAWeightAndSaysSo()
    {
        using var output = new ScratchFolder();
        var result = Run("tones", r => r with { Recipe = "palette", Output = output.Path });
        Assert.AreEqual(Verdict.Pass, result.Verdict);
        Assert.IsLessThan(0.2, (double)new FileInfo(result.OutputModel).Length / result.Original.Bytes);
        Assert.IsTrue(result.Weights.All(w => w is { Encoding: "palette", Bits: 4 } && w.Technique.StartsWith("palette by", StringComparison.Ordinal)), string.Join("; ", result.Weights.Select(w => w.Technique)));
        EveryWeightIsAccountedFor(result);
    }

    [TestMethod]
    [DataRow("weights", 8, 0.21), DataRow("palette", 4, 0.15), DataRow("fp16", 16, 0.34)]
    public void HalfOfTheWeightsAreZeroAndTakeABitEach(string form, int bits, double most)
    {
        using var output = new ScratchFolder();
        var recipe = output["half.json"];
        File.WriteAllText(recipe, $$"""{ "version": 1, "rules": [ { "form": "{{form}}", "sparsity": 0.5 } ] }""");
        var result = Run("tones", r => r with { Recipe = recipe, Output = output["out"], MaxAccuracyDrop = 1 });
        var sparse = result.Weights.Where(w => w.Encoding == "sparse-mask").ToArray();
        Assert.IsTrue(sparse.All(w => w.Bits == bits && w.Sparsity is >= 0.49 and < 0.6), string.Join("; ", result.Weights.Select(w => $"{w.Name} {w.Encoding} {w.Sparsity}")));
        Assert.IsGreaterThan(0.8, (double)sparse.Sum(w => w.BytesBefore) / result.Weights.Sum(w => w.BytesBefore));
        Assert.IsLessThan(most, (double)new FileInfo(result.OutputModel).Length / result.Original.Bytes);
        // What is not zero is counted as the network computes it, not as it is stored.
        Assert.AreEqual(result.Original.Parameters, result.Compressed.Parameters, 0.02 * result.Original.Parameters);
        var zeros = result.Weights.Sum(w => w.Sparsity * w.Shape.Aggregate(1L, (a, b) => a * b));
        Assert.AreEqual(result.Compressed.Parameters - zeros, result.Compressed.NonZeroParameters, 0.02 * result.Original.Parameters);
        EveryWeightIsAccountedFor(result);
    }

    [TestMethod]
    public void NoneOnlyMeasures()
    {
        using var output = new ScratchFolder();
        var result = Run("tones", r => r with { Recipe = "none", Output = output.Path });
        CollectionAssert.AreEqual(File.ReadAllBytes(Model("tones")), File.ReadAllBytes(result.OutputModel));
        Assert.AreEqual(Verdict.Pass, result.Verdict);
        Assert.AreEqual(0, result.Measurements.Metrics[0].Drop);
        Assert.IsEmpty(result.Weights);
        Assert.IsTrue(result.Skipped.All(s => s.Code == (s.Name == "lstm.B" ? Codes.OperatorHasNoForm : Codes.RuleLeftAlone)));
        EveryWeightIsAccountedFor(result);
    }

    [TestMethod]
    public void ARecipeFileChoosesWeightsByNameAndOperator()
    {
        using var output = new ScratchFolder();
        var names = Run("shapes", r => r with { Recipe = "none", Output = output.Path }).Skipped;
        var chosen = names.First(s => s.Operator == "Conv" && s.Bytes > 20_000);
        var recipe = output.Write("mine.json", $$"""
            {
              "version": 1,
              "rules": [
                { "form": "weights" },
                { "match": { "operator": "Gemm" }, "form": "none" },
                { "match": { "name": "^{{chosen.Name.Replace(".", "\\\\.")}}$" }, "form": "fp16" }
              ]
            }
            """);
        var result = Run("shapes", r => r with { Recipe = recipe, Output = output["out"] });
        Assert.AreEqual("mine", result.Provenance.RecipeName);
        Assert.AreEqual(chosen.Name, result.Weights.Single(w => w.Bits == 16).Name);
        Assert.IsTrue(result.Weights.Where(w => w.Name != chosen.Name).All(w => w.Bits == 8 && w.Operator == "Conv"));
        Assert.IsTrue(result.Skipped.Any(s => s.Operator == "Gemm" && s.Code == Codes.RuleLeftAlone && s.Because.Contains("mine")));
        Assert.IsTrue(result.InputFiles.Any(f => f.Path == recipe), "a changed recipe makes the result stale");
        EveryWeightIsAccountedFor(result);
    }

    private static CompressionResult Run(string name, Func<CompressionRequest, CompressionRequest> change)
    {
        var folder = Path.GetDirectoryName(Model(name))!;
        // Tones are quick to read; of the pictures the few that the sample keeps for calibration.
        var data = name == "tones" ? Path.Combine(folder, "val.npz") : Path.Combine(folder, "calib");
        try { return Compressor.Run(change(new CompressionRequest { Model = Model(name), Output = "", Name = name, EvaluationData = data, MaxAccuracyDrop = 0.08 }), NullCompressionLog.Instance, default); }
        catch (GateException e) { Assert.Fail(string.Join("\n", e.Errors.Select(d => d.Message))); throw; }
    }

    private static string Model(string name) => Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", name, name + ".onnx");

    private static void EveryWeightIsAccountedFor(CompressionResult result)
    {
        var known = result.Request.Name == "tones" ? 4 : 11;
        Assert.AreEqual(known, result.Weights.Count + result.Skipped.Count);
        Assert.AreEqual(known, result.Weights.Select(w => w.Name).Union(result.Skipped.Select(s => s.Name)).Count());
        foreach (var w in result.Weights)
        {
            Assert.IsGreaterThan(5, w.Because.Length, w.Name);
            Assert.IsLessThan(w.BytesBefore, w.BytesAfter, w.Name);
        }
        foreach (var s in result.Skipped)
        {
            StringAssert.StartsWith(s.Code, "COB2");
            Assert.IsGreaterThan(5, s.Because.Length, s.Name);
        }
    }
}
