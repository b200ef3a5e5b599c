using CompressOnBuild.Onnx;

namespace CompressOnBuild.Placement;

/// <summary>
/// Which values of the main graph are quantized when certain nodes run on integers.
/// 1. The given nodes (whose weights are static) are integer.
/// 2. Nodes between them join when an integer kernel exists, all their data inputs come quantized from integer nodes, and somebody behind
///    them wants integers. So a chain stays in integers and no lone pair is written around a float operator.
/// 3. The data inputs of integer nodes are quantized, and their outputs where the kernel's output is an integer; what the model quantizes itself stays as it is.
/// </summary>
internal sealed class QuantizedRegion
{
    private readonly HashSet<Node> integers = [];
    private readonly HashSet<Node> absorbed = [];

    private QuantizedRegion() { }

    /// <summary>Nodes that run on integers, in graph order.</summary>
    public IReadOnlyList<Node> Integers { get; private set; } = [];

    /// <summary>Values to quantize, in graph order.</summary>
    public IReadOnlyList<QuantizedValue> Values { get; private set; } = [];

    /// <param name="graph">The main graph.</param>
    /// <param name="fixedNodes">Conv, Gemm and MatMul nodes with static weights.</param>
    /// <param name="join">Step 2; false leaves everything between the given nodes in float.</param>
    public static QuantizedRegion Find(Graph graph, IReadOnlySet<Node> fixedNodes, bool join = true)
    {
        var region = new QuantizedRegion();
        region.integers.UnionWith(fixedNodes);
        foreach (var node in fixedNodes) if (QdqRules.AbsorbedActivation(node) is { } activation) region.absorbed.Add(activation);
        if (join) region.Join(graph, fixedNodes);
        region.Integers = [.. graph.Nodes.Where(region.integers.Contains)];
        region.Values = [.. region.Collect(graph)];
        return region;
    }

    private void Join(Graph graph, IReadOnlySet<Node> fixedNodes)
    {
        foreach (var node in graph.Nodes)
        {
            if (integers.Contains(node) || absorbed.Contains(node) || QdqRules.Of(node) == QdqBehaviour.Float) continue;
            if (!QdqRules.DataInputs(node).All(v => ComesQuantized(v))) continue;
            integers.Add(node);
            if (node.Is("Add") && QdqRules.AbsorbedActivation(node) is { } activation) absorbed.Add(activation);
        }
        // Backwards: who has no integer reader leaves again. (Nobody who stays loses an input by that: its producer has a reader.)
        for (var node = graph.Nodes.Last; node is not null; node = node.Previous)
        {
            if (!integers.Contains(node) || fixedNodes.Contains(node)) continue;
            var activation = QdqRules.AbsorbedActivation(node);
            var value = activation is not null && absorbed.Contains(activation) ? activation.Output(0)! : node.Output(0)!;
            if (value.Uses.Any(u => integers.Contains(u.Node))) continue;
            integers.Remove(node);
            if (activation is not null) absorbed.Remove(activation);
        }
    }

    private bool ComesQuantized(Value value) => value.Producer is { } p && (integers.Contains(p) && IsIntegerOutput(p) || absorbed.Contains(p)) && value.Graph.Outer is null;

    // The integer matrix products can give floats; a convolution is fused only when its output is quantized.
    private static bool IsIntegerOutput(Node node) => node.OpType is not ("Gemm" or "MatMul");

    // In a model that came quantized: a second pair around it would round twice.
    private static bool IsQuantized(Value value) => value.Producer is { } producer && producer.Is("DequantizeLinear");

    private static bool GetsQuantized(Value value) => !value.IsGraphOutput && value.Uses.Count > 0 && value.Uses.All(u => u.Node.Is("QuantizeLinear"));

    private IEnumerable<QuantizedValue> Collect(Graph graph)
    {
        var seen = new HashSet<Value>();
        foreach (var node in graph.Nodes)
        {
            if (!integers.Contains(node)) continue;
            foreach (var input in QdqRules.DataInputs(node))
                if (!IsQuantized(input) && seen.Add(input)) yield return new QuantizedValue(input, FromInteger: false, null, null);
            var activation = QdqRules.AbsorbedActivation(node);
            if (activation is not null && !absorbed.Contains(activation)) activation = null;
            var output = (activation ?? node).Output(0)!;
            var wanted = IsIntegerOutput(node) || output.Uses.Any(u => integers.Contains(u.Node));
            if (!wanted || GetsQuantized(output) || !seen.Add(output)) continue;
            var source = QdqRules.Of(node) == QdqBehaviour.Same ? node.Input(0) : null;
            yield return new QuantizedValue(output, FromInteger: true, source, activation);
        }
    }
}

/// <summary>
/// A value that gets a QuantizeLinear/DequantizeLinear pair. <paramref name="FromInteger"/>: it comes from an integer kernel, so every
/// reader reads the dequantized value; else only the integer readers do. <paramref name="Source"/>: it must share the parameters of this
/// value. <paramref name="Activation"/>: the Relu or Clip absorbed before it.
/// </summary>
internal sealed record QuantizedValue(Value Value, bool FromInteger, Value? Source, Node? Activation);
