using CompressOnBuild.Onnx.Proto;
using Google.Protobuf;

namespace CompressOnBuild.Onnx;

/// <summary>An attribute: a protobuf message that passes through, with its tensor or bodies held as our own types.</summary>
public sealed class NodeAttribute
{
    internal NodeAttribute(AttributeProto proto, Tensor? tensor = null, IReadOnlyList<Graph>? bodies = null)
    {
        Proto = proto;
        Tensor = tensor;
        Bodies = bodies ?? [];
    }

    /// <summary>Name by which the operator knows it.</summary>
    public string Name => Proto.Name;
    /// <summary>The message; of graph and tensor attributes only name and type.</summary>
    internal AttributeProto Proto { get; }
    /// <summary>The value of a tensor attribute, else null.</summary>
    public Tensor? Tensor { get; }
    /// <summary>The values of an attribute of graphs, else empty.</summary>
    public IReadOnlyList<Graph> Bodies { get; }

    /// <summary>An attribute of one integer.</summary>
    public static NodeAttribute Int(string name, long value) => new(new AttributeProto { Name = name, I = value, Type = AttributeProto.Types.AttributeType.Int });
    /// <summary>An attribute of one float.</summary>
    public static NodeAttribute Float(string name, float value) => new(new AttributeProto { Name = name, F = value, Type = AttributeProto.Types.AttributeType.Float });
    /// <summary>An attribute of one text, stored as UTF-8.</summary>
    public static NodeAttribute String(string name, string value) => new(new AttributeProto { Name = name, S = ByteString.CopyFromUtf8(value), Type = AttributeProto.Types.AttributeType.String });
    /// <summary>An attribute of one tensor.</summary>
    public static NodeAttribute OfTensor(string name, Tensor value) => new(new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Tensor }, value);

    /// <summary>An attribute of integers.</summary>
    public static NodeAttribute Ints(string name, params IEnumerable<long> values)
    {
        var proto = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Ints };
        proto.Ints.AddRange(values);
        return new(proto);
    }

    /// <summary>An attribute of texts, stored as UTF-8.</summary>
    public static NodeAttribute Strings(string name, params IEnumerable<string> values)
    {
        var proto = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Strings };
        proto.Strings.AddRange(values.Select(ByteString.CopyFromUtf8));
        return new(proto);
    }
}

/// <summary>One operation. Inputs that are left out are null. Nodes are linked in execution order inside their graph.</summary>
public sealed class Node
{
    private readonly List<Value?> inputs = [];
    private readonly List<Value?> outputs = [];
    private readonly List<NodeAttribute> attributes = [];

    internal Node(Graph graph, NodeProto shell) { Graph = graph; Shell = shell; }

    /// <summary>The message without inputs, outputs and attributes.</summary>
    internal NodeProto Shell { get; }
    /// <summary>The graph this node was made in.</summary>
    public Graph Graph { get; }
    /// <summary>The node after this one in execution order; null at the end.</summary>
    public Node? Next { get; internal set; }
    /// <summary>The node before this one in execution order; null at the start.</summary>
    public Node? Previous { get; internal set; }
    /// <summary>False after the node was taken out of its graph.</summary>
    public bool IsInGraph { get; internal set; }

    /// <summary>Type of the operator, e.g. <c>Conv</c>.</summary>
    public string OpType => Shell.OpType;
    /// <summary>The operator's domain; the default domain is the empty string.</summary>
    public string Domain => Model.Normalize(Shell.Domain);
    /// <summary>Name as stored; may be empty.</summary>
    public string Name { get => Shell.Name; set => Shell.Name = value; }

    /// <summary>What it reads; null where an optional input is left out.</summary>
    public IReadOnlyList<Value?> Inputs => inputs;
    /// <summary>What it computes; null where an optional output is left out.</summary>
    public IReadOnlyList<Value?> Outputs => outputs;
    /// <summary>The attributes that are stated, in file order; those left out have the operator's default.</summary>
    public IReadOnlyList<NodeAttribute> Attributes => attributes;
    /// <summary>The graphs this node runs: branches of If, bodies of Loop and Scan.</summary>
    public IEnumerable<Graph> Bodies => attributes.SelectMany(a => a.Bodies);

