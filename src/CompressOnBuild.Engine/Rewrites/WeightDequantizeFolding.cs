using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// A weight that another tool stored as integers behind DequantizeLinear, and that nobody multiplies as integers, is dequantized at every run: ONNX
/// Runtime never computes DequantizeLinear ahead. Cast, Sub of the zero point and Mul by the scale give the same floats, and are computed once at load.
/// Legal when
/// - codes (8 bits), scale and zero point are constants, with one scale in all or one for each index of an axis;
/// - every reader multiplies in floats: Conv or ConvTranspose whose input is not dequantized itself, LSTM, GRU, RNN, or a Gemm with transB = 1. (A MatMul, and a
///   Gemm without, are fused to MatMulNBits, and a Gather is not helped by a whole table of floats.)
/// - a scale is a 32-bit float, so that the restored weight is one.
/// </summary>
internal sealed class WeightDequantizeFolding : IRewrite
{
    public const string StepName = "restore-weights-at-load";

    public string Name => StepName;

    public string Describe(int count) => $"moved the dequantizing of {count} {(count == 1 ? "weight" : "weights")} from every run to the load: nothing multiplies them as integers";

    public int Apply(Model model)
    {
        var changed = 0;
        var shown = model.Shown();
        foreach (var node in model.AllNodes().Where(n => n.Is("DequantizeLinear")).ToList())
        {
            if (node.Output(0) is not { Uses.Count: > 0 } output || shown.Contains(output) || !output.Uses.All(u => MultipliesFloats(u.Node, u.Index))) continue;
            if (node.Input(0).Fixed() is not { ElementType: ElementType.Int8 or ElementType.UInt8, Rank: > 0 } codes || node.Input(1).Fixed() is not { ElementType: ElementType.Float } scale) continue;
            var zero = node.Input(2) is { } given ? given.Fixed() : null;
            if (node.Input(2) is not null && (zero is null || zero.Count != scale.Count)) continue;
            if (Shape(node, codes, scale) is not { } shape) continue;
            var graph = node.Graph;
            var restored = graph.Insert(node, "Cast", "c", [node.Input(0)], [NodeAttribute.Int("to", (int)ElementType.Float)]).Output(0);
            if (zero is not null && zero.ToFloats().Any(z => z != 0)) restored = graph.Insert(node, "Sub", "z", [restored, graph.AddInitializer("z", Tensor.Create(zero.ToFloats(), shape))]).Output(0);
            restored = graph.Insert(node, "Mul", "r", [restored, graph.AddInitializer("s", Tensor.Create(scale.ToFloats(), shape))]).Output(0);
            output.ReplaceAllUses(restored!);
            graph.Remove(node);
            changed++;
        }
        return changed;
    }

    private static bool MultipliesFloats(Node node, int input) => node.Domain.Length == 0 && node.OpType switch
    {
        "Conv" or "ConvTranspose" => input == 1 && node.Input(0)?.Producer?.Is("DequantizeLinear") != true,
        "Gemm" => input == 1 && node.Int("transB", 0) != 0 && node.Input(0)?.Producer?.Is("DequantizeLinear") != true,
        "LSTM" or "GRU" or "RNN" => input is 1 or 2,
        _ => false,
    };

    // The scale's shape that broadcasts over the codes; null for blocks.
    private static long[]? Shape(Node node, Tensor codes, Tensor scale)
    {
        if (node.Int("block_size", 0) != 0) return null;
        long[] shape = [.. Enumerable.Repeat(1L, codes.Rank)];
        if (scale.Count == 1) return shape;
        var axis = node.Int("axis", 1);
        if (axis < 0) axis += codes.Rank;
        if (axis < 0 || axis >= codes.Rank || scale.Rank != 1 || scale.Count != codes.Shape[(int)axis]) return null;
        shape[axis] = scale.Count;
        return shape;
    }
}
