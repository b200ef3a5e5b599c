using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;

namespace CompressOnBuild;

/// <summary>
/// Multiply-accumulates of one run in the operators that read weights, whatever form the weights have. Products of two activations, and what lies
/// in the bodies of If, Loop and Scan, whose shapes nobody observes, are not counted.
/// </summary>
internal static class MultiplyAdds
{
    /// <summary>At the shapes of the first sample; 0 without statistics.</summary>
    public static long Count(Model model, Statistics? statistics) => statistics is null ? 0 : Nodes(model).Sum(n => Of(n, v => Shape(v, statistics)));

    /// <summary>The values whose shapes <see cref="Count"/> needs.</summary>
    public static IReadOnlyCollection<string> ValuesToObserve(Model model) =>
        [.. Nodes(model).SelectMany(n => n.Inputs.Append(n.Output(0))).OfType<Value>().Where(v => v.Constant is null && v.Name.Length > 0).Select(v => v.Name).Distinct(StringComparer.Ordinal)];

    private static IEnumerable<Node> Nodes(Model model) => model.Graph.Nodes.Where(n => Layout(n) is { } layout && IsFixed(n.Input(layout.Weight)));

    /// <summary>Where an operator has its data and its weight.</summary>
    private static (int Data, int Weight)? Layout(Node node) => node.OpType switch
    {
        "Conv" or "ConvTranspose" or "ConvInteger" or "Gemm" or "MatMul" or "MatMulInteger" or "LSTM" or "GRU" or "RNN" or "DynamicQuantizeLSTM" or "DynamicQuantizeMatMul" or "MatMulNBits" => (0, 1),
        "MatMulIntegerToFloat" => (0, 1),
        "QLinearConv" or "QLinearMatMul" or "QGemm" => (0, 3),
        _ => null,
    };

    // A constant, or what is computed from constants alone (dequantized, cast, transposed).
    private static bool IsFixed(Value? value) => value is not null && (value.Constant is not null || value.Producer is { } producer && !producer.Is("If") && producer.Inputs.Any(i => i is not null) && producer.Inputs.All(i => i is null || IsFixed(i)));

    private static long Of(Node node, Func<Value?, IReadOnlyList<long>?> shape)
    {
        var (data, weight) = Layout(node)!.Value;
        if (shape(node.Input(data)) is not { } input || shape(node.Input(weight)) is not { } w) return 0;
        switch (node.OpType)
        {
            // Each input element is multiplied with the output channels of its group and the kernel.
            case "ConvTranspose": return w.Count > 2 ? Product(input) * Product(w) / w[0] : 0;
            // Each output element sums over the input channels of its group and the kernel.
            case "Conv" or "ConvInteger" or "QLinearConv": return w.Count > 2 && shape(node.Output(0)) is { } maps ? Product(maps) * (Product(w) / w[0]) : 0;
            // Every step multiplies each row of the batch with both matrices: [steps, batch, input], or the batch first.
            case "LSTM" or "GRU" or "RNN" or "DynamicQuantizeLSTM": return input.Count == 3 && shape(node.Input(2)) is { } r ? input[0] * input[1] * (Product(w) + Product(r)) : 0;
            case "MatMulNBits": return Product(input) * node.Int("N", 0);
            default: return w.Count >= 2 && shape(node.Output(0)) is { } products ? Product(products) * w[node.Int("transB", 0) != 0 ? ^1 : ^2] : 0;
        }
    }

    private static IReadOnlyList<long>? Shape(Value? value, Statistics statistics) => value is null ? null
        : value.Constant is { } constant ? constant.Shape.ToArray() : statistics.TryGet(value.Name, out var seen) ? seen.Shape : null;

    private static long Product(IReadOnlyList<long> shape) => shape.Aggregate(1L, (product, d) => product * d);
}
