using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Onnx;

[TestClass]
public class RoundTripTests
{
    [TestMethod]
    public void AnUntouchedModelIsWrittenWithEqualContent()
    {
        foreach (var proto in Samples()) Equal(proto);
    }

    [TestMethod]
    public void ACloneIsWrittenWithEqualContent()
    {
        foreach (var proto in Samples())
        {
            var read = OnnxReader.Read(Google.Protobuf.MessageExtensions.ToByteArray(proto));
            Assert.AreEqual(proto, OnnxWriter.ToProto(read.Clone()));
        }
    }

    [TestMethod]
    public void EditingACloneLeavesTheOriginalAlone()
    {
        var proto = Samples().First();
        var read = OnnxReader.Read(Google.Protobuf.MessageExtensions.ToByteArray(proto));
        var clone = read.Clone();
        foreach (var node in clone.Graph.Nodes) node.Name += "!";
        clone.Graph.Initializers[0].Name = "other";
        Assert.AreEqual(proto, OnnxWriter.ToProto(read));
    }

    [TestMethod]
    public void NodesOutOfOrderAreSorted()
    {
        var proto = new ModelBuilder().Input("x", 1, 4).Output("z", 1, 4)
            .Node("Relu", ["y"], ["z"]).Node("Neg", ["x"], ["y"]).Proto;
        CollectionAssert.AreEqual(new[] { "Neg", "Relu" }, OnnxReader.Read(Google.Protobuf.MessageExtensions.ToByteArray(proto)).Graph.Nodes.Select(n => n.OpType).ToArray());
    }

    private static void Equal(ModelProto proto) =>
        Assert.AreEqual(proto, OnnxWriter.ToProto(OnnxReader.Read(Google.Protobuf.MessageExtensions.ToByteArray(proto))));

    private static IEnumerable<ModelProto> Samples()
    {
        yield return new ModelBuilder().Input("x", -1, 8).Output("y", -1, 4)
            .Weight("w", 1, 0.1f, 8, 4).Constant("b", Tensor.Create(new float[4], 4))
            .Node("MatMul", ["x", "w"], ["m"]).Node("Add", ["m", "b"], ["y"]).Proto;

        // Bodies that read outer values, attributes of every kind, a function, metadata, an unknown domain and unknown fields.
        var then = new ModelBuilder().Output("t", -1, 4).Weight("w", 2, 0.1f, 8, 4).Node("MatMul", ["x", "w"], ["t"]);
        var otherwise = new ModelBuilder().Output("t", -1, 4).Node("MatMul", ["x", "outer"], ["t"]);
        var rich = new ModelBuilder().Input("x", -1, 8).Input("c", ElementType.Bool).Output("u", -1, 4).Weight("outer", 3, 0.1f, 8, 4)
            .NodeWithBodies("If", ["c"], ["y"], ("then_branch", then), ("else_branch", otherwise))
            .NodeIn("vendor.unknown", "Strange", ["y", "", "x"], ["u", "", "extra"], NodeAttribute.Ints("i", 1, 2), NodeAttribute.Strings("s", "a", "b"), NodeAttribute.Float("f", 1.5f))
            .Import("vendor.unknown", 3).Proto;
        rich.MetadataProps.Add(new StringStringEntryProto { Key = "author", Value = "somebody" });
        rich.Functions.Add(new FunctionProto { Name = "F", Domain = "vendor.unknown", Input = { "a" }, Output = { "b" }, Node = { new NodeProto { OpType = "Relu", Input = { "a" }, Output = { "b" } } } });
        rich.Graph.Node[0].DocString = "kept";
        rich.Graph.Node[0].MetadataProps.Add(new StringStringEntryProto { Key = "k", Value = "v" });
        rich.Graph.ValueInfo.Add(new ValueInfoProto { Name = "y", DocString = "an inner value" });
        var bytes = Google.Protobuf.MessageExtensions.ToByteArray(rich);
        yield return ModelProto.Parser.ParseFrom([.. bytes, 0xFA, 0x07, 3, 1, 2, 3]); // field 127: unknown to every version

        var sparse = new ModelBuilder().Input("x", 4).Output("y", 4).Node("Add", ["x", "s"], ["y"]).Proto;
        sparse.Graph.SparseInitializer.Add(new SparseTensorProto
        {
            Dims = { 4 }, Values = new TensorProto { Name = "s", DataType = 1, Dims = { 1 }, FloatData = { 1 } }, Indices = new TensorProto { DataType = 7, Dims = { 1 }, Int64Data = { 2 } },
        });
        yield return sparse;

        // IR version 3: initializers are inputs too; typed data instead of raw data.
        var old = new ModelBuilder(8, 3).Input("x", 1, 2).Input("w", 2, 2).Output("y", 1, 2).Node("MatMul", ["x", "w"], ["y"]).Proto;
        old.Graph.Initializer.Add(new TensorProto { Name = "w", DataType = 1, Dims = { 2, 2 }, FloatData = { 1, 2, 3, 4 } });
        yield return old;
    }
}
