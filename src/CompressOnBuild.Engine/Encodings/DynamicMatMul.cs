using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Encodings;

/// <summary>
/// DynamicQuantizeLinear and MatMulInteger: activations are quantized at every run from their own range, no calibration. ONNX Runtime
/// fuses the group to DynamicQuantizeMatMul. Operators: MatMul and Gemm with a constant right-hand matrix.
/// </summary>
internal sealed class DynamicMatMul : IEncoding
{
    /// <summary>DynamicQuantizeLinear came with operator set 11.</summary>
    public const int LowestOpset = 11;

    public string Id => "dynamic-matmul";

    public string? Refuses(Site site, int opset)
    {
        if (opset < LowestOpset) return $"DynamicQuantizeLinear needs operator set {LowestOpset}, the model has {opset}";
        if (site.Tensor.ElementType != ElementType.Float) return $"the weight is {site.Tensor.ElementType}";
        if (site.Operator is not { Role: WeightRole.MatrixProduct, WeightInput: 1 } || site.Tensor.Rank != 2) return "only the right-hand matrix of MatMul and Gemm has a dynamic kernel";
        if (site.Uses.Any(u => u.Node.Is("Gemm") && u.Node.Int("transA", 0) != 0)) return "Gemm with transA has no dynamic form";
        if (site.Uses.Select(u => u.Node.Int("transB", 0)).Distinct().Count() > 1) return "its readers disagree about transB";
        return null;
    }

    public void Write(IReadOnlyList<EncodedSite> sites)
    {
        foreach (var encoded in sites)
        {
            var (site, weight) = (encoded.Site, encoded.Integers);
            var stored = RestoredWeight.AsKN(weight, site.Uses[0].Node);
            var codes = site.Weight.Graph.AddInitializer("w", Tensor.Create(stored.Codes, stored.Shape));
            foreach (var alpha in site.Uses.GroupBy(u => u.Node.Is("Gemm") ? u.Node.Float("alpha", 1) : 1f))
            {
                var scales = site.Weight.Graph.AddInitializer("s", Tensor.Create([.. stored.Scales.Select(s => s * alpha.Key)], stored.Scales.Length));
                foreach (var use in alpha) Rewrite(use.Node, codes, scales);
            }
            if (site.Weight.Producer is { } constant) constant.Graph.Remove(constant);
            else site.Weight.Graph.RemoveInitializer(site.Weight);
        }
    }

    private static void Rewrite(Node node, Value codes, Value scales)
    {
        var graph = node.Graph;
        var activations = node.Input(0)!;
        var quantize = graph.Nodes.TakeWhile(n => n != node).FirstOrDefault(n => n.Is("DynamicQuantizeLinear") && n.Input(0) == activations)
            ?? graph.Insert(node, "DynamicQuantizeLinear", "q", [activations], outputs: 3);
        var product = graph.Insert(node, "MatMulInteger", "i", [quantize.Output(0), codes, quantize.Output(2)]);
        var cast = graph.Insert(node, "Cast", "c", [product.Output(0)], [NodeAttribute.Int("to", (int)ElementType.Float)]);
        var scale = graph.Insert(node, "Mul", "m", [quantize.Output(1), scales]);
        var output = node.Output(0)!;
        var bias = node.Is("Gemm") ? node.Input(2) : null;
        var beta = node.Float("beta", 1);
        if (bias is not null && beta == 0) bias = null;
        if (bias is not null && beta != 1)
            bias = graph.Insert(node, "Mul", "b", [bias, graph.AddInitializer("k", Tensor.Scalar(beta))]).Output(0);
        var mul = graph.Insert(node, "Mul", "r", [cast.Output(0), scale.Output(0)]);
        var last = bias is null ? mul : graph.Insert(node, "Add", "a", [mul.Output(0), bias]);
        last.SetOutput(0, output);
        graph.Remove(node);
    }
}
