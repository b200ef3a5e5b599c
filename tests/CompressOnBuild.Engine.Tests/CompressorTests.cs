using CompressOnBuild.Diagnostics;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>The whole way of a model: what a run without data does, what a failed run leaves.</summary>
[TestClass]
public class CompressorTests
{
    [TestMethod]
    public void WithoutDataWeightsBecomeIntegersAndTheVerdictIsUnmeasured()
    {
        using var model = new ModelCase(Network.Build());
        var result = model.Run();
        Assert.AreEqual(Verdict.Unmeasured, result.Verdict);
        CollectionAssert.Contains(result.Warnings.Select(w => w.Code).ToArray(), Codes.NoData);
        Assert.IsEmpty(result.Measurements.Metrics);
        Assert.IsNull(result.Provenance.GateSha256);
        Assert.IsTrue(result.Weights.Count(w => w.Bits == 8 && w.Encoding == "cast-mul") >= 3, string.Join(", ", result.Weights.Select(w => w.Encoding)));
        Assert.IsTrue(result.Weights.All(w => w.SignalToNoise is > 30 and < 70), string.Join(", ", result.Weights.Select(w => w.SignalToNoise)));
        Assert.IsLessThan(0.3, (double)result.Compressed.Bytes / result.Original.Bytes);
        Close(model.Model, result.OutputModel, 0.03, ("x", Tensor.Create(Network.Picture(2, 7), 1, Network.Channels, Network.Side, Network.Side)));
    }

    [TestMethod]
    public void AModelThatIsNewerThanItsRuntimeIsAWarningAndGetsFormsOfThatRuntime()
    {
        var product = new ModelBuilder(22, 10).Input("x", 1, 256).Output("y", 1, 256).Weight("w", 1, 1, 256, 256).Node("MatMul", ["x", "w"], ["y"]);
        using var model = new ModelCase(product);
        var result = model.Run(r => r with { Recipe = "int8-weights", OnnxRuntimeVersion = "1.20.1" });
        StringAssert.Contains(result.Warnings.Single(w => w.Code == Codes.RuntimeTooOld).Message, "operator set 22, and ONNX Runtime 1.20.1 runs up to 21. It is compressed all the same, and may not load there. Reference 1.21 or newer");
        Assert.AreEqual("cast-mul", result.Weights.Single().Encoding);
        Assert.AreEqual(("1.20.1", false), (result.Provenance.Runtime!.Version, result.Provenance.Runtime.IsAssumed));

        result = model.Run(r => r with { Recipe = "int8-weights" });
        Assert.AreEqual("matmul-dq", result.Weights.Single().Encoding);
        Assert.IsTrue(result.Provenance.Runtime!.IsAssumed);
        Assert.IsEmpty(result.Warnings.Where(w => w.Code == Codes.RuntimeTooOld));
    }

    [TestMethod]
    public void APackedModelShipsFewerBytesAndIsTheModelAgain()
    {
        using var model = new ModelCase(Network.Build());
        var plain = model.Run();
        var result = model.Run(r => r with { Packed = true });
        var packed = File.ReadAllBytes(result.PackedModel!);
        Assert.AreEqual((plain.Compressed.Sha256, plain.Compressed.Bytes, (long)packed.Length), (result.Compressed.Sha256, result.Compressed.Bytes, result.Compressed.ShippedBytes));
        Assert.IsLessThan(plain.Compressed.Bytes, result.Compressed.ShippedBytes);
        using (var stream = new CompressOnBuild.Transport.PackedModelStream(new MemoryStream(packed)))
            CollectionAssert.AreEqual(File.ReadAllBytes(result.OutputModel), stream.ReadToEnd());
        Assert.Contains($"\"shippedBytes\": {packed.Length}", File.ReadAllText(model["out/report.json"]));
        Assert.Contains("| size unpacked |", File.ReadAllText(model["out/report.md"]));

        // A limit on the size is one on what ships.
        model.Run(r => r with { Packed = true, MaxSize = new SizeLimit(packed.Length, null) });
        Assert.AreEqual(Codes.TooLarge, Assert.ThrowsExactly<GateException>(() => model.Run(r => r with { MaxSize = new SizeLimit(packed.Length, null) })).Diagnostic.Code);

        // Nothing of an earlier request stays.
        Assert.IsNull(model.Run().PackedModel);
        Assert.IsFalse(File.Exists(result.PackedModel!));
    }

