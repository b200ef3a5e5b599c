using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Operators that may be computed ahead of time, with a bound on the bytes of their output that is known before they run: a hostile Expand or
/// ConstantOfShape must not be run to find out how much it makes.
/// </summary>
internal static class FoldableOperators
{
    private static readonly HashSet<string> Unary =
    [
        "Identity", "Neg", "Abs", "Sqrt", "Exp", "Log", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Not", "Relu", "Sigmoid", "Tanh", "Erf", "Clip",
        "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Slice", "CumSum",
        "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean",
    ];

    private static readonly HashSet<string> Broadcasting = ["Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max"];
    private static readonly HashSet<string> Comparing = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"];

    /// <summary>An upper bound of the output's bytes; null when the operator is not foldable or the inputs do not fit it.</summary>
    public static long? OutputBytes(Node node, IReadOnlyList<Tensor?> inputs)
    {
        if (inputs.Count == 0 || inputs[0] is not { } x) return null;
        if (Unary.Contains(node.OpType)) return x.ByteCount;
        if (Broadcasting.Contains(node.OpType)) return Product(inputs) * x.ElementType.Bits() / 8;
        if (Comparing.Contains(node.OpType)) return Product(inputs);
        return node.OpType switch
        {
            "Cast" => (ElementType)node.Int("to", 0) == ElementType.String ? null : x.Count * Math.Max(((ElementType)node.Int("to", 0)).Bits(), 8) / 8,
            "Where" => inputs.Count == 3 && inputs[1] is { } chosen ? Product(inputs) * chosen.ElementType.Bits() / 8 : null,
            "Shape" or "Size" => 8L * Math.Max(x.Rank, 1),
            "Concat" => inputs.Sum(t => t?.ByteCount ?? 0),
            "Gather" => Gather(node, inputs),
            "ConstantOfShape" => Filled(node, x),
            "Expand" => inputs.Count == 2 && inputs[1] is { ElementType: ElementType.Int64 } to ? Times(Numbers(to), x.ByteCount) : null,
            "Range" => Range(inputs),
            _ => null,
        };
    }

    private static long? Product(IReadOnlyList<Tensor?> inputs) =>
        ShapeRules.Broadcast(inputs.Select(t => t?.Shape.ToArray())) is { } shape ? Times(shape, 1) : null;

    // Beyond any limit of the caller counts as infinite.
    private static long Times(long[] dims, long start)
    {
        var product = start;
        foreach (var d in dims)
        {
            if (d > 0 && product > long.MaxValue / 64 / d) return long.MaxValue / 64;
            product *= Math.Max(d, 1);
        }
        return product;
    }

    private static long[] Numbers(Tensor tensor) => tensor.Count <= 64 ? tensor.ToLongs() : [long.MaxValue / 64];

    private static long? Gather(Node node, IReadOnlyList<Tensor?> inputs)
    {
        if (inputs.Count != 2 || inputs[0] is not { Rank: > 0 } data || inputs[1] is not { } indices) return null;
        var axis = node.Int("axis", 0);
        if (axis < 0) axis += data.Rank;
        if (axis < 0 || axis >= data.Rank || data.Shape[(int)axis] == 0) return null;
        return Times([indices.Count], data.ByteCount / data.Shape[(int)axis] + 1);
    }

    private static long? Filled(Node node, Tensor shape) => shape.ElementType != ElementType.Int64 ? null
        : Times(Numbers(shape), Math.Max((node.Attribute("value")?.Tensor?.ElementType ?? ElementType.Float).Bits(), 8) / 8);

    private static long? Range(IReadOnlyList<Tensor?> inputs)
    {
        if (inputs.Count != 3 || inputs.Any(t => t is not { Count: 1, ElementType: ElementType.Int64 or ElementType.Int32 })) return null;
        var n = inputs.Select(t => (double)t!.ToLongs()[0]).ToArray();
        return n[2] == 0 ? null : (long)Math.Clamp(8 * (Math.Abs((n[1] - n[0]) / n[2]) + 1), 0, long.MaxValue / 64);
    }
}
