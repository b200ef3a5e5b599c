using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Encodings;

/// <summary>
/// DequantizeLinear before a MatMul or Gemm with float activations, the weight stored as [K, N]: ONNX Runtime fuses it to MatMulNBits,
/// which is smaller and faster than float. With transB = 1 it would not fuse and be slower than float, so the weight is stored transposed;
/// and a bias that is no constant vector must stay a node of its own.
/// </summary>
internal sealed class MatMulDequantize : IEncoding
{
    public string Id => "matmul-dq";

    public string? Refuses(Site site, int opset)
    {
        if (opset < WeightDequantize.LowestOpset) return $"scales per channel need operator set {WeightDequantize.LowestOpset}, the model has {opset}";
        if (site.Tensor.ElementType != ElementType.Float) return $"the weight is {site.Tensor.ElementType}";
        if (site.Operator is not { Role: WeightRole.MatrixProduct, WeightInput: 1 } || site.Tensor.Rank != 2) return "only the right-hand matrix of MatMul and Gemm is fused";
        if (site.Uses.Any(u => u.Node.Is("Gemm") && (u.Node.Float("alpha", 1) != 1 || u.Node.Float("beta", 1) != 1 || u.Node.Int("transA", 0) != 0)))
            return "Gemm with alpha, beta or transA is not fused";
        if (site.Uses.Any(u => u.Node.Graph != site.Uses[0].Node.Graph)) return "its readers stand in different bodies, and a captured weight is not fused";
        if (site.Uses.Select(u => u.Node.Int("transB", 0)).Distinct().Count() > 1) return "its readers disagree about transB";
        return null;
    }

    public void Write(IReadOnlyList<EncodedSite> sites)
    {
        foreach (var encoded in sites)
        {
            var (site, weight) = (encoded.Site, encoded.Integers);
            // Beside its readers: the runtime fuses no weight that is captured from a graph around.
            var graph = site.Uses[0].Node.Graph;
            var stored = RestoredWeight.AsKN(weight, site.Uses[0].Node);
            var codes = graph.AddInitializer("w", Tensor.Create(stored.Codes, stored.Shape));
            var scales = graph.AddInitializer("s", Tensor.Create(stored.Scales, stored.Scales.Length));
            var node = graph.Insert(graph == site.Weight.Graph ? RestoredWeight.Spot(site) : graph.Nodes.First, "DequantizeLinear", "r", [codes, scales], [NodeAttribute.Int("axis", 1)]);
            foreach (var use in site.Uses) use.Node.RemoveAttribute("transB");
            RestoredWeight.Replace(site, node.Output(0)!);
            foreach (var use in site.Uses)
                if (SeparateBias.BiasOf(use.Node) is { } bias && bias.Constant is not { Rank: 1, Count: > 1 }) SeparateBias.Of(use.Node);
        }
    }
}