    [TestMethod]
    public void ALimitThatNoLossCouldBreakIsAnError()
    {
        using var model = new ModelCase(Network.Build()).With(Network.Unlabelled(Network.Pictures(16)));
        var error = Assert.ThrowsExactly<CompressionException>(() => model.Run(r => r with { Metrics = ["agreement"], MaxAccuracyDrop = 10 }));
        Assert.AreEqual(Codes.LimitNeverBroken, error.Diagnostic.Code);
        StringAssert.Contains(error.Diagnostic.Message, "10 points are 0.1");
        model.Run(r => r with { Metrics = ["agreement"], MaxAccuracyDrop = 1 });
    }

    [TestMethod]
    public void ALimitWithoutDataIsAnError()
    {
        using var model = new ModelCase(Network.Build());
        foreach (var change in new Func<CompressionRequest, CompressionRequest>[]
        {
            r => r with { MaxAccuracyDrop = 0.02 }, r => r with { Require = [new Requirement("top1", true, 0.5)] }, r => r with { MaxLatency = 0.9 },
        })
        {
            var error = Assert.ThrowsExactly<CompressionException>(() => model.Run(change));
            Assert.AreEqual(Codes.LimitWithoutData, error.Diagnostic.Code);
        }
        Assert.IsFalse(Directory.Exists(model["out"]), "nothing is written");
        Assert.AreEqual(Codes.TooLarge, Assert.ThrowsExactly<GateException>(() => model.Run(r => r with { MaxSize = new SizeLimit(10, null) })).Diagnostic.Code, "sizes need no data");
    }

    [TestMethod]
    public void WithoutLabelsTheOriginalIsTheReference()
    {
        using var scores = new ModelCase(Network.Build()).With(Network.Unlabelled(Network.Pictures(40)));
        var scored = scores.RunWhateverTheVerdict(r => r with { Recipe = "int8-weights" }).Measurements;
        CollectionAssert.AreEqual(new[] { "cosine", "sqnr" }, scored.Metrics.Select(m => m.Name).ToArray());
        Assert.AreEqual((scored.Metrics[0].Samples, 0), (scored.Changes!.Samples, scored.Changes.Decided), "figures alone are no decisions");
        var network = Network.Build();
        network.Proto.Graph.Output[0].Name = "p";
        using var shares = new ModelCase(network.Node("Softmax", ["y"], ["p"])).With(Network.Unlabelled(Network.Pictures(40)));
        var result = shares.RunWhateverTheVerdict(r => r with { Recipe = "int8-weights" });
        CollectionAssert.AreEqual(new[] { "agreement", "kl", "cosine" }, result.Measurements.Metrics.Select(m => m.Name).ToArray());
        Assert.AreEqual(1, result.Measurements.Metrics[0].Original, "the original agrees with itself");
        var changes = result.Measurements.Changes!;
        Assert.AreEqual(1 - (double)changes.Changed / changes.Decided, result.Measurements.Metrics[0].Compressed, 1e-12);
        Assert.AreEqual(changes.Samples, changes.Equal + changes.Histogram.Sum(b => b.Samples));
    }

