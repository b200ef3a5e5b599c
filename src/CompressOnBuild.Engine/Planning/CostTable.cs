using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Placement;

namespace CompressOnBuild.Planning;

/// <summary>
/// Estimated time of forms, from shapes alone: the same on every machine, so that a plan never depends on a stopwatch. The constants
/// are fitted to single-thread sessions of ONNX Runtime 1.31 on x64 with VNNI (microseconds); only their ratios matter.
/// </summary>
internal static class CostTable
{
    // Multiply-accumulates per microsecond; "thin": fewer than 16 channels on one side, where vectors stay half empty.
    private const double FloatConv = 110_000, FloatThinConv = 40_000, FloatDepthwise = 55_000, FloatMatrix = 90_000;
    private const double IntegerConv = 400_000, IntegerDepthwise = 40_000, IntegerThinDepthwise = 17_000, IntegerMatrix = 220_000, NBitsMatrix = 80_000;
    private const int Thin = 16, ThinDepthwise = 64;
    // An integer convolution first gathers, for each output position, one run of channels per kernel element: microseconds a run.
    private const double Run = 0.0006, ThinRun = 0.0019;
    // A matrix product with few rows reads every weight once: bytes per microsecond.
    private const double WeightBandwidth = 90_000;
    // Elements per microsecond: QuantizeLinear or DequantizeLinear with the layout change beside it, and elementwise operators.
    private const double QuantizeElements = 5_000, RangeElements = 8_000, ElementwiseFloat = 4_000, ElementwiseInteger = 3_000;
    // What one more node costs.
    private const double Node = 0.6;

    /// <summary>Multiply-accumulates of a node at the observed shapes; 0 when they are not known.</summary>
    public static long MultiplyAdds(Node node, Statistics statistics)
    {
        var weight = node.Inputs.Count > 1 ? node.Input(1)?.Constant : null;
        if (node.Output(0) is not { } output || !statistics.TryGet(output.Name, out var seen)) return 0;
        long outputs = Product(seen.Shape);
        return node.OpType switch
        {
            // Each output element sums over the input channels of its group and the kernel.
            "Conv" when weight is { Rank: > 2 } => outputs * (weight.Count / weight.Shape[0]),
            // Each input element is multiplied with the output channels of its group and the kernel.
            "ConvTranspose" when weight is { Rank: > 2 } && statistics.TryGet(node.Input(0)!.Name, out var input) => Product(input.Shape) * (weight.Count / weight.Shape[0]),
            "Gemm" or "MatMul" when weight is { Rank: >= 2 } => outputs * (node.Int("transB", 0) != 0 ? weight.Shape[^1] : weight.Shape[^2]),
            _ => 0,
        };
    }

    /// <summary>Microseconds of all readers of a weight in floats.</summary>
    public static double Float(Site site, Statistics statistics) => site.Uses.Sum(u => Float(site, u.Node, statistics));

    /// <summary>Microseconds of all readers of a weight, convolutions, on integers.</summary>
    public static double Integer(Site site, Statistics statistics) => site.Uses.Sum(u => Integer(site, u.Node, statistics));

    /// <summary>Microseconds of all readers of a weight with activations quantized at run time.</summary>
    public static double Dynamic(Site site, Statistics statistics) => site.Uses.Sum(u => Dynamic(site, u.Node, statistics));

    /// <summary>Microseconds of all readers of a weight with integer weights and float activations.</summary>
    public static double NBits(Site site, Statistics statistics) => site.Uses.Sum(u => NBits(site, u.Node, statistics));

    /// <summary>Microseconds of a Conv, Gemm or MatMul in floats.</summary>
    public static double Float(Site site, Node node, Statistics statistics)
    {
        double macs = MultiplyAdds(node, statistics);
        if (!node.Is("Conv")) return FloatProduct(site.Tensor.Count, macs);
        if (IsDepthwise(site, node)) return Node + macs / FloatDepthwise;
        return FloatConvolution(site.Tensor.Shape[0], site.Tensor.Shape[1], macs);
    }

