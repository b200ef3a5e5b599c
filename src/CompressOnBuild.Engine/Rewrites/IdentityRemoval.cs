using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Takes out nodes whose output is their input: Identity; Dropout in inference; Cast to the type the value has; Transpose that moves no axis;
/// Reshape, Flatten, Expand and Concat of one part whose result provably has the shape of the input.
/// Legal when
/// - Dropout: its training_mode input (operator set 12 on) is absent or constant false, and nobody reads its mask;
/// - Cast: the input's type is certain (a caller's input, a constant, or another Cast);
/// - Reshape, Flatten, Expand: the shape of the result is that of the input, number by number or name by name (<see cref="SymbolicShapes"/>);
/// - names of outputs survive: a graph's output takes over its producer when that stands in the same graph and is shown nowhere else; otherwise
///   the node stays, as it does when a body would show a value of an outer graph (ONNX Runtime refuses that).
/// </summary>
internal sealed class IdentityRemoval : IRewrite
{
    public string Name => "remove-identities";

    public string Describe(int count) => $"removed {count} nodes that change nothing";

    public int Apply(Model model)
    {
        var shown = model.Shown();
        var facts = ShapeFacts.Of(model);
        var symbols = new SymbolicShapes(facts);
        var removed = 0;
        foreach (var graph in model.Graphs())
            foreach (var node in graph.Nodes)
                if (node.Input(0) is { } input && node.Output(0) is { } output && ChangesNothing(node, facts, symbols) && TryRemove(node, input, output, shown)) removed++;
        return removed;
    }

    private static bool ChangesNothing(Node node, ShapeFacts facts, SymbolicShapes symbols)
    {
        if (node.Domain.Length > 0) return false;
        return node.OpType switch
        {
            "Identity" => true,
            "Dropout" => node.Output(1) is not { Uses.Count: > 0 } && !(node.Output(1) is { } mask && mask.Graph.Outputs.Contains(mask))
                && (node.Input(2) is null || (node.Input(2).Fixed() is { ElementType: ElementType.Bool, Count: 1 } training && training.Data.Span[0] == 0)),
            "Cast" => CertainType(node.Input(0)!) is not ElementType.Undefined and var type && (long)type == node.Int("to", 0),
            "Transpose" => node.Ints("perm") is { } perm && perm.Select((p, i) => p == i).All(same => same),
            "Reshape" or "Flatten" or "Expand" => facts.StaticOf(node.Input(0)!) is { } before && ShapeRules.Output(node, 0, facts) is { } after && before.SequenceEqual(after)
                || !node.Is("Flatten") && node.Input(1) is { } target && symbols.ShapeOf(node.Input(0)!) is { } from && symbols.ElementsOf(target) is { } to && from.Select(e => (Extent?)e).SequenceEqual(to),
            "Concat" => node.Inputs.Count == 1,
            _ => false,
        };
    }

    private static ElementType CertainType(Value value) =>
        value.Constant is { } tensor ? tensor.ElementType
        : value.Producer is { OpType: "Cast", Domain: "" } cast ? (ElementType)cast.Int("to", 0)
        : value.Producer is null && value.Graph.Outer is null ? value.ElementType : ElementType.Undefined;

    private static bool TryRemove(Node node, Value input, Value output, HashSet<Value> shown)
    {
        if (!shown.Contains(output))
        {
            output.ReplaceAllUses(input);
            node.Graph.Remove(node);
            return true;
        }
        // The output's name must stay: the producer computes it directly, if it can.
        if (input.Producer is not { } producer || producer.Graph != node.Graph || shown.Contains(input) || input.Constant is not null) return false;
        producer.SetOutput(input.OutputIndex, output);
        input.ReplaceAllUses(output);
        // The node still reads the old value through its first input, which is now its own output: cut it before it goes.
        node.SetInput(0, null);
        node.Graph.Remove(node);
        return true;
    }
}
