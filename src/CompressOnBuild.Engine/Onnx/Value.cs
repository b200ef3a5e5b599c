using CompressOnBuild.Onnx.Proto;

namespace CompressOnBuild.Onnx;

/// <summary>One place where a value is read: input <paramref name="Index"/> of <paramref name="Node"/>, which may stand in a nested graph.</summary>
public readonly record struct Use(Node Node, int Index);

/// <summary>A named value: a graph input, an initializer (or both), or the output of a node.</summary>
public sealed class Value
{
    private readonly List<Use> uses = [];

    internal Value(Graph graph, string name) { Graph = graph; Name = name; }

    /// <summary>Name in the graph; a new one must come from <see cref="Model.NewName"/>.</summary>
    public string Name { get; set; }

    /// <summary>The graph in whose scope the value lives; nested bodies may read it too.</summary>
    public Graph Graph { get; }

    /// <summary>The node that computes it; null for inputs and initializers.</summary>
    public Node? Producer { get; internal set; }

    /// <summary>Which output of <see cref="Producer"/> it is.</summary>
    public int OutputIndex { get; internal set; }

    /// <summary>The stored tensor when this is an initializer.</summary>
    public Tensor? Initializer { get; internal set; }

    /// <summary>Declared type and shape, where the model states one.</summary>
    internal ValueInfoProto? Info { get; set; }

    /// <summary>Every node input that reads it, in nested graphs too.</summary>
    public IReadOnlyList<Use> Uses => uses;

    /// <summary>Whether it is an input of its graph.</summary>
    public bool IsGraphInput => Graph.Inputs.Contains(this);
    /// <summary>Whether it is an output of its graph.</summary>
    public bool IsGraphOutput => Graph.Outputs.Contains(this);

    /// <summary>
    /// The value's tensor when it is known before the model runs: an initializer or the output of a Constant node, else null.
    /// An initializer that is also a graph input counts: that is its default, and IR version 3 demanded it of every initializer.
    /// </summary>
    public Tensor? Constant => Initializer ?? (Producer is { OpType: "Constant", Domain: "" } node ? node.ConstantTensor() : null);

    /// <summary>Element type as declared, <see cref="Onnx.ElementType.Undefined"/> when the model does not say.</summary>
    public ElementType ElementType => Constant?.ElementType ?? (ElementType)(Info?.Type?.TensorType?.ElemType ?? 0);

    /// <summary>
    /// Lets every reader, including the outputs of its graph and of the bodies inside, read <paramref name="other"/> instead. Names are not changed.
    /// </summary>
    public void ReplaceAllUses(Value other)
    {
        if (other == this) return;
        foreach (var use in uses)
        {
            use.Node.Redirect(use.Index, other);
            other.AddUse(use);
        }
        uses.Clear();
        Graph.ReplaceOutputs(this, other);
    }

    /// <summary>Stores another tensor in an initializer or a Constant node: same value, same name, every reader sees it.</summary>
    public void SetConstant(Tensor tensor)
    {
        if (Initializer is not null) { Initializer = tensor; return; }
        if (Constant is null) throw new InvalidOperationException($"'{this}' is no constant.");
        foreach (var attribute in Producer!.Attributes.ToArray()) Producer.RemoveAttribute(attribute.Name);
        Producer.SetAttribute(NodeAttribute.OfTensor("value", tensor));
    }

    internal void AddUse(Use use) => uses.Add(use);
    internal void RemoveUse(Use use) => uses.Remove(use);

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
