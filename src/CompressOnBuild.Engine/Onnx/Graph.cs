using System.Collections;
using CompressOnBuild.Onnx.Proto;

namespace CompressOnBuild.Onnx;

/// <summary>A graph: the main one, or the body of a control-flow node, which also sees the values of the graphs around it.</summary>
public sealed class Graph
{
    private readonly List<Graph> inner = [];

    internal Graph(Model model, Graph? outer, GraphProto shell)
    {
        Model = model;
        Outer = outer;
        outer?.inner.Add(this);
        Shell = shell;
        Nodes = new NodeList();
    }

    /// <summary>The model this graph belongs to.</summary>
    public Model Model { get; }
    /// <summary>The graph around this body; null for the main graph.</summary>
    public Graph? Outer { get; }
    /// <summary>The message without nodes, initializers, inputs, outputs and value infos.</summary>
    internal GraphProto Shell { get; }
    /// <summary>Name as stored; may be empty.</summary>
    public string Name => Shell.Name;

    /// <summary>Inputs in their order; an initializer may be among them as a default.</summary>
    public List<Value> Inputs { get; } = [];
    /// <summary>Outputs in their order; add by <see cref="AddOutput(Value)"/>.</summary>
    public List<Value> Outputs { get; } = [];
    /// <summary>Declarations of the outputs, in their order: an output may be declared otherwise than the value it shows.</summary>
    internal List<ValueInfoProto> OutputInfos { get; } = [];
    /// <summary>Stored tensors in file order.</summary>
    public List<Value> Initializers { get; } = [];
    /// <summary>Values of the sparse initializers, whose data stay in the message.</summary>
    internal List<Value> Sparse { get; } = [];
    /// <summary>Values with a declared type inside the graph, in file order.</summary>
    internal List<Value> Declared { get; } = [];
    /// <summary>The nodes in execution order; adding and removing while iterating is safe.</summary>
    public NodeList Nodes { get; }

    /// <summary>How many graphs stand around this one.</summary>
    public int Depth => Outer is null ? 0 : Outer.Depth + 1;

    /// <summary>Adds an initializer named after <paramref name="stem"/>.</summary>
    public Value AddInitializer(string stem, Tensor tensor)
    {
        var value = new Value(this, Model.NewName(stem)) { Initializer = tensor };
        Initializers.Add(value);
        return value;
    }

    /// <summary>Stores the tensor of a Constant node's output as an initializer of the same name, which is visible from the graph's first node on.</summary>
    public void MakeInitializer(Value constant)
    {
        if (constant.Producer is not { } node || constant.Graph != this || constant.Constant is not { } tensor)
            throw new InvalidOperationException($"'{constant}' is no Constant node of this graph.");
        constant.Producer = null;
        Remove(node);
        constant.Initializer = tensor;
        Initializers.Add(constant);
    }

    /// <summary>Shows a value as one more output of the graph.</summary>
    public void AddOutput(Value value) => AddOutput(value, null);

    internal void AddOutput(Value value, ValueInfoProto? declared)
    {
        Outputs.Add(value);
        OutputInfos.Add(declared ?? value.Info ?? new ValueInfoProto());
    }

    /// <summary>Shows the same outputs in another order: at each place the one that was at the given index.</summary>
    internal void ReorderOutputs(IReadOnlyList<int> order)
    {
        var old = Outputs.Zip(OutputInfos).ToArray();
        Outputs.Clear();
        OutputInfos.Clear();
        foreach (var index in order) AddOutput(old[index].First, old[index].Second);
    }

    /// <summary>Takes an initializer out, also from the inputs when it is the default of one. It must have no readers.</summary>
    public void RemoveInitializer(Value value)
    {
        if (value.Uses.Count > 0 || IsShown(value)) throw new InvalidOperationException($"initializer '{value}' is still used.");
        Initializers.Remove(value);
        Inputs.Remove(value);
        value.Initializer = null;
    }

    /// <summary>
    /// Adds a node before <paramref name="before"/> (null: at the end) with <paramref name="outputs"/> new values named after the stem.
    /// </summary>
    public Node Insert(Node? before, string opType, string stem, IEnumerable<Value?> inputs, IEnumerable<NodeAttribute>? attributes = null,
        string domain = "", int outputs = 1)
    {
        var node = new Node(this, new NodeProto { OpType = opType, Name = Model.NewName($"{stem}_{opType}") });
        if (domain.Length > 0) node.Shell.Domain = domain;
        foreach (var attribute in attributes ?? []) node.SetAttribute(attribute);
        var i = 0;
        foreach (var input in inputs) node.SetInput(i++, input);
        for (var o = 0; o < outputs; o++) node.AddOutput(new Value(this, Model.NewName(o == 0 ? stem : $"{stem}_{o}")));
        Nodes.Insert(node, before);
        return node;
    }

    /// <summary>A value without producer, to be given to a node by <see cref="Node.SetOutput"/>.</summary>
    public Value NewValue(string stem) => new(this, Model.NewName(stem));

    /// <summary>Takes a node out. Its outputs must have no readers, unless they were given to another node.</summary>
    public void Remove(Node node)
    {
        foreach (var output in node.Outputs)
        {
            if (output?.Producer != node) continue;
            if (output.Uses.Count > 0 || IsShown(output)) throw new InvalidOperationException($"'{output}' of {node.OpType} is still used.");
        }
        for (var i = 0; i < node.Inputs.Count; i++) node.SetInput(i, null);
        foreach (var body in node.Bodies) body.Release();
        Nodes.Remove(node);
    }

