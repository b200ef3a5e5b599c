using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Placement;

/// <summary>How an operator behaves between quantized values.</summary>
internal enum QdqBehaviour
{
    /// <summary>No integer kernel: its inputs are dequantized, its output is float.</summary>
    Float,
    /// <summary>Moves values without changing them: the output has the parameters of the input.</summary>
    Same,
    /// <summary>Has an integer kernel that takes quantized inputs and gives an output with parameters of its own.</summary>
    Requantize,
}

/// <summary>
/// What ONNX Runtime's CPU provider fuses between DequantizeLinear and QuantizeLinear (knowledge: its QDQ selectors). Everything that
/// is not here stays float: a lone pair around it would only cost time.
/// </summary>
internal static class QdqRules
{
    private static readonly HashSet<string> Same = ["Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "MaxPool", "Slice"];
    private static readonly HashSet<string> Requantize = ["Add", "Mul", "AveragePool", "GlobalAveragePool", "Concat", "LeakyRelu", "Sigmoid"];

    /// <summary>The behaviour of a node when its data inputs are quantized.</summary>
    public static QdqBehaviour Of(Node node)
    {
        if (node.Domain.Length > 0) return QdqBehaviour.Float;
        if (Same.Contains(node.OpType)) return node.Outputs.Count(o => o is not null) == 1 ? QdqBehaviour.Same : QdqBehaviour.Float;
        return Requantize.Contains(node.OpType) ? QdqBehaviour.Requantize : QdqBehaviour.Float;
    }

    /// <summary>The inputs of <paramref name="node"/> that carry activations (not shapes, axes or parameters).</summary>
    public static IEnumerable<Value> DataInputs(Node node) => node.OpType is "Add" or "Mul" or "Concat"
        ? node.Inputs.OfType<Value>()
        : node.Input(0) is { } first ? [first] : [];

    /// <summary>
    /// The activation that ONNX Runtime absorbs into the integer kernel of <paramref name="node"/>: a Relu, or a Clip with constant bounds
    /// around 0, that alone reads its output. Then only the value behind it is quantized.
    /// </summary>
    public static Node? AbsorbedActivation(Node node)
    {
        if (node.Output(0) is not { Uses.Count: 1 } output || output.IsGraphOutput) return null;
        var next = output.Uses[0].Node;
        if (next.Graph != node.Graph) return null;
        if (next.Is("Relu")) return next;
        return next.Is("Clip") && next.Input(0) == output && Bound(next, 1) is <= 0 && Bound(next, 2) is >= 0 ? next : null;
    }

    /// <summary>
    /// The parameters of the value behind <paramref name="activation"/> with which it is absorbed: ONNX Runtime drops a Clip only when
    /// everything that the codes can say lies within its bounds. What is cut off is less than one step.
    /// </summary>
    public static QuantizationParameters Fit(Node? activation, QuantizationParameters parameters)
    {
        if (activation is null || !activation.Is("Clip") || Bound(activation, 1) is not { } low || Bound(activation, 2) is not { } high) return parameters;
        var zero = parameters.ZeroPoint;
        var scale = parameters.Scale;
        if (zero < 255 && parameters.Max > high && high > 0) scale = Math.Min(scale, MathF.BitDecrement(high / (255 - zero)));
        if (zero > 0 && parameters.Min < low && low < 0) scale = Math.Min(scale, MathF.BitDecrement(-low / zero));
        return parameters with { Scale = scale };
    }

    // Infinite when it is left out, null when it is computed. Bounds are inputs since operator set 11; static forms need 13.
    private static float? Bound(Node clip, int input)
    {
        if (clip.Input(input) is not { } value) return input == 1 ? float.NegativeInfinity : float.PositiveInfinity;
        return value.Constant is { Count: 1, ElementType: ElementType.Float } bound ? bound.ToFloats()[0] : null;
    }
}
