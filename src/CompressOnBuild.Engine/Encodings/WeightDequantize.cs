using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Encodings;

/// <summary>
/// DequantizeLinear before a Conv, Gemm or MatMul whose activations are quantized too: ONNX Runtime fuses the whole to QLinearConv,
/// QGemm or QLinearMatMul. Without quantized activations this form is slower than float, so it is only written together with them.
/// </summary>
internal sealed class WeightDequantize(string id) : IEncoding
{
    /// <summary>Scales along an axis came with DequantizeLinear 13.</summary>
    public const int LowestOpset = 13;

    public string Id => id;

    public string? Refuses(Site site, int opset)
    {
        if (opset < LowestOpset) return $"scales per channel need operator set {LowestOpset}, the model has {opset}";
        if (site.Tensor.ElementType != ElementType.Float) return $"the weight is {site.Tensor.ElementType}";
        if (site.ChannelAxes.Count != 1) return "the weight has scales on more than one axis";
        if (site.Operator is not { Role: WeightRole.Convolution or WeightRole.MatrixProduct, WeightInput: 1 })
            return $"{site.OperatorName} has no integer kernel";
        if (site.Operator.Role == WeightRole.MatrixProduct && site.Tensor.Rank != 2) return $"the integer kernel takes matrices, not rank {site.Tensor.Rank}";
        if (site.Operator.OpType == "Conv" && site.Tensor.Rank is < 3 or > 4) return $"the integer kernel takes 1-D and 2-D convolutions, not weights of rank {site.Tensor.Rank}";
        if (site.Uses.Select(u => u.Node.Int("transB", 0)).Distinct().Count() > 1) return "its readers disagree about transB";
        if (site.Uses.Any(u => u.Node.Is("Gemm") && (u.Node.Float("alpha", 1) != 1 || u.Node.Float("beta", 1) != 1 || u.Node.Int("transA", 0) != 0)))
            return "Gemm with alpha, beta or transA has no integer kernel";
        return null;
    }

    public void Write(IReadOnlyList<EncodedSite> sites) => WriteNodes(sites);

    /// <summary>Writes as <see cref="Write"/> does and returns the nodes that read the restored weights: those whose activations must be quantized.</summary>
    public IReadOnlySet<Node> WriteNodes(IReadOnlyList<EncodedSite> sites)
    {
        var integers = new HashSet<Node>();
        foreach (var encoded in sites)
        {
            var (site, weight) = (encoded.Site, encoded.Integers);
            var graph = site.Weight.Graph;
            var stored = site.Uses.Any(u => u.Node.Is("Gemm")) ? RestoredWeight.AsKN(weight, site.Uses[0].Node) : weight;
            var codes = graph.AddInitializer("w", Tensor.Create(stored.Codes, stored.Shape));
            var scales = graph.AddInitializer("s", Tensor.Create(stored.Scales, stored.Scales.Length));
            var node = graph.Insert(RestoredWeight.Spot(site), "DequantizeLinear", "r", [codes, scales], [NodeAttribute.Int("axis", stored.ChannelAxes[0])]);
            var readers = site.Uses.Select(u => u.Node).ToArray();
            RestoredWeight.Replace(site, node.Output(0)!);
            foreach (var reader in readers) integers.Add(reader.Is("Conv") ? reader : SeparateBias.Of(reader));
        }
        return integers;
    }
}