    [TestMethod]
    public void AFailedRunLeavesTheLastGoodOutputAndSaysWhyBesideIt()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(40)));
        model.Run(r => r with { Recipe = "int8-weights", MaxAccuracyDrop = 0.2 });
        var good = model.Outputs();
        Assert.IsGreaterThan(3, good.Length);

        var error = Assert.ThrowsExactly<GateException>(() => model.Run(r => r with { Recipe = "int8", MaxAccuracyDrop = 0.2, Require = [new Requirement("top1", true, 1.1)] }));
        Assert.AreEqual(Codes.RequirementMissed, error.Diagnostic.Code);
        CollectionAssert.AreEqual(good, model.Outputs());
        StringAssert.Contains(File.ReadAllText(model[Path.Combine("out", "failed", "report.json")]), "\"fail\"");
        foreach (var file in new[] { "report.md", "report.html", "measurements.json" }) Assert.IsTrue(File.Exists(model[Path.Combine("out", "failed", file)]), file);

        File.WriteAllText(model.Model, "broken");
        Assert.ThrowsExactly<CompressionException>(() => model.Run(r => r with { Recipe = "int8" }));
        CollectionAssert.AreEqual(good, model.Outputs());
    }

    [TestMethod]
    public void TheReportsOfAFailureNameEveryBrokenLimitWithFigureAndLimit()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(40)));
        var error = Assert.ThrowsExactly<GateException>(() => model.Run(r => r with
        { Recipe = "int8-weights", MaxAccuracyDrop = 0.2, Require = [new Requirement("top1", true, 1.1)], MaxSize = new SizeLimit(10, null), MaxLatency = 0.0001 }));
        string[] codes = [Codes.RequirementMissed, Codes.TooLarge, Codes.TooSlow];
        CollectionAssert.AreEqual(codes, error.Errors.Select(e => e.Code).ToArray());
        foreach (var broken in error.Errors) Assert.Contains($"The reports of this attempt are in '{model[Path.Combine("out", "failed")]}'", broken.Message);
        foreach (var file in new[] { "report.md", "report.html", "measurements.json" })
        {
            var text = File.ReadAllText(model[Path.Combine("out", "failed", file)]);
            foreach (var code in codes) Assert.Contains(code, text, file);
            Assert.Contains("required is at least 1.1", text, file);
            Assert.Contains("the limit is 10 bytes", text, file);
            Assert.Contains("the limit is 0.01 %", text, file);
            Assert.DoesNotContain(model["out"], text, "no path of the machine");
        }
        Assert.Contains("but the requirement on top1 and MaxSize and MaxLatency is not met", File.ReadAllText(model[Path.Combine("out", "failed", "report.md")]));
    }

    [TestMethod]
    public void AGoodRunTakesTheFailedAttemptAway()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(40)));
        Assert.ThrowsExactly<GateException>(() => model.Run(r => r with { Recipe = "int8-weights", Require = [new Requirement("top1", true, 1.1)] }));
        Assert.IsTrue(Directory.Exists(model[Path.Combine("out", "failed")]));
        model.Run(r => r with { Recipe = "int8-weights", MaxAccuracyDrop = 0.2 });
        Assert.IsFalse(Directory.Exists(model[Path.Combine("out", "failed")]), "the report of a failure that is over would mislead");
    }

    /// <summary>Both models give outputs of the same shapes that differ by at most <paramref name="tolerance"/> times the largest magnitude.</summary>
    internal static void Close(string original, string compressed, double tolerance, params (string, Tensor)[] inputs)
    {
        var (expected, actual) = (ModelCase.Infer(original, inputs), ModelCase.Infer(compressed, inputs));
        Assert.HasCount(expected.Length, actual);
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.AreEqual(e.ToString(), a.ToString());
            if (!e.ElementType.IsFloat()) { CollectionAssert.AreEqual(e.Data.ToArray(), a.Data.ToArray()); continue; }
            float[] x = e.ToFloats(), y = a.ToFloats();
            var largest = x.Max(Math.Abs);
            for (var i = 0; i < x.Length; i++) Assert.AreEqual(x[i], y[i], tolerance * largest, $"element {i}");
        }
    }
}
