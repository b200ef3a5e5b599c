using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Writes GELU by its tanh (Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))) in the form that ONNX
/// Runtime knows to be one and runs as one kernel, whatever the order in which an exporter multiplied.
/// Legal when the nodes between x and the result are elementwise with scalar constants, read by nothing else, and compute that function: both are evaluated in
/// double precision at <see cref="Points"/> places from -<see cref="Reach"/> to <see cref="Reach"/>, and differ by at most <see cref="Nearness"/> of the larger of 1 and x. Of so
/// few nodes no other function does.
/// </summary>
internal sealed class GeluForm : IRewrite
{
    private const int Points = 193, MostNodes = 16;
    private const double Reach = 12, Nearness = 1e-5;
    private const float Cubic = 0.044715f, RootOfTwoOverPi = 0.7978845834732056f;

    public string Name => "write-gelus";

    public string Describe(int count) => $"wrote {count} GELUs as the runtime knows them";

    public int Apply(Model model)
    {
        if (model.Opset() < 7) return 0;
        var (shown, facts, changed) = (model.Shown(), ShapeFacts.Of(model), 0);
        foreach (var graph in model.Graphs())
            foreach (var node in graph.Nodes)
                if (node.Is("Mul") && Argument(node, shown, facts) is { } x)
                {
                    Write(node, x);
                    changed++;
                }
        if (changed > 0) model.Graph.RemoveUnused();
        return changed;
    }

    private static void Write(Node last, Value x)
    {
        var graph = last.Graph;
        var stem = last.Output(0)!.Name;
        Value Op(string op, string name, Value a, params Value[] b) => graph.Insert(last, op, $"{stem}_{name}", [a, .. b]).Output(0)!;
        Value Number(string name, float value) => graph.AddInitializer($"{stem}_{name}", Tensor.Scalar(value));
        var one = Number("one", 1);
        var square = Op("Mul", "cubic", Op("Mul", "linear", x, Number("cubic_factor", Cubic)), x);
        var inner = Op("Mul", "inner", Op("Add", "grown", square, one), Op("Mul", "scaled", x, Number("scale", RootOfTwoOverPi)));
        var share = Op("Add", "share", Op("Tanh", "tanh", inner), one);
        var half = Op("Mul", "half", x, Number("one_half", 0.5f));
        var output = last.Output(0)!;
        last.SetOutput(0, graph.NewValue(stem));
        graph.Insert(last, "Mul", stem, [share, half]).SetOutput(0, output);
        graph.Remove(last);
    }

    /// <summary>The x of which <paramref name="last"/> computes the GELU in a form that is not the runtime's yet; null where there is none.</summary>
    private static Value? Argument(Node last, HashSet<Value> shown, ShapeFacts facts)
    {
        // Every value on the way up is tried: what stands before x may be elementwise, too.
        var region = new List<Node> { last };
        for (var i = 0; i < region.Count && region.Count <= MostNodes; i++)
            foreach (var input in region[i].Inputs)
                if (input?.Producer is { } producer && producer.Graph == last.Graph && IsElementwise(producer) && !region.Contains(producer)) region.Add(producer);
        if (region.Count > MostNodes || !region.Any(n => n.Is("Tanh"))) return null;
        foreach (var x in region.SelectMany(n => n.Inputs).OfType<Value>().Where(v => v.Constant is null).Distinct())
            if (Between(last, x, shown, facts.RankOf(x) ?? 0) is { } nodes && nodes.Any(n => n.Is("Tanh")) && !IsWritten(last, x, nodes) && Computes(last, x)) return x;
        return null;
    }

    private static bool IsElementwise(Node node) => node.Domain.Length == 0 && node.OpType is "Mul" or "Add" or "Sub" or "Div" or "Pow" or "Tanh" or "Neg";

    /// <summary>The nodes from x to the result; null where they read anything but x and scalars, or someone else reads them.</summary>
    private static HashSet<Node>? Between(Node last, Value x, HashSet<Value> shown, int rank)
    {
        var nodes = new HashSet<Node> { last };
        var open = new Stack<Node>([last]);
        while (open.TryPop(out var node))
            foreach (var input in node.Inputs)
            {
                if (input is null) return null;
                if (input == x) continue;
                if (input.Constant is not null)
                {
                    // A constant of one element must add no axis.
                    if (Scalar(input) is null || input.Constant.Rank > rank) return null;
                    continue;
                }
                if (input.Producer is not { } producer || producer.Graph != last.Graph || !IsElementwise(producer)) return null;
                if (nodes.Add(producer)) open.Push(producer);
            }
        return nodes.Count <= MostNodes && nodes.All(n => n == last || n.Output(0) is { } o && !shown.Contains(o) && o.Uses.All(u => nodes.Contains(u.Node))) ? nodes : null;
    }

    private static double? Scalar(Value value) => value.Fixed() is { Count: 1, ElementType: ElementType.Float } t ? t.ToFloats()[0] : null;

    // The runtime asks for half of x times (1 + tanh), and either of two polynomials inside.
    private static bool IsWritten(Node last, Value x, HashSet<Node> nodes) =>
        last.Inputs.Any(i => i?.Producer is { } half && half.Is("Mul") && half.Inputs.Contains(x) && half.Inputs.Any(c => c is not null && Scalar(c) == 0.5)) && (nodes.Any(n => n.Is("Pow")) || nodes.Count == 9);

    private static bool Computes(Node last, Value x)
    {
        for (var i = 0; i < Points; i++)
        {
            var at = -Reach + 2 * Reach * i / (Points - 1);
            var expected = 0.5 * at * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (at + 0.044715 * at * at * at)));
            if (!(Math.Abs(Evaluate(last, x, at, []) - expected) <= Nearness * Math.Max(1, Math.Abs(at)))) return false;
        }
        return true;
    }

    private static double Evaluate(Node node, Value x, double at, Dictionary<Node, double> known)
    {
        if (known.TryGetValue(node, out var value)) return value;
        double In(int i) => node.Input(i) == x ? at : Scalar(node.Input(i)!) ?? Evaluate(node.Input(i)!.Producer!, x, at, known);
        return known[node] = node.OpType switch
        {
            "Mul" => In(0) * In(1),
            "Add" => In(0) + In(1),
            "Sub" => In(0) - In(1),
            "Div" => In(0) / In(1),
            "Pow" => Math.Pow(In(0), In(1)),
            "Neg" => -In(0),
            _ => Math.Tanh(In(0)),
        };
    }
}
