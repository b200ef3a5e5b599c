using System.Runtime.InteropServices;
using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using Google.Protobuf;

namespace CompressOnBuild.Samples.Train;

/// <summary>Collects nodes and initializers into a model: opset 17, IR version 8, dynamic batch.</summary>
internal sealed class OnnxExport
{
    private readonly ModelProto model = new() { IrVersion = 8, ProducerName = "CompressOnBuild samples" };

    private OnnxExport(string name)
    {
        model.Graph = new GraphProto { Name = name };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
    }

    public string Initializer(Parameter parameter)
    {
        Initializer(parameter.Name, parameter.Value, parameter.Shape);
        return parameter.Name;
    }

    public string Initializer<T>(string name, T[] values, params int[] shape) where T : unmanaged
    {
        var type = typeof(T) == typeof(float) ? ElementType.Float : typeof(T) == typeof(long) ? ElementType.Int64 : throw new NotSupportedException(typeof(T).Name);
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan())) };
        tensor.Dims.AddRange(shape.Select(d => (long)d));
        model.Graph.Initializer.Add(tensor);
        return name;
    }

    public string Node(string op, string name, string[] inputs, params (string Name, long[] Values)[] attributes) => Node(op, name, inputs, 0, attributes);

    /// <summary>Adds a node; one output of it is used, named after the node, behind as many that are left out.</summary>
    public string Node(string op, string name, string[] inputs, int outputsBefore, params (string Name, long[] Values)[] attributes)
    {
        var node = new NodeProto { OpType = op, Name = name };
        node.Input.AddRange(inputs);
        node.Output.AddRange(Enumerable.Repeat("", outputsBefore));
        node.Output.Add(name + "_out");
        foreach (var (attribute, values) in attributes)
            node.Attribute.Add((attribute is "group" or "transB" or "hidden_size" ? NodeAttribute.Int(attribute, values[0]) : NodeAttribute.Ints(attribute, values)).Proto);
        model.Graph.Node.Add(node);
        return node.Output[^1];
    }

    /// <summary>The finished file, checked by the reader that a build uses; one input of the shape given behind the batch, output <c>logits</c>.</summary>
    public static byte[] Export(string name, Layer network, string input, int[] shape, string[] classes)
    {
        var export = new OnnxExport(name);
        network.Export(export, input);
        var graph = export.model.Graph;
        graph.Node[^1].Output[0] = "logits";
        graph.Input.Add(Info(input, shape));
        graph.Output.Add(Info("logits", classes.Length));
        export.model.MetadataProps.Add(new StringStringEntryProto { Key = "classes", Value = string.Join(',', classes) });
        return OnnxWriter.ToBytes(OnnxReader.Read(export.model.ToByteArray()));
    }

    private static ValueInfoProto Info(string name, params int[] dimensions)
    {
        var shape = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "batch" } } };
        shape.Dim.AddRange(dimensions.Select(d => new TensorShapeProto.Types.Dimension { DimValue = d }));
        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)ElementType.Float, Shape = shape } } };
    }
}
