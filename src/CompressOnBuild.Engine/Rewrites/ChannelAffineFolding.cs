using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Multiplying or shifting each channel of a linear layer's output by a constant becomes part of its weights and bias. Exporters write a bias
/// this way (Conv, then Add of [1,C,1,1]), and a BatchNormalization taken apart (Mul, then Add).
/// Legal when
/// - the layer is one <see cref="LinearLayer"/> accepts, in the same graph, and nobody else reads its output;
/// - the node is Mul or Add with one constant operand, or Sub or Div with a constant on the right, of the weight's element type;
/// - the constant, aligned to the right with the output, is 1 on every axis but the channels', where it is 1 or C, and has no more axes than the output;
/// - after MatMul only Mul and Div: ONNX Runtime itself fuses MatMul and Add, and the pattern must stay for it to find.
/// </summary>
internal sealed class ChannelAffineFolding : IRewrite
{
    public string Name => "fold-channel-affine";

    public string Describe(int count) => $"folded {count} per-channel multiplications and additions into the layer before";

    public int Apply(Model model)
    {
        var shown = model.Shown();
        var folded = 0;
        foreach (var graph in model.Graphs())
            foreach (var node in graph.Nodes)
                if (node.Domain.Length == 0 && node.OpType is "Mul" or "Add" or "Sub" or "Div" && TryFold(node, shown)) folded++;
        if (folded > 0) model.Graph.RemoveUnused();
        return folded;
    }

    private static bool TryFold(Node node, HashSet<Value> shown)
    {
        var at = node.Input(0).Fixed() is not null && node.OpType is "Mul" or "Add" ? 1 : 0;
        if (node.Input(at) is not { Producer: { } producer, Uses.Count: 1 } input || producer.Graph != node.Graph || shown.Contains(input)) return false;
        if (node.Input(1 - at).Fixed() is not { } constant || LinearLayer.Of(producer) is not { } layer) return false;
        if (constant.ElementType != layer.ElementType || PerChannel(constant, layer) is not { } values) return false;
        var one = new double[values.Length];
        Array.Fill(one, 1.0);
        var zero = new double[values.Length];
        if (node.OpType is "Add" or "Sub" && !layer.HasBias) return false;
        var done = node.OpType switch
        {
            "Mul" => layer.Fold(values, zero),
            "Div" => !values.Contains(0) && layer.Fold(Array.ConvertAll(values, v => 1 / v), zero),
            "Add" => layer.Fold(one, values),
            _ => layer.Fold(one, Array.ConvertAll(values, v => -v)),
        };
        if (done) layer.Absorb(node);
        return done;
    }

    private static double[]? PerChannel(Tensor constant, LinearLayer layer)
    {
        // The rank of MatMul's output is at least 1: more axes than that could add axes to the result.
        var rank = layer.Rank == 0 ? 1 : layer.Rank;
        if (constant.Rank > rank) return null;
        var axis = layer.Rank == 0 ? 0 : layer.ChannelAxis;
        var offset = rank - constant.Rank;
        for (var i = 0; i < constant.Rank; i++)
            if (constant.Shape[i] != 1 && (i + offset != axis || constant.Shape[i] != layer.Channels)) return null;
        var values = constant.ToDoubles();
        if (values.Length == 1 && layer.Channels != 1) Array.Fill(values = new double[layer.Channels], constant.ToDoubles()[0]);
        return values;
    }
}
