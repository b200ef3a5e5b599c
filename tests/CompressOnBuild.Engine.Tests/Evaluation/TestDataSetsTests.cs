using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;
using Google.Protobuf;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class TestDataSetsTests
{
    private static readonly DatasetContext OneInput = new([new("x", ElementType.Float, [1, 2])], [new("y", ElementType.Float, [1])]);

    [TestMethod]
    public void ReadsEachFolderAsASampleInNumericOrder()
    {
        using var scratch = new ScratchFolder();
        foreach (var n in new[] { 10, 2 }) Write(scratch[$"test_data_set_{n}"], Tensor.Create(new float[] { n, 0 }, 1, 2), Tensor.Create(new float[] { -n }, 1));
        using var data = Dataset.Open(scratch.Path, OneInput);
        Assert.AreEqual("test_data_set_2", data.Id(0));
        var sample = data.Read(1);
        CollectionAssert.AreEqual(new float[] { 10, 0 }, sample.Inputs["x"].ToFloats());
        CollectionAssert.AreEqual(new float[] { -10 }, sample.ExpectedOutputs!["y"].ToFloats());
        Assert.HasCount(4, data.Files);
    }

    [TestMethod]
    public void ReadsASingleFolder()
    {
        using var scratch = new ScratchFolder();
        Write(scratch["test_data_set_0"], Tensor.Create(new float[] { 1, 2 }, 1, 2), null);
        using var data = Dataset.Open(scratch["test_data_set_0"], OneInput);
        Assert.AreEqual(1, data.Count);
        Assert.IsNull(data.Read(0).ExpectedOutputs);
    }

    [TestMethod]
    public void RefusesAFolderWithoutAllInputs()
    {
        using var scratch = new ScratchFolder();
        Write(scratch["test_data_set_0"], Tensor.Create(new float[] { 1, 2 }, 1, 2), null);
        var two = new DatasetContext([.. OneInput.Inputs, new("state", ElementType.Float, null)], []);
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(scratch.Path, two));
        Assert.AreEqual(Codes.TestDataInvalid, e.Diagnostic.Code);
        StringAssert.Contains(e.Message, "input_1.pb");
    }

    [TestMethod]
    public void RefusesAFileThatIsNoTensor()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("test_data_set_0/input_0.pb", "no tensor");
        using var data = Dataset.Open(scratch.Path, OneInput);
        Assert.AreEqual(Codes.TestDataInvalid, Assert.ThrowsExactly<CompressionException>(() => data.Read(0)).Diagnostic.Code);
    }

    [TestMethod]
    public void RefusesATensorOfAnotherShape()
    {
        using var scratch = new ScratchFolder();
        Write(scratch["test_data_set_0"], Tensor.Create(new float[] { 1, 2, 3 }, 1, 3), null);
        using var data = Dataset.Open(scratch.Path, OneInput);
        Assert.AreEqual(Codes.InputMismatch, Assert.ThrowsExactly<CompressionException>(() => data.Read(0)).Diagnostic.Code);
    }

    private static void Write(string folder, Tensor input, Tensor? output)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "input_0.pb"), input.ToProto("x").ToByteArray());
        if (output is not null) File.WriteAllBytes(Path.Combine(folder, "output_0.pb"), output.ToProto("y").ToByteArray());
    }
}
