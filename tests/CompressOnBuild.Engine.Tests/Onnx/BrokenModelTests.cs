using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Testing;
using Google.Protobuf;

namespace CompressOnBuild.Engine.Tests.Onnx;

[TestClass]
public class BrokenModelTests
{
    [TestMethod]
    public void AMissingFileAndAFolder()
    {
        using var folder = new ScratchFolder();
        Code(Codes.ModelNotFound, () => OnnxReader.Load(folder["no.onnx"]));
        Code(Codes.ModelNotFound, () => OnnxReader.Load(folder.Path));
    }

    [TestMethod]
    public void AnEmptyFileAndALargeFilePointer()
    {
        using var folder = new ScratchFolder();
        Code(Codes.ModelEmpty, () => OnnxReader.Load(folder.Write("m.onnx", "")));
        StringAssert.Contains(Code(Codes.NotAnOnnxModel, () => OnnxReader.Load(folder.Write("l.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"))).Message, "git lfs pull");
    }

    [TestMethod]
    public void AModelCutAtAnyPlaceIsReadOrRefusedWithACode()
    {
        var whole = Layer().Proto.ToByteArray();
        var refused = 0;
        for (var length = 1; length < whole.Length; length++) refused += Refused(whole[..length]) ? 1 : 0;
        Assert.IsGreaterThan(whole.Length * 9 / 10, refused);
    }

    [TestMethod]
    public void AModelWithOneWrongByteIsReadOrRefusedWithACode()
    {
        var whole = Layer().Proto.ToByteArray();
        var random = new Random(7);
        for (var i = 0; i < 2000; i++)
        {
            var bytes = (byte[])whole.Clone();
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (i % 3 == 0) bytes[random.Next(bytes.Length)] ^= 0x80;
            Refused(bytes);
        }
    }

    [TestMethod]
    public void RandomBytesAreNoModel()
    {
        var random = new Random(3);
        for (var i = 0; i < 2000; i++)
        {
            var bytes = new byte[random.Next(1, 400)];
            random.NextBytes(bytes);
            Assert.IsTrue(Refused(bytes));
        }
    }

    [TestMethod]
    public void Cycles()
    {
        Code(Codes.GraphHasCycle, new ModelBuilder().Input("x", 2).Output("a", 2).Node("Add", ["x", "b"], ["a"]).Node("Neg", ["a"], ["b"]));
        Code(Codes.GraphHasCycle, new ModelBuilder().Output("a", 2).Node("Neg", ["a"], ["a"]));
        var body = new ModelBuilder().Output("t", 2).Node("Neg", ["y"], ["t"]);
        Code(Codes.GraphHasCycle, new ModelBuilder().Input("if", ElementType.Bool).Output("y", 2).NodeWithBodies("If", ["if"], ["y"], ("then_branch", body)));
    }

    [TestMethod]
    public void NamesDefinedTwice()
    {
        Code(Codes.DuplicateName, new ModelBuilder().Input("x", 2).Output("y", 2).Node("Neg", ["x"], ["y"]).Node("Abs", ["x"], ["y"]));
        Code(Codes.DuplicateName, new ModelBuilder().Input("x", 2).Output("x", 2).Node("Neg", ["x"], ["x"]));
        Code(Codes.DuplicateName, new ModelBuilder().Input("x", 2).Input("x", 2).Output("x", 2));
        Code(Codes.DuplicateName, new ModelBuilder().Initializer("w", [1], 1).Initializer("w", [1], 1).Output("w", 1));
    }

    [TestMethod]
    public void TensorDataThatDoNotFillTheShape()
    {
        foreach (var tensor in new[]
        {
            new TensorProto { DataType = 1, Dims = { 2, 2 }, RawData = ByteString.CopyFrom(new byte[12]) },
            new TensorProto { DataType = 1, Dims = { 2, 2 }, FloatData = { 1, 2, 3 } },
            new TensorProto { DataType = 1, Dims = { 2 }, FloatData = { 1, 2, 3 } },
            new TensorProto { DataType = 1, Dims = { 1 << 30 } },
            new TensorProto { DataType = 22, Dims = { 3 }, Int32Data = { 1 } },
            new TensorProto { DataType = 8, Dims = { 2 }, StringData = { ByteString.Empty } },
        })
            Code(Codes.TensorDataLength, With(tensor));
    }

    [TestMethod]
    public void DimensionsThatMeanNothing()
    {
        Code(Codes.BadDimension, With(new TensorProto { DataType = 1, Dims = { -2, -2 }, RawData = ByteString.CopyFrom(new byte[16]) }));
        Code(Codes.BadDimension, With(new TensorProto { DataType = 1, Dims = { 1L << 40, 1L << 40 } }));
        Code(Codes.BadDimension, With(new TensorProto { DataType = 1, Dims = { long.MinValue, 2 } }));
        var declared = Layer();
        declared.Proto.Graph.Input[0].Type.TensorType.Shape.Dim[0].DimValue = -7;
        Code(Codes.BadDimension, declared);
    }

