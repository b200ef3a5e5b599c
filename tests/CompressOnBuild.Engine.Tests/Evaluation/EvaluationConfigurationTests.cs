using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class EvaluationConfigurationTests
{
    [TestMethod]
    public void ReadsTheAlphabetWithBlankAndSpace()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("keys.txt", "a\nb\n\u3000\n");
        var path = scratch.Write("evaluation.json", """{ "decode": "ctc", "alphabet": "keys.txt", "appendSpace": true, "ignoreSpaces": true }""");
        var configuration = EvaluationConfiguration.Load(path);
        CollectionAssert.AreEqual(new[] { "", "a", "b", "\u3000", " " }, configuration.Decoding.Alphabet!.ToArray());
        CollectionAssert.AreEqual(new[] { path, scratch["keys.txt"] }, configuration.Files.ToArray());
    }

    [TestMethod]
    public void MapsArraysAndFixesInputs()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("d.evaluation.json", """{ "inputs": { "x": "image" }, "fixed": { "sr": 16000, "state": [[1, 2]], "zero": 0 }, "labels": "truth" }""");
        var path = new NpzBuilder().Floats("image", [1, 2, 3, 4], 2, 2).Longs("truth", [3, 4], 2).Save(scratch["d.npz"]);
        using var data = Dataset.Open(path, NpzTests.Context(("x", ElementType.Float, [null, 2]), ("sr", ElementType.Int64, []),
            ("state", ElementType.Float, [null, 2]), ("zero", ElementType.Float, [2, null])));
        var inputs = data.Read(0).Inputs;
        Assert.AreEqual(16000, inputs["sr"].ToLongs()[0]);
        CollectionAssert.AreEqual(new float[] { 1, 2 }, inputs["state"].ToFloats());
        CollectionAssert.AreEqual(new long[] { 2, 1 }, inputs["zero"].Shape.ToArray());
        Assert.AreEqual(new ClassLabel(4), data.Label(1));
        Assert.HasCount(2, data.Files);
    }

    [TestMethod]
    [DataRow("{\n  \"decoder\": \"ctc\"\n}", 2, 3)]
    [DataRow("{ \"decode\": \"beam\" }", 1, 13)]
    [DataRow("{ \"blank\": -1 }", 1, 12)]
    [DataRow("{ \"end\": 1, \"end\": 2 }", 1, 13)]
    [DataRow("{ \"alphabet\": \"../keys.txt\" }", 1, 15)]
    [DataRow("{ \"alphabet\": \"none.txt\" }", 1, 15)]
    [DataRow("{ \"threshold\": \"half\" }", 1, 16)]
    [DataRow("[]", 1, 1)]
    [DataRow("{ \"end\": }", 1, 10)]
    public void RefusesErrorsWithTheirPlace(string json, int line, int column)
    {
        using var scratch = new ScratchFolder();
        var path = scratch.Write("sub/evaluation.json", json);
        scratch.Write("keys.txt", "a");
        var e = Assert.ThrowsExactly<CompressionException>(() => EvaluationConfiguration.Load(path));
        Assert.AreEqual((Codes.EvaluationConfigurationInvalid, line, column), (e.Diagnostic.Code, e.Diagnostic.Line, e.Diagnostic.Column), e.Message);
    }

    [TestMethod]
    public void RefusesAnAlphabetBehindALinkThatLeadsOut()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("secret.txt", "a");
        var path = scratch.Write("data/evaluation.json", """{ "alphabet": "keys.txt" }""");
        File.CreateSymbolicLink(scratch["data/keys.txt"], scratch["secret.txt"]);
        var e = Assert.ThrowsExactly<CompressionException>(() => EvaluationConfiguration.Load(path));
        StringAssert.Contains(e.Message, "outside");
    }

    [TestMethod]
    public void RefusesNamesThatTheModelDoesNotHave()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("evaluation.json", """{ "fixed": { "rate": 1 } }""");
        var path = new NpzBuilder().Floats("x", [1, 2], 1, 2).Save(scratch["d.npz"]);
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(path, NpzTests.Context(("x", ElementType.Float, [1, 2]))));
        Assert.AreEqual(Codes.EvaluationConfigurationInvalid, e.Diagnostic.Code);
        StringAssert.Contains(e.Message, "'rate'");
    }
}
