using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Encodings;

/// <summary>
/// DynamicQuantizeLSTM of ONNX Runtime (domain com.microsoft): input and recurrence weights as integers, activations quantized at
/// every step. It takes both matrices transposed, [directions, input, 4 * hidden], with scales [directions, 4 * hidden].
/// </summary>
internal sealed class DynamicLstm : IEncoding
{
    public const string Domain = "com.microsoft";

    public string Id => "dynamic-lstm";

    public string? Refuses(Site site, int opset)
    {
        if (site.Tensor.ElementType != ElementType.Float) return $"the weight is {site.Tensor.ElementType}";
        if (site.Operator is not { OpType: "LSTM" } || site.Tensor.Rank != 3) return "only the weights of LSTM";
        foreach (var (node, _, _) in site.Uses)
        {
            if (node.Int("layout", 0) != 0) return "the integer LSTM has no batch-first layout";
            if (node.Input(1)?.Constant is null || node.Input(2)?.Constant is null || node.Input(1) == node.Input(2)) return "both weights of the LSTM must be constants of their own";
        }
        return null;
    }

    public void Write(IReadOnlyList<EncodedSite> sites)
    {
        // One weight may serve several LSTMs (the branches of an If): it is stored once.
        var stored = sites.ToDictionary(s => s.Site.Weight, Store);
        foreach (var node in sites.SelectMany(s => s.Site.Uses.Select(u => u.Node)).Distinct().ToArray())
        {
            var graph = node.Graph;
            var inputs = Enumerable.Range(0, 8).Select(node.Input).ToArray();
            var (w, wScale, wZero) = stored[inputs[1]!];
            var (r, rScale, rZero) = stored[inputs[2]!];
            (inputs[1], inputs[2]) = (w, r);
            var quantized = graph.Insert(node, "DynamicQuantizeLSTM", "l", [.. inputs, wScale, wZero, rScale, rZero],
                node.Attributes.Where(a => a.Name != "layout"), Domain, outputs: node.Outputs.Count);
            for (var i = 0; i < node.Outputs.Count; i++)
                if (node.Output(i) is { } output) quantized.SetOutput(i, output);
            graph.Remove(node);
        }
        foreach (var (site, _) in sites)
        {
            if (site.Weight.Producer is { } constant) constant.Graph.Remove(constant);
            else site.Weight.Graph.RemoveInitializer(site.Weight);
            site.Weight.Graph.Model.ImportOpset(Domain, Math.Max(1, site.Weight.Graph.Model.Opset(Domain)));
        }
    }

    private static (Value Codes, Value Scales, Value ZeroPoints) Store(EncodedSite encoded)
    {
        var graph = encoded.Site.Weight.Graph;
        var weight = encoded.Integers;
        var (directions, rows, columns) = ((int)weight.Shape[0], (int)weight.Shape[1], (int)weight.Shape[2]);
        var codes = new sbyte[weight.Codes.Length];
        for (var d = 0; d < directions; d++)
            for (var i = 0; i < rows; i++)
                for (var j = 0; j < columns; j++) codes[(d * columns + j) * rows + i] = weight.Codes[(d * rows + i) * columns + j];
        return (graph.AddInitializer("w", Tensor.Create(codes, directions, columns, rows)),
            graph.AddInitializer("s", Tensor.Create(weight.Scales, directions, rows)),
            graph.AddInitializer("z", Tensor.Create(new sbyte[directions * rows], directions, rows)));
    }
}
