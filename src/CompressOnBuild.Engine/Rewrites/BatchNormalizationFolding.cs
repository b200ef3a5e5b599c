using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// BatchNormalization of a linear layer's output becomes part of its weights: y' = s (y - mean) + B with s = scale / sqrt(var + epsilon).
/// Legal when
/// - the layer is a Conv, ConvTranspose or Gemm as <see cref="LinearLayer"/> demands, and nobody but the BatchNormalization, which stands in the same graph, reads its output;
/// - the layer is a MatMul and its output is known to have rank 2 (then the columns are the channels): the BatchNormalization becomes the Add of a bias;
/// - scale, B, mean and var are constant, of the weight's element type, one number a channel, and var + epsilon is positive;
/// - it runs in inference mode: no training_mode, no momentum outputs, and not the non-spatial form of operator sets below 9.
/// </summary>
internal sealed class BatchNormalizationFolding : IRewrite
{
    public string Name => "fold-batch-normalization";

    public string Describe(int count) => $"folded {count} BatchNormalization into the layer before";

    public int Apply(Model model)
    {
        var shown = model.Shown();
        var facts = new Lazy<ShapeFacts>(() => ShapeFacts.Of(model));
        var folded = 0;
        foreach (var graph in model.Graphs())
            foreach (var node in graph.Nodes)
                if (node.Is("BatchNormalization") && TryFold(node, shown, facts)) folded++;
        if (folded > 0) model.Graph.RemoveUnused();
        return folded;
    }

    private static bool TryFold(Node norm, HashSet<Value> shown, Lazy<ShapeFacts> facts)
    {
        if (norm.Input(0) is not { Producer: { } producer, Uses.Count: 1 } input || producer.Graph != norm.Graph || shown.Contains(input)) return false;
        if (LinearLayer.Of(producer) is not { } layer || Affine(norm, layer) is not var (a, d)) return false;
        if (layer.HasBias)
        {
            if (!layer.Fold(a, d)) return false;
            layer.Absorb(norm);
            return true;
        }
        if (facts.Value.RankOf(input) != 2 || ConstantValues.FromDoubles(d, layer.ElementType, layer.Channels) is not { } bias) return false;
        if (!layer.Fold(a, new double[a.Length])) return false;
        var add = norm.Graph.Insert(norm, "Add", norm.Output(0)!.Name, [input, norm.Graph.AddInitializer($"{producer.Input(1)}_bias", bias)]);
        add.SetOutput(0, norm.Output(0)!);
        norm.Graph.Remove(norm);
        return true;
    }

    private static (double[] A, double[] D)? Affine(Node norm, LinearLayer layer)
    {
        if (norm.Int("training_mode", 0) != 0 || norm.Int("spatial", 1) == 0) return null;
        if (norm.Outputs.Skip(1).Any(o => o is not null)) return null;
        var rows = new double[4][];
        for (var i = 0; i < 4; i++)
        {
            if (norm.Input(i + 1).Fixed() is not { } t || t.ElementType != layer.ElementType || t.Count != layer.Channels) return null;
            rows[i] = t.ToDoubles();
        }
        var epsilon = norm.Float("epsilon", 1e-5f);
        double[] a = new double[layer.Channels], d = new double[layer.Channels];
        for (var c = 0; c < a.Length; c++)
        {
            var variance = rows[3][c] + epsilon;
            if (!(variance > 0)) return null;
            a[c] = rows[0][c] / Math.Sqrt(variance);
            d[c] = rows[1][c] - rows[2][c] * a[c];
        }
        return (a, d);
    }
}
