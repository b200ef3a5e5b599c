using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Encodings;

/// <summary>
/// MatMulNBits of ONNX Runtime (domain com.microsoft), for any operator set: codes of 2, 4 or 8 bits packed in [outputs, blocks, bytes], the first in the
/// lowest bits, unsigned around 2^(bits-1), with a scale for each block. Accuracy level 4 rounds the activations of each block to 8 bits, which is what makes it faster
/// than floats; level 0 is many times slower at 8 and 2 bits (measured). (DequantizeLinear of blocks is fused to the same node, but needs operator set 21, and was
/// computed wrongly by release 1.29.0: this covers it.)
/// </summary>
internal sealed class MatMulNBits : IEncoding
{
    public static IReadOnlyList<int> Widths { get; } = [2, 4, 8];
    public static IReadOnlyList<int> BlockSizes { get; } = [16, 32, 64, 128];
    private const int AccuracyLevel = 4;

    public string Id => "matmul-nbits";

    public string? Refuses(Site site, int opset)
    {
        if (site.Tensor.ElementType != ElementType.Float) return $"the weight is {site.Tensor.ElementType}";
        if (site.Operator is not { Role: WeightRole.MatrixProduct, WeightInput: 1 } || site.Tensor.Rank != 2) return "only the right-hand matrix of MatMul and Gemm has blocks";
        if (site.Uses.Any(u => u.Node.Is("Gemm") && (u.Node.Float("alpha", 1) != 1 || u.Node.Float("beta", 1) != 1 || u.Node.Int("transA", 0) != 0))) return "Gemm with alpha, beta or transA has no form with blocks";
        if (site.Uses.Any(u => u.Node.Graph != site.Uses[0].Node.Graph)) return "its readers stand in different bodies";
        if (site.Uses.Select(u => u.Node.Int("transB", 0)).Distinct().Count() > 1) return "its readers disagree about transB";
        return null;
    }

    public void Write(IReadOnlyList<EncodedSite> sites)
    {
        foreach (var (site, weight) in sites)
        {
            var w = (Blockwise)weight;
            // Beside its readers, where the runtime packs it once.
            var graph = site.Uses[0].Node.Graph;
            var bytes = w.BlockSize * w.Bits / 8;
            var codes = graph.AddInitializer("w", Tensor.Create(Pack(w), w.Outputs, w.Blocks, bytes));
            var scales = graph.AddInitializer("s", Tensor.Create(w.Scales, (long)w.Scales.Length));
            foreach (var use in site.Uses) Rewrite(use.Node, codes, scales, w);
            if (site.Weight.Producer is { } constant) constant.Graph.Remove(constant);
            else site.Weight.Graph.RemoveInitializer(site.Weight);
            graph.Model.ImportOpset(DynamicLstm.Domain, Math.Max(1, graph.Model.Opset(DynamicLstm.Domain)));
        }
    }

    private static void Rewrite(Node node, Value codes, Value scales, Blockwise w)
    {
        var graph = node.Graph;
        var output = node.Output(0)!;
        var product = graph.Insert(node, "MatMulNBits", "n", [node.Input(0), codes, scales], [NodeAttribute.Int("K", w.Inputs), NodeAttribute.Int("N", w.Outputs), NodeAttribute.Int("bits", w.Bits),
            NodeAttribute.Int("block_size", w.BlockSize), NodeAttribute.Int("accuracy_level", AccuracyLevel)], DynamicLstm.Domain);
        var last = node.Is("Gemm") && node.Input(2) is { } bias ? graph.Insert(node, "Add", "a", [product.Output(0), bias]) : product;
        last.SetOutput(0, output);
        graph.Remove(node);
    }

    private static byte[] Pack(Blockwise w)
    {
        var packed = new byte[(long)w.Codes.Length * w.Bits / 8];
        var (zero, perByte) = (1 << (w.Bits - 1), 8 / w.Bits);
        for (var i = 0; i < w.Codes.Length; i++) packed[i / perByte] |= (byte)(((w.Codes[i] + zero) & ((1 << w.Bits) - 1)) << (i % perByte * w.Bits));
        return packed;
    }
}
