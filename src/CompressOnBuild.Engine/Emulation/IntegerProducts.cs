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
/// Finds integer products in a graph that ONNX Runtime has optimized. Of its kernels for AVX2 only those of unsigned activations and signed
/// weights add in 16 bits. All others are exact: two unsigned or two signed factors, ConvInteger (which swaps its factors), MatMulNBits, and
/// convolutions with one channel a group. Found by running each under an emulated processor; a test does it again where it can.
/// </summary>
internal static class IntegerProducts
{
    // Operators with a signed second factor that have no emulation of their own, and where it stands.
    private static readonly Dictionary<string, int[]> Others = new(StringComparer.Ordinal)
    {
        ["DynamicQuantizeLSTM"] = [1, 2],
        ["QAttention"] = [1],
    };

    /// <summary>Every product of unsigned activations and signed weights, in the graph's order, also those that cannot saturate.</summary>
    public static IReadOnlyList<IntegerProduct> Find(Model optimized)
    {
        var result = new List<IntegerProduct>();
        foreach (var node in optimized.AllNodes())
        {
            var isConvolution = node.OpType == Convolution.Operator;
            // Inner values of the runtime's graph have no declared type; the zero point beside them has.
            var zero = isConvolution ? Convolution.ZeroPointInput : MatrixProduct.ZeroPointInput(node.OpType);
            if (node.Input(0) is { ElementType: ElementType.Int8 } || (zero >= 0 && node.Input(zero) is { Constant.ElementType: ElementType.Int8 })) continue;
            var matrix = MatrixProduct.WeightInput(node.OpType);
            var isKnown = isConvolution || matrix >= 0;
            foreach (var index in isConvolution ? [Convolution.WeightInput] : matrix >= 0 ? [matrix] : Others.GetValueOrDefault(node.OpType, []))
            {
                if (node.Input(index) is not { } weight || weight.ElementType is not (ElementType.Int8 or ElementType.Undefined)) continue;
                var constant = weight.Constant;
                if (isConvolution && constant is { Rank: >= 2 } kernel && kernel.Shape[1] == 1 && kernel.Shape[0] == node.Int("group", 1) && kernel.Shape[0] > 1) continue;
                var reason = node.Graph.Depth > 0 ? "it stands in the body of an If, Loop or Scan"
                    : !isKnown ? $"{node.OpType} is not emulated"
                    : isConvolution && constant is null ? "its kernel is computed at run time"
                    : constant is { Rank: < 2 or > 5 } or { Count: 0 } ? $"its shape is [{string.Join(",", constant.Shape.ToArray())}]"
                    : null;
                var (pairs, can) = constant is null ? (0, 1) : constant.Rank < 2 || constant.Count == 0 ? (0, 0) : Count(node, index, constant);
                result.Add(new(node, weight.Name, pairs, can, reason));
            }
        }
        return result;
    }

    private static (long Pairs, long Can) Count(Node node, int index, Tensor constant)
    {
        IEnumerable<SaturatingWeights> matrices = node.OpType == Convolution.Operator ? new Convolution(node).Weights
            : MatrixProduct.WeightInput(node.OpType) == index ? MatrixProduct.Constants(node)
            : SaturatingWeights.PackAll(constant.AsSpan<sbyte>(), (int)constant.Shape[^2], (int)constant.Shape[^1]);
        long pairs = 0, can = 0;
        foreach (var matrix in matrices)
        {
            pairs += matrix.Pairs;
            can += matrix.PairsThatCanSaturate();
        }
        return (pairs, can);
    }
}