    [TestMethod]
    public void ElementTypesAndOperatorsThatDoNotExist()
    {
        Code(Codes.NotAnOnnxModel, With(new TensorProto { DataType = 99, Dims = { 1 } }));
        Code(Codes.NotAnOnnxModel, With(new TensorProto { Dims = { 1 } }));
        Code(Codes.NotAnOnnxModel, new ModelBuilder().Input("x", 2).Output("y", 2).Node("", ["x"], ["y"]));
    }

    [TestMethod]
    public void ValuesNobodyComputes()
    {
        Code(Codes.UndefinedValue, new ModelBuilder().Input("x", 2).Output("y", 2).Node("Add", ["x", "ghost"], ["y"]));
        Code(Codes.UndefinedValue, new ModelBuilder().Input("x", 2).Output("ghost", 2).Node("Neg", ["x"], ["y"]));
        // What a body computes is not visible outside.
        var body = new ModelBuilder().Output("t", 2).Node("Neg", ["x"], ["t"]);
        Code(Codes.UndefinedValue, new ModelBuilder().Input("x", 2).Input("if", ElementType.Bool).Output("z", 2).NodeWithBodies("If", ["if"], ["y"], ("then_branch", body)).Node("Neg", ["t"], ["z"]));
    }

    [TestMethod]
    public void OldOperatorSetsAndModelsWithoutGraph()
    {
        Code(Codes.UnsupportedOpset, new ModelBuilder(6, 3).Input("x", 2).Output("y", 2).Node("Neg", ["x"], ["y"]));
        Code(Codes.NotAnOnnxModel, () => OnnxReader.Read(new ModelProto { IrVersion = 8, OpsetImport = { new OperatorSetIdProto { Version = 17 } } }.ToByteArray()));
        var none = Layer();
        none.Proto.OpsetImport.Clear();
        Code(Codes.NotAnOnnxModel, none);
    }

    [TestMethod]
    [DataRow(20, true), DataRow(500, false)]
    public void BodiesInBodies(int depth, bool readable)
    {
        var inner = new ModelBuilder().Output("t0", 2).Node("Neg", ["x"], ["t0"]);
        for (var i = 1; i < depth; i++) inner = new ModelBuilder().Output($"t{i}", 2).NodeWithBodies("If", ["if"], [$"t{i}"], ("then_branch", inner));
        var model = new ModelBuilder().Input("x", 2).Input("if", ElementType.Bool).Output("y", 2).NodeWithBodies("If", ["if"], ["y"], ("then_branch", inner));
        if (readable) Assert.AreEqual(depth, model.Build().Graphs().Max(g => g.Depth));
        else Code(Codes.NotAnOnnxModel, model);
    }

    [TestMethod]
    public void AThousandReadersOfOneValueAreRedirectedAtOnce()
    {
        var b = new ModelBuilder().Input("x", 2).Output("y", 2).Node("Identity", ["x"], ["i"]).Node("Neg", ["i"], ["y"]);
        for (var i = 0; i < 30_000; i++) b.Node("Neg", ["i"], [$"n{i}"]);
        var model = b.Build();
        var value = model.Graph.Nodes.First!.Output(0)!;
        value.ReplaceAllUses(model.Graph.Inputs[0]);
        Assert.HasCount(30_002, model.Graph.Inputs[0].Uses);
        Assert.HasCount(0, value.Uses);
        Assert.AreEqual(30_001, model.Graph.RemoveUnused());
    }

    private static ModelBuilder Layer() => new ModelBuilder().Input("x", -1, 8).Output("y", -1, 4).Weight("w", 1, 0.1f, 8, 4)
        .Constant("b", Tensor.Create(new float[4], 4)).Node("MatMul", ["x", "w"], ["m"]).Node("Add", ["m", "b"], ["y"]);

    private static ModelBuilder With(TensorProto tensor)
    {
        var b = new ModelBuilder().Input("x", 1).Output("y", 1).Node("Neg", ["x"], ["y"]);
        tensor.Name = "w";
        b.Proto.Graph.Initializer.Add(tensor);
        return b;
    }

    private static bool Refused(byte[] bytes)
    {
        try { OnnxReader.Read(bytes).Clone(); return false; }
        catch (CompressionException e) { Assert.StartsWith("COB10", e.Diagnostic.Code); return true; }
    }

    private static void Code(string code, ModelBuilder builder) => Code(code, () => OnnxReader.Read(builder.Proto.ToByteArray()));

    private static Diagnostic Code(string code, Action read)
    {
        var diagnostic = Assert.ThrowsExactly<CompressionException>(read).Diagnostic;
        Assert.AreEqual(code, diagnostic.Code, diagnostic.Message);
        return diagnostic;
    }
}
