using System.Runtime.InteropServices;
using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using Google.Protobuf;

namespace CompressOnBuild.Samples.Train;

/// <summary>Collects nodes and initializers into a model: opset 17, IR version 8, dynamic batch.</summary>
internal sealed class OnnxExport
{
    private readonly ModelProto model = new() { IrVersion = 8, ProducerName = "CompressOnBuild samples", Graph = new GraphProto { Name = "shapes" } };

    public OnnxExport() => model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });

    public string Initializer(Parameter parameter)
    {
        Initializer(parameter.Name, parameter.Value, parameter.Shape);
        return parameter.Name;
    }

    public void Initializer(string name, float[] values, params int[] shape)
    {
        var tensor = new TensorProto { Name = name, DataType = (int)ElementType.Float, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan())) };
        tensor.Dims.AddRange(shape.Select(d => (long)d));
        model.Graph.Initializer.Add(tensor);
    }

    /// <summary>Adds a node with one output, named as the node.</summary>
    public string Node(string op, string name, string[] inputs, params (string Name, long[] Values)[] attributes)
    {
        var node = new NodeProto { OpType = op, Name = name };
        node.Input.AddRange(inputs);
        node.Output.Add(name + "_out");
        foreach (var (attribute, values) in attributes)
            node.Attribute.Add((attribute is "group" or "transB" ? NodeAttribute.Int(attribute, values[0]) : NodeAttribute.Ints(attribute, values)).Proto);
        model.Graph.Node.Add(node);
        return node.Output[0];
    }

    /// <summary>The finished file, checked by the reader that a build uses.</summary>
    public static byte[] Export(Layer network)
    {
        var export = new OnnxExport();
        var last = network.Export(export, "pixels");
        var graph = export.model.Graph;
        graph.Node[^1].Output[0] = "logits";
        if (graph.Node.Any(n => n.Input.Contains(last))) throw new InvalidOperationException("the last node's output is used inside the graph");
        graph.Input.Add(Info("pixels", network.In.Channels, network.In.Height, network.In.Width));
        graph.Output.Add(Info("logits", network.Out.Channels));
        export.model.MetadataProps.Add(new StringStringEntryProto { Key = "classes", Value = string.Join(',', ShapePicture.Classes) });
        return OnnxWriter.ToBytes(OnnxReader.Read(export.model.ToByteArray()));
    }

    private static ValueInfoProto Info(string name, params int[] dimensions)
    {
        var shape = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "batch" } } };
        shape.Dim.AddRange(dimensions.Select(d => new TensorShapeProto.Types.Dimension { DimValue = d }));
        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)ElementType.Float, Shape = shape } } };
    }
}
