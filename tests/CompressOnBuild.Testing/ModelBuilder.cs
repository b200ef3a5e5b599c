using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;

namespace CompressOnBuild.Testing;

/// <summary>Builds tiny models for tests, a line a node. Values are found by name; a dimension below 0 is dynamic.</summary>
public sealed class ModelBuilder
{
    private readonly ModelProto model;

    public ModelBuilder(int opset = 17, int irVersion = 8)
    {
        model = new ModelProto { IrVersion = irVersion, ProducerName = "test", Graph = new GraphProto { Name = "test" } };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = opset });
    }

    internal ModelProto Proto => model;

    public ModelBuilder Input(string name, ElementType type, params long[] shape) { model.Graph.Input.Add(Info(name, type, shape)); return this; }
    public ModelBuilder Input(string name, params long[] shape) => Input(name, ElementType.Float, shape);
    public ModelBuilder Output(string name, ElementType type, params long[] shape) { model.Graph.Output.Add(Info(name, type, shape)); return this; }
    public ModelBuilder Output(string name, params long[] shape) => Output(name, ElementType.Float, shape);

    public ModelBuilder Initializer(string name, Tensor tensor) { model.Graph.Initializer.Add(tensor.ToProto(name)); return this; }
    public ModelBuilder Initializer(string name, float[] values, params long[] shape) => Initializer(name, Tensor.Create(values, shape));

    /// <summary>Seeded normal-ish weights (sum of four uniforms), the same on every machine.</summary>
    public ModelBuilder Weight(string name, int seed, float scale, params long[] shape) => Initializer(name, Random(seed, scale, shape));

    public ModelBuilder Import(string domain, int version) { model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version }); return this; }

    public ModelBuilder Node(string op, string[] inputs, string[] outputs, params NodeAttribute[] attributes) => NodeIn("", op, inputs, outputs, attributes);

    public ModelBuilder NodeIn(string domain, string op, string[] inputs, string[] outputs, params NodeAttribute[] attributes)
    {
        var node = new NodeProto { OpType = op, Name = outputs[0] + "_node" };
        if (domain.Length > 0) node.Domain = domain;
        node.Input.AddRange(inputs);
        node.Output.AddRange(outputs);
        foreach (var a in attributes)
        {
            var proto = a.Proto.Clone();
            if (a.Tensor is { } t) proto.T = t.ToProto("");
            node.Attribute.Add(proto);
        }
        model.Graph.Node.Add(node);
        return this;
    }

    /// <summary>A Constant node that holds a tensor.</summary>
    public ModelBuilder Constant(string name, Tensor tensor) => Node("Constant", [], [name], NodeAttribute.OfTensor("value", tensor));

    /// <summary>A node with bodies, each built by another builder's graph.</summary>
    public ModelBuilder NodeWithBodies(string op, string[] inputs, string[] outputs, params (string Attribute, ModelBuilder Body)[] bodies)
    {
        Node(op, inputs, outputs);
        var node = model.Graph.Node[^1];
        foreach (var (attribute, body) in bodies)
            node.Attribute.Add(new AttributeProto { Name = attribute, Type = AttributeProto.Types.AttributeType.Graph, G = body.model.Graph });
        return this;
    }

    public Model Build() => OnnxReader.Read(Google.Protobuf.MessageExtensions.ToByteArray(model));

    public static Tensor Random(int seed, float scale, params long[] shape)
    {
        var random = new Random(seed);
        var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = scale * (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() + random.NextDouble() - 2);
        return Tensor.Create(values, shape);
    }

    private static ValueInfoProto Info(string name, ElementType type, long[] shape)
    {
        var dims = new TensorShapeProto();
        foreach (var d in shape) dims.Dim.Add(d < 0 ? new TensorShapeProto.Types.Dimension { DimParam = $"d{-d}" } : new TensorShapeProto.Types.Dimension { DimValue = d });
        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = dims } } };
    }
}
