using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>Models that are stored or shaped in ways of their own: each is compressed and computes what it did, or says why not.</summary>
[TestClass]
public class UnusualModelTests
{
    private const int Wide = 64;

    [TestMethod]
    public void FunctionsPassThrough()
    {
        var b = new ModelBuilder(17, 8).Input("x", -1, Wide).Output("y", -1, Wide).Weight("w", 1, 0.2f, Wide, Wide).Weight("v", 2, 0.2f, Wide, Wide).Import("mine", 1)
            .Node("MatMul", ["x", "w"], ["a"]).NodeIn("mine", "Twice", ["a"], ["b"]).Node("MatMul", ["b", "v"], ["y"]);
        b.Proto.Functions.Add(new FunctionProto
        {
            Name = "Twice", Domain = "mine", Input = { "p" }, Output = { "q" }, Node = { new NodeProto { OpType = "Add", Input = { "p", "p" }, Output = { "q" } } },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } },
        });
        var written = Compress(b, Rows(b, 30), "x");
        Assert.AreEqual("Twice", OnnxWriter.ToProto(written).Functions.Single().Name);
        Assert.IsTrue(written.Graph.Nodes.Any(n => n.OpType == "Twice"));
    }

    [TestMethod]
    public void OperatorsOfTheRuntimesOwnDomainPassThrough()
    {
        var b = new ModelBuilder().Import("com.microsoft", 1).Input("x", -1, Wide).Output("y", -1, Wide).Weight("w", 1, 0.2f, Wide, Wide).Weight("v", 2, 0.2f, Wide, Wide)
            .Node("MatMul", ["x", "w"], ["a"]).NodeIn("com.microsoft", "QuickGelu", ["a"], ["b"]).Node("MatMul", ["b", "v"], ["y"]);
        Assert.IsTrue(Compress(b, Rows(b, 30), "x").Graph.Nodes.Any(n => n.OpType == "QuickGelu"));
    }

    [TestMethod]
    public void AnOperatorThatNobodyKnowsIsToldByItsName()
    {
        var b = new ModelBuilder().Import("nobody", 1).Input("x", -1, Wide).Output("y", -1, Wide).NodeIn("nobody", "Mystery", ["x"], ["y"]);
        using var model = new ModelCase(b);
        var error = Assert.ThrowsExactly<CompressionException>(() => model.Run());
        Assert.AreEqual(Codes.RuntimeRefused, error.Diagnostic.Code);
        StringAssert.Contains(error.Diagnostic.Message, "Mystery");
    }

    [TestMethod]
    [DataRow(7), DataRow(8), DataRow(11)]
    public void AnOldOperatorSetIsRaisedAndInputsThatRepeatWeightsGo(int opset)
    {
        var b = new ModelBuilder(opset, 3).Input("x", 1, 8, 12, 12).Output("y", 1, 16, 12, 12).Weight("w", 1, 0.2f, 16, 8, 3, 3).Weight("v", 2, 0.2f, 16, 16, 3, 3);
        foreach (var (name, shape) in new[] { ("w", new long[] { 16, 8, 3, 3 }), ("v", [16, 16, 3, 3]) }) b.Input(name, shape);
        b.Node("Conv", ["x", "w"], ["a"], NodeAttribute.Ints("pads", 1, 1, 1, 1)).Node("Relu", ["a"], ["r"]).Node("Conv", ["r", "v"], ["y"], NodeAttribute.Ints("pads", 1, 1, 1, 1));
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 30, 8, 12, 12).ToFloats(), 30, 8, 12, 12));
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.02, Recipe = "int8" });
        StringAssert.Contains(string.Join("\n", result.Steps), $"raised operator set {opset} to 13");
        Assert.HasCount(2, result.Weights);
        CollectionAssert.AreEqual(new[] { "x" }, OnnxReader.Load(result.OutputModel).Graph.Inputs.Select(v => v.Name).ToArray());
        CompressorTests.Close(model.Model, result.OutputModel, 0.1, ("x", ModelBuilder.Random(5, 1, 1, 8, 12, 12)));
    }

    [TestMethod]
    public void AnOperatorSetThatCannotBeRaisedStaysAndItsFormsAreUsed()
    {
        var b = new ModelBuilder(10, 5).Input("x", -1, 1, 8, Wide).Output("y", -1, 1, 8, Wide).Output("z", -1, 1, 16, 32).Weight("w", 1, 0.2f, Wide, Wide).Initializer("s", [1, 1, 2, 0.5f], 4)
            .Node("MatMul", ["x", "w"], ["y"]).Node("Resize", ["x", "s"], ["z"]);
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 30, 1, 8, Wide).ToFloats(), 30, 1, 8, Wide));
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.02 });
        StringAssert.Contains(string.Join("\n", result.Steps), "operator set 10 cannot be raised to 13");
        Assert.AreEqual(10, OnnxReader.Load(result.OutputModel).Opset());
        Assert.AreEqual("cast-mul", result.Weights.Single().Encoding);
    }

    [TestMethod]
    [DataRow("int8-weights"), DataRow("none")]
    public void ExternalDataBecomeOneFile(string recipe)
    {
        var b = new ModelBuilder().Input("x", -1, Wide).Output("y", -1, Wide).Weight("w", 1, 0.2f, Wide, Wide).Weight("v", 2, 0.2f, Wide, Wide).Node("MatMul", ["x", "w"], ["a"]).Node("MatMul", ["a", "v"], ["y"]);
        using var model = new ModelCase(b).With(Rows(b, 30));
        OnnxWriter.Write(b.Build(), model.Model, externalData: true);
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.02, Recipe = recipe });
        Assert.AreEqual(new FileInfo(model.Model).Length + new FileInfo(model.Model + ".data").Length, result.Original.Bytes);
        Assert.IsTrue(result.InputFiles.Any(f => f.Path.EndsWith("m.onnx.data", StringComparison.Ordinal)));
        Assert.IsFalse(File.Exists(result.OutputModel + ".data"));
        Assert.IsEmpty(OnnxReader.Load(result.OutputModel).ExternalFiles);
        // The runtime gets bytes here, so nothing else can be read.
        var x = ModelBuilder.Random(5, 1, 1, Wide);
        var (expected, actual) = (ModelCase.Infer(Save(b, model["whole.onnx"]), ("x", x))[0].ToFloats(), ModelCase.Infer(result.OutputModel, ("x", x))[0].ToFloats());
        for (var i = 0; i < expected.Length; i++) Assert.AreEqual(expected[i], actual[i], recipe == "none" ? 0 : 0.1);
    }

    [TestMethod]
    public void WeightsInHalfPrecisionAreCompressedFromWhatTheyHold()
    {
        var values = Array.ConvertAll(ModelBuilder.Random(1, 0.2f, Wide, Wide).ToFloats(), v => (Half)v);
        var b = new ModelBuilder().Input("x", ElementType.Float16, -1, Wide).Output("y", ElementType.Float16, -1, Wide).Initializer("w", Tensor.Create(values, Wide, Wide)).Node("MatMul", ["x", "w"], ["y"]);
        using var model = new ModelCase(b).With(new NpzBuilder().Array("x", "<f2", Array.ConvertAll(ModelBuilder.Random(1, 1, 30, Wide).ToFloats(), v => (Half)v), 30, Wide));
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.02 });
        Assert.AreEqual((8, 2L * Wide * Wide), (result.Weights.Single().Bits, result.Weights.Single().BytesBefore));
        Assert.IsLessThan(0.6 * result.Original.Bytes, result.Compressed.Bytes);
        Assert.AreEqual(Verdict.Pass, result.Verdict);
        // The interface stays in halves.
        Assert.AreEqual(ElementType.Float16, ModelCase.Infer(result.OutputModel, ("x", Tensor.Create(Array.ConvertAll(ModelBuilder.Random(2, 1, 1, Wide).ToFloats(), v => (Half)v), 1, Wide)))[0].ElementType);
    }

    [TestMethod]
    [DataRow("auto"), DataRow("none")]
    public void ConstantsOutsideTheOperatorTableAreInTheReport(string recipe)
    {
        const int Wider = 256;
        var b = new ModelBuilder().Input("x", -1, Wider).Output("y", -1, Wider).Weight("w", 1, 0.1f, Wider, Wider).Weight("gain", 2, 1, 1, Wider)
            .Node("MatMul", ["x", "w"], ["a"]).Node("Tanh", ["a"], ["t"]).Node("Mul", ["t", "gain"], ["y"]);
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 30, Wider).ToFloats(), 30, Wider));
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.05, Recipe = recipe });
        var gain = result.Skipped.Single(s => s.Name == "gain");
        Assert.AreEqual((Codes.OperatorHasNoForm, "Mul", 4L * Wider), (gain.Code, gain.Operator, gain.Bytes));
        StringAssert.Contains(File.ReadAllText(model[Path.Combine("out", "report.json")]), "no operator that reads it has a compressed form for it");
        Assert.HasCount(2, result.Weights.Select(w => w.Name).Concat(result.Skipped.Select(s => s.Name)).ToArray());
    }

    [TestMethod]
    public void AQuantizedModelIsNotQuantizedAgain()
    {
        var network = Planning.Network.Build();
        using var first = new ModelCase(network).With(Planning.Network.Labelled(network, Planning.Network.Pictures(80)));
        var once = first.Run(r => r with { Recipe = "int8", MaxAccuracyDrop = 0.05 });
        Assert.AreEqual("qdq", once.Weights.Single(w => w.Name == "w1").Encoding);
        using var second = new ModelCase(File.ReadAllBytes(once.OutputModel)).With(Planning.Network.Labelled(network, Planning.Network.Pictures(80)));
        foreach (var recipe in new[] { "auto", "int8", "fp16" })
        {
            var twice = second.Run(r => r with { MaxAccuracyDrop = 0.05, Recipe = recipe });
            Assert.IsEmpty(twice.Weights, recipe);
            Assert.AreEqual(once.Compressed.Sha256, twice.Compressed.Sha256, "integer weights were restored and written anew");
        }
    }

    [TestMethod]
    public void BatchesOfAnySizeStillRun()
    {
        var b = Planning.Network.Build();
        using var model = new ModelCase(b).With(Planning.Network.Labelled(b, Planning.Network.Pictures(80)));
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.05 });
        CompressorTests.Close(model.Model, result.OutputModel, 0.1, ("x", Tensor.Create([.. Planning.Network.Pictures(3).SelectMany(p => p)], 3, Planning.Network.Channels, Planning.Network.Side, Planning.Network.Side)));
    }

    [TestMethod]
    public void TokensScalarsAndSeveralOutputs()
    {
        const int Words = 2100, Size = 128;
        var b = new ModelBuilder().Input("ids", ElementType.Int64, -1, -2).Input("gain", ElementType.Float).Output("h", -1, -2, Size).Output("y", -1, -2, 32).Output("n", ElementType.Int64, 3)
            .Weight("table", 1, 1, Words, Size).Weight("w", 2, 0.1f, Size, 32)
            .Node("Gather", ["table", "ids"], ["e"]).Node("Mul", ["e", "gain"], ["h"]).Node("MatMul", ["h", "w"], ["y"]).Node("Shape", ["h"], ["n"]);
        var random = new Random(3);
        using var model = new ModelCase(b).With(new NpzBuilder().Longs("ids", [.. Enumerable.Range(0, 40 * 6).Select(_ => (long)random.Next(Words))], 40, 6).Floats("gain", [.. Enumerable.Range(0, 40).Select(i => 1 + i / 40f)], 40));
        File.WriteAllText(model["evaluation.json"], """{ "output": "y" }""");
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.02 });
        Assert.AreEqual("gather", result.Weights.Single(w => w.Name == "table").Encoding);
        CollectionAssert.AreEqual(new[] { "ids", "gain" }, result.InputNames.ToArray());
        CollectionAssert.AreEqual(new[] { "h", "y", "n" }, result.OutputNames.ToArray());
        CompressorTests.Close(model.Model, result.OutputModel, 0.05, ("ids", Tensor.Create(new long[] { 5, 2099, 0, 7, 7, 7, 1, 2 }, 2, 4)), ("gain", Tensor.Scalar(1.5f)));
    }

    [TestMethod]
    public void AnInputOfUnknownRankTakesWhatTheDataHold()
    {
        var b = new ModelBuilder().Input("x", -1, Wide).Output("y", -1, Wide).Weight("w", 1, 0.2f, Wide, Wide).Weight("v", 2, 0.2f, Wide, Wide).Node("MatMul", ["x", "w"], ["a"]).Node("MatMul", ["a", "v"], ["y"]);
        b.Proto.Graph.Input[0].Type.TensorType.Shape = null;
        Compress(b, Rows(b, 30), "x");
    }

    [TestMethod]
    public void ASequenceBesideTheScoredOutputIsNoObstacle()
    {
        using var model = new ModelCase(WithSequence()).With(Rows(WithSequence(), 30));
        Assert.HasCount(1, model.Run(r => r with { MaxAccuracyDrop = 0.02 }).Weights);
        File.WriteAllText(model["evaluation.json"], """{ "output": "s" }""");
        var error = Assert.ThrowsExactly<CompressionException>(() => model.Run());
        Assert.AreEqual(Codes.MetricDoesNotFit, error.Diagnostic.Code);
        StringAssert.Contains(error.Message, "sequences or maps");

        static ModelBuilder WithSequence()
        {
            var b = new ModelBuilder().Input("x", -1, Wide).Output("y", -1, Wide).Weight("w", 1, 0.2f, Wide, Wide).Node("MatMul", ["x", "w"], ["y"]).Node("SequenceConstruct", ["y"], ["s"]);
            var tensor = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = 1 } };
            b.Proto.Graph.Output.Add(new ValueInfoProto { Name = "s", Type = new TypeProto { SequenceType = new TypeProto.Types.Sequence { ElemType = tensor } } });
            return b;
        }
    }

    // Compresses by the search and shows that the result computes about the same.
    private static Model Compress(ModelBuilder b, NpzBuilder data, string input)
    {
        using var model = new ModelCase(b).With(data);
        var result = model.Run(r => r with { MaxAccuracyDrop = 0.02 });
        Assert.HasCount(2, result.Weights);
        CompressorTests.Close(model.Model, result.OutputModel, 0.05, (input, ModelBuilder.Random(5, 1, 3, Wide)));
        return OnnxReader.Load(result.OutputModel);
    }

    private static NpzBuilder Rows(ModelBuilder model, int count) => new NpzBuilder().Floats(model.Proto.Graph.Input[0].Name, ModelBuilder.Random(1, 1, count, Wide).ToFloats(), count, Wide);

    private static string Save(ModelBuilder model, string path)
    {
        File.WriteAllBytes(path, OnnxWriter.ToBytes(model.Build()));
        return path;
    }
}