    /// <summary>Removes nodes and initializers nobody needs, in this graph and in its bodies. Returns how many nodes went.</summary>
    public int RemoveUnused()
    {
        // A body may name an outer value as its own output without any node in between: the outputs of all graphs count as read.
        return RemoveUnused(Model.Graphs().SelectMany(g => g.Outputs).ToHashSet());
    }

    private int RemoveUnused(HashSet<Value> shown)
    {
        var removed = 0;
        for (var node = Nodes.Last; node is not null;)
        {
            var previous = node.Previous;
            if (node.Outputs.All(o => o is null || o.Producer != node || (o.Uses.Count == 0 && !shown.Contains(o)))) { Remove(node); removed++; }
            else foreach (var body in node.Bodies) removed += body.RemoveUnused(shown);
            node = previous;
        }
        var inputs = Inputs.ToHashSet();
        Initializers.RemoveAll(v =>
        {
            if (v.Uses.Count > 0 || shown.Contains(v) || inputs.Contains(v)) return false;
            v.Initializer = null;
            return true;
        });
        return removed;
    }

    // A body may show a value of a graph around it as its own output.
    internal void ReplaceOutputs(Value value, Value other)
    {
        for (var i = 0; i < Outputs.Count; i++)
            if (Outputs[i] == value) Outputs[i] = other;
        foreach (var graph in inner) graph.ReplaceOutputs(value, other);
    }

    private bool IsShown(Value value) => Outputs.Contains(value);

    // A removed control-flow node no longer reads the outer values its bodies read.
    private void Release()
    {
        foreach (var node in Nodes)
        {
            for (var i = 0; i < node.Inputs.Count; i++) node.SetInput(i, null);
            foreach (var body in node.Bodies) body.Release();
        }
        Outputs.Clear();
        OutputInfos.Clear();
    }

    internal Graph CloneInto(Model model, Graph? outer, Dictionary<Value, Value> map)
    {
        var copy = new Graph(model, outer, Shell);
        foreach (var value in Inputs) copy.Inputs.Add(Map(value));
        foreach (var value in Initializers) copy.Initializers.Add(Map(value));
        foreach (var value in Sparse) copy.Sparse.Add(Map(value));
        // Values first: an unsorted body may read what a later node computes.
        foreach (var node in Nodes) foreach (var output in node.Outputs) if (output is not null) Map(output);
        foreach (var node in Nodes)
        {
            var twin = new Node(copy, node.Shell.Clone());
            foreach (var a in node.Attributes)
                twin.SetAttribute(a.Bodies.Count == 0 ? a : new NodeAttribute(a.Proto, null, [.. a.Bodies.Select(b => b.CloneInto(model, copy, map))]));
            for (var i = 0; i < node.Inputs.Count; i++) twin.SetInput(i, node.Inputs[i] is { } input ? map[input] : null);
            foreach (var output in node.Outputs) twin.AddOutput(output is null ? null : Map(output));
            copy.Nodes.Insert(twin, null);
        }
        foreach (var value in Outputs) copy.Outputs.Add(map.TryGetValue(value, out var known) ? known : Map(value));
        copy.OutputInfos.AddRange(OutputInfos);
        foreach (var value in Declared) if (map.TryGetValue(value, out var known)) copy.Declared.Add(known);
        return copy;

        Value Map(Value value)
        {
            if (!map.TryGetValue(value, out var twin))
                map.Add(value, twin = new Value(copy, value.Name) { Initializer = value.Initializer, Info = value.Info });
            return twin;
        }
    }
}

/// <summary>The nodes of a graph as a linked list: inserting and removing, also during iteration, never disturbs the rest.</summary>
public sealed class NodeList : IEnumerable<Node>
{
    /// <summary>The first node; null when there is none.</summary>
    public Node? First { get; private set; }
    /// <summary>The last node; null when there is none.</summary>
    public Node? Last { get; private set; }
    /// <summary>Number of nodes.</summary>
    public int Count { get; private set; }

    internal void Insert(Node node, Node? before)
    {
        var previous = before is null ? Last : before.Previous;
        node.Previous = previous;
        node.Next = before;
        if (previous is null) First = node; else previous.Next = node;
        if (before is null) Last = node; else before.Previous = node;
        node.IsInGraph = true;
        Count++;
    }

    // The removed node keeps its Next: whoever stands on it during iteration finds the way on.
    internal void Remove(Node node)
    {
        if (node.Previous is null) First = node.Next; else node.Previous.Next = node.Next;
        if (node.Next is null) Last = node.Previous; else node.Next.Previous = node.Previous;
        node.IsInGraph = false;
        Count--;
    }

    /// <summary>Moves a node right before another one of the same graph.</summary>
    public void Move(Node node, Node before)
    {
        Remove(node);
        Insert(node, before);
    }

    /// <summary>Every node in execution order; a node that is removed meanwhile is left out, one inserted further on is met.</summary>
    public IEnumerator<Node> GetEnumerator()
    {
        for (var node = First; node is not null;)
        {
            if (node.IsInGraph) yield return node;
            node = node.Next;
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