    /// <summary>Microseconds of a Gemm or MatMul in floats, whose weight has so many elements.</summary>
    public static double FloatProduct(long elements, double multiplyAdds) => Node + Math.Max(multiplyAdds / FloatMatrix, elements * sizeof(float) / WeightBandwidth);

    /// <summary>Microseconds of a convolution of one group in floats.</summary>
    public static double FloatConvolution(long outputs, long inputs, double multiplyAdds) => Node + multiplyAdds / (Math.Min(outputs, inputs) < Thin ? FloatThinConv : FloatConv);

    /// <summary>Microseconds of a Conv on integers, without what its surroundings pay.</summary>
    public static double Integer(Site site, Node node, Statistics statistics)
    {
        double macs = MultiplyAdds(node, statistics);
        var (outputs, inputs) = (site.Tensor.Shape[0], site.Tensor.Shape[1]);
        if (IsDepthwise(site, node)) return Node + macs / (outputs < ThinDepthwise ? IntegerThinDepthwise : IntegerDepthwise);
        var kernel = site.Tensor.Count / (outputs * inputs);
        var positions = macs / Math.Max(1, site.Tensor.Count);
        var gather = kernel == 1 ? 0 : positions * kernel * (inputs < Thin ? ThinRun : Run);
        return Node + macs * Math.Max(1, (double)Thin / outputs) / IntegerConv + gather;
    }

    /// <summary>Microseconds of a matrix product whose activations are quantized at run time.</summary>
    public static double Dynamic(Site site, Node node, Statistics statistics) =>
        2 * Node + Math.Max(MultiplyAdds(node, statistics) / IntegerMatrix, site.Tensor.Count / WeightBandwidth) + 2 * Elements(node.Input(0), statistics) / RangeElements;

    /// <summary>Microseconds of a matrix product with integer weights and float activations (MatMulNBits).</summary>
    public static double NBits(Site site, Node node, Statistics statistics) =>
        2 * Node + Math.Max(MultiplyAdds(node, statistics) / NBitsMatrix, site.Tensor.Count / WeightBandwidth);

    /// <summary>Microseconds that a region costs beyond its integer nodes: pairs at its borders, layout changes, and what joined operators save or lose.</summary>
    public static double Region(QuantizedRegion region, IReadOnlySet<Node> fixedNodes, Statistics statistics)
    {
        var integers = region.Integers.ToHashSet();
        double cost = 0;
        foreach (var value in region.Values)
        {
            var elements = Elements(value.Value, statistics);
            var convolutions = value.FromInteger ? value.Value.Producer is { } p && IsConvolution(p, value.Activation) : value.Value.Uses.Any(u => u.Node.Is("Conv") && integers.Contains(u.Node));
            var crosses = !value.FromInteger || value.Value.IsGraphOutput || value.Value.Uses.Any(u => !integers.Contains(u.Node));
            if (crosses) cost += (convolutions ? 2 * Node : Node) + elements / QuantizeElements;
        }
        foreach (var node in region.Integers)
            if (!fixedNodes.Contains(node) && QdqRules.Of(node) == QdqBehaviour.Requantize)
                cost += Elements(node.Output(0), statistics) * (1 / ElementwiseInteger - 1 / ElementwiseFloat);
        return cost;
    }

    /// <summary>Microseconds as a reader of the report sees them.</summary>
    public static string Text(double microseconds) => microseconds.ToString(microseconds < 100 ? "0.0" : "0", System.Globalization.CultureInfo.InvariantCulture) + " µs";

    private static bool IsConvolution(Node producer, Node? activation) => activation is null ? producer.Is("Conv") : producer == activation;

    private static bool IsDepthwise(Site site, Node node) => node.Is("Conv") && node.Int("group", 1) > 1 && site.Tensor.Shape[1] == 1;

    private static double Elements(Value? value, Statistics statistics) => value is not null && statistics.TryGet(value.Name, out var seen) ? seen.MeanElements : 0;

    private static long Product(IReadOnlyList<long> shape)
    {
        long product = 1;
        foreach (var d in shape) product *= d;
        return product;
    }
}
