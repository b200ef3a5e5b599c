using CompressOnBuild.Onnx.Proto;
using Google.Protobuf;

namespace CompressOnBuild.Onnx;

/// <summary>Writes a model. An untouched model is written with equal content; the same model always gives the same bytes.</summary>
public static class OnnxWriter
{
    /// <summary>Tensors from this size on go to the data file when a model is written with external data: small ones are needed for shape inference.</summary>
    private const int ExternalFrom = 1024;

    /// <summary>The whole model as one message, external data included.</summary>
    public static byte[] ToBytes(Model model) => ToProto(model).ToByteArray();

    /// <summary>The model as a message, tensors inline.</summary>
    internal static ModelProto ToProto(Model model)
    {
        var proto = model.Shell.Clone();
        proto.Graph = ToProto(model.Graph);
        return proto;
    }

    /// <summary>
    /// Writes <paramref name="path"/> and, when <paramref name="externalData"/> is set, <c>&lt;path&gt;.data</c> with the large tensors.
    /// Both appear whole or not at all: they are written under another name first.
    /// </summary>
    public static void Write(Model model, string path, bool externalData = false)
    {
        var proto = ToProto(model);
        var data = path + ".data";
        if (externalData)
        {
            using var stream = File.Create(data + ".tmp");
            foreach (var tensor in Tensors(proto.Graph)) MoveOut(tensor, stream, Path.GetFileName(data));
        }
        using (var stream = File.Create(path + ".tmp")) proto.WriteTo(stream);
        if (externalData) File.Move(data + ".tmp", data, overwrite: true);
        File.Move(path + ".tmp", path, overwrite: true);
    }

    // The messages of initializers may belong to the model that was read: only copies are changed.
    private static void MoveOut(Slot slot, Stream stream, string location)
    {
        var tensor = slot.Tensor;
        if (tensor.DataType == (int)ElementType.String) return;
        var bytes = Tensor.FromProto(tensor, tensor.Name, "", null!).Data;
        if (bytes.Length < ExternalFrom) return;
        while (stream.Position % 64 != 0) stream.WriteByte(0);
        var moved = new TensorProto { DataType = tensor.DataType, Name = tensor.Name, DataLocation = 1 };
        moved.Dims.AddRange(tensor.Dims);
        moved.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
        moved.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = stream.Position.ToString(System.Globalization.CultureInfo.InvariantCulture) });
        moved.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = bytes.Length.ToString(System.Globalization.CultureInfo.InvariantCulture) });
        stream.Write(bytes.Span);
        slot.Replace(moved);
    }

    private sealed record Slot(TensorProto Tensor, Action<TensorProto> Replace);

    private static IEnumerable<Slot> Tensors(GraphProto graph)
    {
        for (var i = 0; i < graph.Initializer.Count; i++)
        {
            var at = i;
            yield return new Slot(graph.Initializer[i], t => graph.Initializer[at] = t);
        }
        foreach (var attribute in graph.Node.SelectMany(n => n.Attribute))
        {
            if (attribute.T is not null) yield return new Slot(attribute.T, t => attribute.T = t);
            if (attribute.G is not null) foreach (var slot in Tensors(attribute.G)) yield return slot;
            foreach (var body in attribute.Graphs) foreach (var slot in Tensors(body)) yield return slot;
        }
    }

    private static GraphProto ToProto(Graph graph)
    {
        var proto = graph.Shell.Clone();
        foreach (var node in graph.Nodes) proto.Node.Add(ToProto(node));
        foreach (var value in graph.Initializers) proto.Initializer.Add(value.Initializer!.ToProto(value.Name));
        foreach (var value in graph.Inputs) proto.Input.Add(Named(value.Info ?? new ValueInfoProto(), value.Name));
        for (var i = 0; i < graph.Outputs.Count; i++) proto.Output.Add(Named(graph.OutputInfos[i], graph.Outputs[i].Name));
        foreach (var value in graph.Declared)
            if (value.Info is not null && IsAlive(graph, value)) proto.ValueInfo.Add(Named(value.Info, value.Name));
        return proto;

        static ValueInfoProto Named(ValueInfoProto info, string name)
        {
            if (info.Name == name) return info;
            var copy = info.Clone();
            copy.Name = name;
            return copy;
        }
    }

    private static bool IsAlive(Graph graph, Value value) =>
        value.Producer is { IsInGraph: true } || value.Initializer is not null || graph.Inputs.Contains(value);

    private static NodeProto ToProto(Node node)
    {
        var proto = node.Shell.Clone();
        proto.Input.AddRange(node.Inputs.Select(v => v?.Name ?? ""));
        proto.Output.AddRange(node.Outputs.Select(v => v?.Name ?? ""));
        foreach (var attribute in node.Attributes)
        {
            if (attribute.Tensor is null && attribute.Bodies.Count == 0) { proto.Attribute.Add(attribute.Proto); continue; }
            var copy = attribute.Proto.Clone();
            if (attribute.Tensor is { } tensor) copy.T = tensor.ToProto(tensor.Origin?.Name ?? "");
            else if (copy.Type == AttributeProto.Types.AttributeType.Graphs) copy.Graphs.AddRange(attribute.Bodies.Select(ToProto));
            else copy.G = ToProto(attribute.Bodies[0]);
            proto.Attribute.Add(copy);
        }
        return proto;
    }
}
