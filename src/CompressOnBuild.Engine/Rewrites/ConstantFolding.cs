using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Nodes that compute from constants alone become constants: shape arithmetic, and weights that an exporter stored transposed, so that they are found as weights.
/// Also <c>Shape</c> of a value whose whole shape is certain (<see cref="ShapeFacts"/>).
/// Legal when
/// - the operator is one of <see cref="FoldableOperators"/>: deterministic, of the default domain, without bodies, and with outputs whose size is known from its inputs before it runs;
///   QuantizeLinear, DequantizeLinear and a Cast of 8-bit integers or 16-bit floats are not among them: they are how a small weight is stored;
/// - every input is constant and cannot be set by a caller;
/// - the model gets no bigger: the outputs have at most as many bytes as the constants that only this node reads, or at most 1 KiB each;
///   an eager folding counts all constants that the node reads, and whoever asks for it looks at the whole model afterwards (<see cref="StandardRewrites"/>).
/// Works in rounds: all nodes that can be folded are run in one tiny model, then those they made constant.
/// </summary>
internal sealed class ConstantFolding(ConstantEvaluator evaluate, bool eager = false) : IRewrite
{
    private const long AlwaysSmall = 1024;
    // Fewer elements are an axis or a scale.
    private const int StoredWeight = 64;
    // The longest chains of shape arithmetic have some ten nodes; a hostile chain of thousands stays a chain.
    private const int MaxRounds = 32;

    public string Name => "fold-constants";

    public string Describe(int count) => $"computed {count} {(count == 1 ? "node that depends" : "nodes that depend")} on constants alone";

    public int Apply(Model model)
    {
        var folded = FoldShapes(model);
        var refused = new HashSet<Node>();
        for (var round = 0; round < MaxRounds; round++)
        {
            var ready = model.Graphs().SelectMany(g => g.Nodes).Where(n => !refused.Contains(n) && IsFoldable(n)).ToList();
            if (ready.Count == 0) break;
            if (Run(model, ready) is { } results) folded += Replace(ready, results);
            else
                // One of them cannot run, perhaps in a branch that is never taken: it stays, the others are folded.
                foreach (var node in ready)
                    if (Run(model, [node]) is { } result) folded += Replace([node], result);
                    else refused.Add(node);
            model.Graph.RemoveUnused();
        }
        return folded;
    }

    private IReadOnlyList<Tensor>? Run(Model model, List<Node> nodes)
    {
        try { return evaluate(Extract(model, nodes)); }
        catch (CompressionException e) when (e.Diagnostic.Code is Codes.RuntimeRefused or Codes.RuntimeFailed) { return null; }
    }

    private static int FoldShapes(Model model)
    {
        var facts = ShapeFacts.Of(model);
        var shapes = 0;
        foreach (var node in model.AllNodes().Where(n => n.Is("Shape") && n.Attributes.Count == 0).ToList())
            if (node.Output(0) is { } output && facts.StaticOf(node.Input(0)!) is { } shape && shape.Length > 0)
            {
                SetConstant(node, output, Tensor.Create(shape, shape.Length));
                shapes++;
            }
        if (shapes > 0) model.Graph.RemoveUnused();
        return shapes;
    }

    private bool IsFoldable(Node node)
    {
        if (node.Is("Cast") && node.Input(0)?.Constant is { Count: >= StoredWeight } stored && stored.ElementType.Bits() <= 16 && stored.ElementType is not (ElementType.Bool or ElementType.Int16 or ElementType.UInt16)) return false;
        if (node.Domain.Length > 0 || node.Is("Constant") || node.Bodies.Any() || node.Outputs.Count(o => o is not null) != 1 || node.Output(0) is null) return false;
        var inputs = new List<Tensor?>();
        foreach (var input in node.Inputs)
        {
            if (input is null) { inputs.Add(null); continue; }
            if (input.Fixed() is not { Strings: null } tensor) return false;
            inputs.Add(tensor);
        }
        if (FoldableOperators.OutputBytes(node, inputs) is not { } bytes) return false;
        var freed = node.Inputs.OfType<Value>().Where(v => eager || (v.Uses.Count == 1 && !v.IsGraphOutput)).Sum(v => v.Constant!.ByteCount);
        return bytes <= Math.Max(AlwaysSmall, freed);
    }

    /// <summary>A model whose only nodes are the given ones, fed by their constants.</summary>
    private static Model Extract(Model model, List<Node> nodes)
    {
        var tiny = new Model(new Onnx.Proto.ModelProto { IrVersion = Math.Max(model.IrVersion, 4) });
        foreach (var import in model.Shell.OpsetImport) tiny.ImportOpset(Model.Normalize(import.Domain), (int)import.Version);
        var graph = tiny.Graph = new Graph(tiny, null, new Onnx.Proto.GraphProto { Name = "constants" });
        var twins = new Dictionary<Value, Value>();
        foreach (var node in nodes)
        {
            var twin = graph.Insert(null, node.OpType, "c", node.Inputs.Select(Twin), node.Attributes);
            graph.AddOutput(twin.Output(0)!, new Onnx.Proto.ValueInfoProto());
        }
        return tiny;

        Value? Twin(Value? value)
        {
            if (value is null) return null;
            if (!twins.TryGetValue(value, out var twin)) twins.Add(value, twin = graph.AddInitializer("c", value.Constant!));
            return twin;
        }
    }

    private static int Replace(List<Node> nodes, IReadOnlyList<Tensor> results)
    {
        for (var i = 0; i < nodes.Count; i++) SetConstant(nodes[i], nodes[i].Output(0)!, results[i]);
        return nodes.Count;
    }

    // A Constant node takes the place of the node: the value keeps its name, its readers and, where it is one, its rank as an output.
    private static void SetConstant(Node node, Value output, Tensor tensor)
    {
        var constant = node.Graph.Insert(node, "Constant", output.Name, [], [NodeAttribute.OfTensor("value", tensor)]);
        constant.SetOutput(0, output);
        node.Graph.Remove(node);
    }
}