    /// <summary>Input <paramref name="index"/>, null when it is left out.</summary>
    public Value? Input(int index) => index < inputs.Count ? inputs[index] : null;

    /// <summary>Output <paramref name="index"/>, null when it is left out.</summary>
    public Value? Output(int index) => index < outputs.Count ? outputs[index] : null;

    /// <summary>True for an operator of the default domain with this type.</summary>
    public bool Is(string opType) => Shell.OpType == opType && Domain.Length == 0;

    /// <summary>Lets input <paramref name="index"/> read <paramref name="value"/> (null: left out), growing the list as needed.</summary>
    public void SetInput(int index, Value? value)
    {
        while (inputs.Count <= index) inputs.Add(null);
        inputs[index]?.RemoveUse(new Use(this, index));
        inputs[index] = value;
        value?.AddUse(new Use(this, index));
    }

    // The caller keeps the lists of uses: one by one they would cost the square of their number.
    internal void Redirect(int index, Value value) => inputs[index] = value;

    internal void AddOutput(Value? value)
    {
        if (value is not null) { value.Producer = this; value.OutputIndex = outputs.Count; }
        outputs.Add(value);
    }

    /// <summary>Lets this node compute <paramref name="value"/> at output <paramref name="index"/>; the old value is left without producer.</summary>
    public void SetOutput(int index, Value value)
    {
        if (outputs[index] is { } old && old.Producer == this) old.Producer = null;
        outputs[index] = value;
        value.Producer = this;
        value.OutputIndex = index;
    }

    /// <summary>The attribute called <paramref name="name"/>, null when it is not stated.</summary>
    public NodeAttribute? Attribute(string name) => attributes.FirstOrDefault(a => a.Name == name);
    /// <summary>The integer attribute <paramref name="name"/>; <paramref name="absent"/> when it is not stated or no integer.</summary>
    public long Int(string name, long absent) => Attribute(name) is { Proto.HasI: true } a ? a.Proto.I : absent;
    /// <summary>The float attribute <paramref name="name"/>; <paramref name="absent"/> when it is not stated or no float.</summary>
    public float Float(string name, float absent) => Attribute(name) is { Proto.HasF: true } a ? a.Proto.F : absent;
    /// <summary>The text attribute <paramref name="name"/>; <paramref name="absent"/> when it is not stated or no text.</summary>
    public string String(string name, string absent) => Attribute(name) is { Proto.HasS: true } a ? a.Proto.S.ToStringUtf8() : absent;
    /// <summary>The attribute <paramref name="name"/> of integers; null when it is not stated.</summary>
    public long[]? Ints(string name) => Attribute(name)?.Proto.Ints.ToArray();

    /// <summary>States an attribute, in place of the one of that name if there is one.</summary>
    public void SetAttribute(NodeAttribute attribute)
    {
        var at = attributes.FindIndex(a => a.Name == attribute.Name);
        if (at >= 0) attributes[at] = attribute;
        else attributes.Add(attribute);
    }

    /// <summary>Takes an attribute out; does nothing when it is not stated.</summary>
    public void RemoveAttribute(string name) => attributes.RemoveAll(a => a.Name == name);

    /// <summary>What a Constant node holds; null for forms without a dense tensor (sparse values, strings).</summary>
    internal Tensor? ConstantTensor()
    {
        if (attributes.Count != 1) return null;
        var a = attributes[0];
        return a.Name switch
        {
            "value" => a.Tensor,
            "value_float" => Tensor.Scalar(a.Proto.F),
            "value_int" => Tensor.Scalar(a.Proto.I),
            "value_floats" => Tensor.Create(a.Proto.Floats.ToArray(), a.Proto.Floats.Count),
            "value_ints" => Tensor.Create(a.Proto.Ints.ToArray(), a.Proto.Ints.Count),
            _ => null,
        };
    }

    /// <summary><c>Conv(x, w) -> y</c>, for messages.</summary>
    public override string ToString() => $"{OpType}({string.Join(", ", inputs)}) -> {string.Join(", ", outputs)}";
}
