using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Datasets.Tables;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class TableDatasetTests
{
    private static readonly DatasetContext Two = NpzTests.Context(("x", ElementType.Float, [null, 2]));

    [TestMethod]
    [DataRow("d.csv", "a,b,label\n1,2,0\n3.5,-4e1,1\n")]
    [DataRow("d.csv", "\uFEFFa;label;b\r\n1;0;2\r\n\r\n\"3.5\";1; -40 ")]
    [DataRow("d.tsv", "a\tb\tlabel\n1\t2\tFalse\n3.5\t-40\tTrue\n")]
    [DataRow("d.jsonl", "{\"a\":1,\"b\":2,\"label\":0}\n\n{\"label\":true,\"b\":-4e1,\"a\":3.5}")]
    [DataRow("d.jsonl", "{\"x\":[1,2],\"label\":0}\n{\"x\":[[3.5,-40]],\"label\":1}\n")]
    public void ColumnsFeedTheOnlyInputInTheirOrder(string name, string text)
    {
        using var scratch = new ScratchFolder();
        using var data = Dataset.Open(scratch.Write(name, text), Two);
        Assert.AreEqual(2, data.Count);
        CollectionAssert.AreEqual(new[] { 3.5f, -40 }, data.Read(1).Inputs["x"].ToFloats());
        CollectionAssert.AreEqual(new long[] { 1, 2 }, data.Read(1).Inputs["x"].Shape.ToArray());
        CollectionAssert.AreEqual(new Label[] { new ClassLabel(0), new ClassLabel(1) }, new[] { data.Label(0), data.Label(1) });
        Assert.IsEmpty(data.Warnings);
        CollectionAssert.AreEqual(new[] { scratch[name] }, data.Files.ToArray());
        CollectionAssert.Contains(data.Absent.ToArray(), scratch["d.evaluation.json"]);
    }

    [TestMethod]
    public void ColumnsFeedInputsByNameAndByConfiguration()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("evaluation.json", """{ "inputs": { "features": ["height", "age"], "sex": "s" }, "labels": "weight" }""");
        var path = scratch.Write("d.csv", "id,age,height,s,n,weight\n7,30,1.5,true,4,61.25\n8,40,2,0,5,82\n");
        using var data = Dataset.Open(path, NpzTests.Context(("features", ElementType.Double, [1, 2]), ("sex", ElementType.Bool, [null, 1]), ("n", ElementType.Int64, [])));
        var sample = data.Read(0);
        CollectionAssert.AreEqual(new[] { 1.5, 30 }, sample.Inputs["features"].AsSpan<double>().ToArray());
        Assert.AreEqual(1, sample.Inputs["sex"].AsSpan<byte>()[0]);
        Assert.AreEqual(0, sample.Inputs["n"].Rank);
        Assert.AreEqual(4, sample.Inputs["n"].ToLongs()[0]);
        Assert.AreEqual(LabelKind.Value, data.LabelKind);
        Assert.AreEqual(61.25, ((ValueLabel)sample.Label!).Values.Single());
        Assert.Contains("'id'", data.Warnings.Single().Message);
    }

    [TestMethod]
    [DataRow("label\n", "3\n2\n", "", LabelKind.Class, "class:3")]
    [DataRow("label\n", "3\n2\n", """{ "labelKind": "values" }""", LabelKind.Value, "values:3")]
    [DataRow("label\n", "3\n-2.5\n", "", LabelKind.Value, "values:3")]
    [DataRow("label\n", "3.0\n2.0\n", """{ "labelKind": "classes" }""", LabelKind.Class, "class:3")]
    [DataRow("labels\n", "a b\n\"c,d\"\n", "", LabelKind.Text, "text:a b")]
    [DataRow("label\n", "dog\ncat\n", """{ "decode": "classes", "alphabet": ["cat", "dog"] }""", LabelKind.Class, "class:1")]
    [DataRow("label\n", "1 2 3\n4\n", """{ "labelKind": "sequences" }""", LabelKind.Sequence, "ids:1,2,3")]
    public void LabelsAreWhatTheyLookLikeOrWhatTheConfigurationSays(string head, string rows, string configuration, object kind, string first)
    {
        using var scratch = new ScratchFolder();
        if (configuration.Length > 0) scratch.Write("evaluation.json", configuration);
        using var data = Dataset.Open(scratch.Write("d.csv", "x,y," + head + string.Concat(rows.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(r => $"1,2,{r}\n"))), Two);
        Assert.AreEqual(kind, data.LabelKind);
        Assert.AreEqual(first, data.Label(0)!.Canonical);
    }

    [TestMethod]
    [DataRow("[1,2,3]", LabelKind.Sequence, "ids:1,2,3")]
    [DataRow("[1,2.5]", LabelKind.Value, "values:1,2.5")]
    [DataRow("\"a\\u0062\"", LabelKind.Text, "text:ab")]
    public void JsonLabelsMayBeArrays(string label, object kind, string canonical)
    {
        using var scratch = new ScratchFolder();
        using var data = Dataset.Open(scratch.Write("d.jsonl", $$"""{ "x": [1, 2], "label": {{label}} }"""), Two);
        Assert.AreEqual(kind, data.LabelKind);
        Assert.AreEqual(canonical, data.Label(0)!.Canonical);
    }

    [TestMethod]
    [DataRow("d.csv", "a,b,label\n1,2,0\n1,zwei,0\n", Codes.TableInvalid, 3, 3)]
    [DataRow("d.csv", "a,b,label\n1,,0\n", Codes.TableInvalid, 2, 3)]
    [DataRow("d.csv", "a,b,label\n1,1e39,0\n", Codes.TableInvalid, 2, 3)]
    [DataRow("d.csv", "a,b,label\n1,2\n", Codes.TableInvalid, 2, 1)]
    [DataRow("d.csv", "a,b,label\n1,2,0,4\n", Codes.TableInvalid, 2, 1)]
    [DataRow("d.csv", "a,b,label\n\"1\n\",2,0\n\"1,2,0\n", Codes.TableInvalid, 4, 1)]
    [DataRow("d.csv", "a,b,label\n1,2,0\n1,\"2\"x\"\",0\n", Codes.TableInvalid, 3, 1)]
    [DataRow("d.csv", "a,b,a\n1,2,0\n", Codes.TableInvalid, 1, 5)]
    [DataRow("d.csv", "", Codes.TableInvalid, 1, 1)]
    [DataRow("d.csv", "a,b,label\n", Codes.DataEmpty, 0, 0)]
    [DataRow("d.csv", "a,b,c,label\n1,2,3,0\n", Codes.InputMismatch, 2, 1)]
    [DataRow("d.csv", "label\n1\n", Codes.InputMissing, 1, 1)]
    [DataRow("d.csv", "a,b,label\n1,2,nan\n", Codes.LabelsInvalid, 2, 5)]
    [DataRow("d.csv", "a,b,label\n1,2,0\n1,2,\n", Codes.LabelsInvalid, 3, 5)]
    [DataRow("d.csv", "a,b,label\n1,2,0\n1,2,cat\n", Codes.LabelsInvalid, 3, 5)]
    [DataRow("d.jsonl", "", Codes.DataEmpty, 0, 0)]
    [DataRow("d.jsonl", "{\"x\":[1,2]}\n[1,2]\n", Codes.TableInvalid, 2, 1)]
    [DataRow("d.jsonl", "{\"x\":[1,2]}\n{\"x\":[1,\"2\"]}\n", Codes.TableInvalid, 2, 9)]
    [DataRow("d.jsonl", "{\"x\":[1,2]}\n{\"x\":[[1],[2,3]]}\n", Codes.TableInvalid, 2, 11)]
    [DataRow("d.jsonl", "{\"x\":[1,2]}\n{\"x\":[1,2,3]}\n", Codes.InputMismatch, 2, 6)]
    [DataRow("d.jsonl", "{\"x\":[1,2]}\n{\"y\":[1,2]}\n", Codes.TableInvalid, 2, 1)]
    [DataRow("d.jsonl", "{\"x\":[1,2]}\n{\"x\":[1,2]\n", Codes.TableInvalid, 2, 11)]
    [DataRow("d.jsonl", "{\"x\":[1,2],\"label\":null}\n", Codes.LabelsInvalid, 1, 20)]
    public void WhatIsNoTableIsAnErrorWithItsPlace(string name, string text, string code, int line, int column)
    {
        using var scratch = new ScratchFolder();
        var path = scratch.Write(name, text);
        var diagnostic = Fails(path, Two, code);
        Assert.AreEqual((line, column), (diagnostic.Line, diagnostic.Column), diagnostic.Message);
        Assert.AreEqual(path, diagnostic.File);
    }

    [TestMethod]
    [DataRow("""{ "inputs": { "x": ["a", "c"] } }""", Codes.InputMissing)]
    [DataRow("""{ "labels": "truth" }""", Codes.LabelsInvalid)]
    [DataRow("""{ "inputs": { "x": [] } }""", Codes.EvaluationConfigurationInvalid)]
    [DataRow("""{ "labelKind": "boxes" }""", Codes.LabelsInvalid)]
    [DataRow("""{ "decode": "classes", "alphabet": ["cat", "dog"], "labels": "b" }""", Codes.LabelsInvalid)]
    public void TheConfigurationNamesColumnsThatAreThere(string configuration, string code)
    {
        using var scratch = new ScratchFolder();
        scratch.Write("evaluation.json", configuration);
        Fails(scratch.Write("d.csv", "a,b,label\n1,bird,0\n"), Two, code);
    }

    [TestMethod]
    [DataRow("d.csv", "a,b\n1,2\n")]
    [DataRow("d.jsonl", "{\"x\":[1,2]}\n")]
    public void InvalidUtf8IsAnErrorWithItsLine(string name, string text)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllBytes(scratch[name], [.. Encoding.UTF8.GetBytes(text), (byte)'{', 0xC3, 0x28, (byte)'\n']);
        Assert.AreEqual(text.Count(c => c == '\n') + 1, Fails(scratch[name], Two, Codes.TableInvalid).Line);
    }

    [TestMethod]
    [DataRow("d.csv", "a,b\n1,2\n\"")]
    [DataRow("d.jsonl", "{\"x\":[1,2]}\n[")]
    public void ALineWithoutEndIsRefusedBeforeItIsRead(string name, string begin)
    {
        using var scratch = new ScratchFolder();
        using (var file = File.Create(scratch[name]))
        {
            file.Write(Encoding.UTF8.GetBytes(begin));
            var block = new byte[1 << 20];
            Array.Fill(block, (byte)'1');
            for (var i = 0; i < 20; i++) file.Write(block);
        }
        Assert.AreEqual(begin.Count(c => c == '\n') + 1, Fails(scratch[name], Two, Codes.DataTooLarge).Line);
    }

    [TestMethod]
    public void DeepJsonIsRefused()
    {
        using var scratch = new ScratchFolder();
        Fails(scratch.Write("d.jsonl", $"{{\"x\":{new string('[', 5000)}1{new string(']', 5000)}}}"), Two, Codes.TableInvalid);
    }

    [TestMethod]
    public void EqualRowsHaveEqualHashesWhateverTheirLabel()
    {
        using var scratch = new ScratchFolder();
        using var data = Dataset.Open(scratch.Write("d.csv", "a,b,label\n1,2,0\n1.0,2,1\n1,3,0\n"), Two);
        CollectionAssert.AreEqual(data.ContentHash(0), data.ContentHash(1));
        CollectionAssert.AreNotEqual(data.ContentHash(0), data.ContentHash(2));
    }

    [TestMethod]
    public void MissingValuesMayBeNaN()
    {
        using var scratch = new ScratchFolder();
        using var data = Dataset.Open(scratch.Write("d.csv", "a,b\n1,NaN\n"), Two);
        Assert.IsTrue(float.IsNaN(data.Read(0).Inputs["x"].ToFloats()[1]));
    }

    [TestMethod]
    [DataRow(new long[] { -1, 4 }, 4, new long[] { 1, 4 })]
    [DataRow(new long[] { -1, -1 }, 4, new long[] { 1, 4 })]
    [DataRow(new long[] { -1 }, 4, new long[] { 4 })]
    [DataRow(new long[] { }, 1, new long[] { })]
    [DataRow(new long[] { -1, 1, 28, 28 }, 784, new long[] { 1, 1, 28, 28 })]
    [DataRow(new long[] { -1, -1, 2 }, 6, new long[] { 1, 3, 2 })]
    [DataRow(new long[] { -1, -1, 4 }, 6, null)]
    [DataRow(new long[] { -1, -1, -1 }, 6, null)]
    [DataRow(new long[] { -1, 3 }, 4, null)]
    public void NumbersFillAnInputAsOneSample(long[] shape, int count, long[]? expected) =>
        CollectionAssert.AreEqual(expected, TableInputs.Shape(new("x", ElementType.Float, [.. shape.Select(d => d < 0 ? (long?)null : d)]), count));

    private static Diagnostic Fails(string path, DatasetContext context, string code)
    {
        var e = Assert.ThrowsExactly<CompressionException>(() =>
        {
            using var data = Dataset.Open(path, context);
            for (var i = 0; i < data.Count; i++) data.Read(i);
        });
        Assert.AreEqual(code, e.Diagnostic.Code, e.Message);
        return e.Diagnostic;
    }
}
