using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Emulation;

/// <summary>
/// An integer product that a processor without VNNI may compute otherwise. <paramref name="Weight"/>: name of the second factor.
/// <paramref name="Pairs"/>: neighbours in it whose products are added in 16 bits, <paramref name="CanSaturate"/>: those of them that some
/// activations drive out of 16 bits. <paramref name="NotEmulated"/>: why the node cannot be computed here; null when it can.
/// </summary>
internal sealed record IntegerProduct(Node Node, string Weight, long Pairs, long CanSaturate, string? NotEmulated);

/// <summary>
/// Finds integer products in a graph that ONNX Runtime has optimized. Unsigned weights are multiplied in 32 bits, and so are the
/// convolutions with one channel a group: neither is listed.
/// </summary>
internal static class IntegerProducts
{
    // Operators with a signed second factor that have no emulation of their own, and where it stands.
    private static readonly Dictionary<string, int[]> Others = new(StringComparer.Ordinal)
    {
        ["DynamicQuantizeLSTM"] = [1, 2],
        ["QAttention"] = [1],
    };

    /// <summary>Every product with signed weights, in the graph's order, also those that cannot saturate.</summary>
    public static IReadOnlyList<IntegerProduct> Find(Model optimized)
    {
        var result = new List<IntegerProduct>();
        foreach (var node in optimized.AllNodes())
        {
            var convolution = Convolution.WeightInput(node.OpType);
            var matrix = MatrixProduct.WeightInput(node.OpType);
            var at = convolution >= 0 ? [convolution] : matrix >= 0 ? [matrix] : Others.GetValueOrDefault(node.OpType, []);
            foreach (var index in at)
            {
                if (node.Input(index) is not { } weight || weight.ElementType is not (ElementType.Int8 or ElementType.Undefined)) continue;
                var constant = weight.Constant;
                if (convolution >= 0 && constant is { Rank: >= 2 } kernel && kernel.Shape[1] == 1 && kernel.Shape[0] == node.Int("group", 1) && kernel.Shape[0] > 1) continue;
                string? reason = null;
                if (node.Graph.Depth > 0) reason = "it stands in the body of an If, Loop or Scan";
                else if (convolution < 0 && matrix < 0) reason = $"{node.OpType} is not emulated";
                else if (convolution >= 0 && constant is null) reason = "its kernel is computed at run time";
                else if (constant is { Rank: < 2 } or { Rank: > 5 }) reason = $"its weight has {constant.Rank} dimensions";
                var (pairs, can) = constant is null ? (0, 1) : Count(node, index, constant);
                result.Add(new(node, weight.Name, pairs, can, reason));
            }
        }
        return result;
    }

    private static (long Pairs, long Can) Count(Node node, int index, Tensor constant)
    {
        IEnumerable<SaturatingWeights> matrices = constant.Rank < 2 || constant.Count == 0 ? []
            : Convolution.WeightInput(node.OpType) == index ? new Convolution(node).Weights
            : MatrixProduct.WeightInput(node.OpType) == index ? MatrixProduct.Constants(node)
            : SaturatingWeights.PackAll(constant.AsSpan<sbyte>(), (int)constant.Shape[^2], (int)constant.Shape[^1]);
        long pairs = 0, can = 0;
        foreach (var matrix in matrices)
        {
            pairs += (long)matrix.Columns * ((matrix.Depth + 1) / 2);
            can += matrix.PairsThatCanSaturate();
        }
        return (pairs, can);
    }
}
