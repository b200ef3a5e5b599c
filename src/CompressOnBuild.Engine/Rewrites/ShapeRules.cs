using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Shape rules of the operators that weights, activations and shape arithmetic meet most (ONNX operator specification). -1 is a dimension known only at
/// run time; null means that not even the rank is certain, as for every operator that is not listed.
/// </summary>
internal static class ShapeRules
{
    private static readonly HashSet<string> Elementwise =
    [
        "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "ThresholdedRelu", "Gelu", "Mish",
        "Softmax", "LogSoftmax", "Hardmax", "Clip", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Not", "Sin", "Cos",
        "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "IsNaN", "IsInf", "Identity", "Cast", "Dropout", "BatchNormalization",
        "InstanceNormalization", "LayerNormalization", "GroupNormalization", "MeanVarianceNormalization", "LpNormalization", "LRN", "CumSum", "QuantizeLinear",
        "DequantizeLinear", "Trilu", "ReverseSequence", "EyeLike", "RandomNormalLike", "RandomUniformLike", "ScatterElements", "ScatterND", "Scatter",
    ];

    private static readonly HashSet<string> Broadcasting =
    [
        "Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor",
        "BitShift", "Where",
    ];

    private const long Any = ShapeFacts.Unknown;

    public static long[]? Output(Node node, int index, ShapeFacts facts)
    {
        var x = node.Input(0) is { } first ? facts.Of(first) : null;
        if (Elementwise.Contains(node.OpType)) return index == 0 || node.Is("Dropout") ? x : null;
        if (Broadcasting.Contains(node.OpType)) return Broadcast(node.Inputs.Select(i => i is null ? null : facts.Of(i)));
        return node.OpType switch
        {
            "Conv" or "ConvTranspose" => Convolution(node, x, facts.Of(node.Input(1)!)),
            "MaxPool" or "AveragePool" or "LpPool" => x is null || node.Ints("kernel_shape") is not { } kernel || kernel.Length != x.Length - 2 ? null : Spatial(node, x, x[1], kernel),
            "GlobalAveragePool" or "GlobalMaxPool" or "GlobalLpPool" => x is { Length: >= 2 } ? [x[0], x[1], .. Fill(x.Length - 2, 1)] : null,
            "MatMul" => MatMul(x, facts.Of(node.Input(1)!)),
            "Gemm" => Gemm(node, x, facts.Of(node.Input(1)!)),
            "Flatten" => Flatten(node, x),
            "Reshape" => Reshape(node, x, facts),
            "Transpose" => Transpose(node, x),
            "Squeeze" => Axes(node) is { } axes && x is not null && Normalize(axes, x.Length) is { } gone ? [.. x.Where((_, i) => !gone.Contains(i))] : null,
            "Unsqueeze" => Unsqueeze(node, x),
            "Concat" => Concat(node, facts),
            "Gather" => Gather(node, x, facts.Of(node.Input(1)!)),
            "Slice" or "Pad" or "Tile" or "Resize" or "Upsample" => x is null ? null : Fill(x.Length, Any),
            "Split" => x is null || Axis(node, x.Length) is not { } axis ? null : [.. x.Select((d, i) => i == axis ? Any : d)],
            "Expand" => node.Input(1) is { } target && facts.StaticOf(target) is [var rank] && x is not null ? Fill((int)Math.Max(rank, x.Length), Any) : null,
            "ConstantOfShape" => x is [>= 0 and var rank] ? Fill((int)Math.Min(rank, 64), Any) : null,
            "Shape" => x is null || node.Attributes.Count > 0 ? [Any] : [x.Length],
            "Size" => [],
            "LSTM" or "GRU" or "RNN" => Fill(index == 0 ? 4 : 3, Any),
            "ArgMax" or "ArgMin" => x is null ? null : Fill(node.Int("keepdims", 1) != 0 ? x.Length : x.Length - 1, Any),
            _ when node.OpType.StartsWith("Reduce", StringComparison.Ordinal) => Reduce(node, x),
            _ => null,
        };
    }

    /// <summary>Axes as an attribute (before operator set 13) or as a constant input; null when they are absent or known only at run time.</summary>
    internal static long[]? Axes(Node node) => node.Ints("axes") ?? (node.Input(1).Fixed() is { ElementType: ElementType.Int64 or ElementType.Int32 } t ? t.ToLongs() : null);

    /// <summary>The shape numpy broadcasting gives; null when an operand is of unknown rank.</summary>
    internal static long[]? Broadcast(IEnumerable<long[]?> operands)
    {
        long[] result = [];
        foreach (var operand in operands)
        {
            if (operand is null) return null;
            var (longer, shorter) = operand.Length > result.Length ? (operand.ToArray(), result) : (result, operand);
            var offset = longer.Length - shorter.Length;
            for (var i = 0; i < shorter.Length; i++)
            {
                long a = longer[i + offset], b = shorter[i];
                // Unknown against a number above 1: that number, or the model would fail.
                longer[i + offset] = a == b ? a : a == 1 ? b : b == 1 ? a : a == Any ? b : a;
            }
            result = longer;
        }
        return result;
    }

    private static long[] Fill(int rank, long dimension)
    {
        var shape = new long[rank];
        Array.Fill(shape, dimension);
        return shape;
    }

    private static int[]? Normalize(long[] axes, int rank) =>
        axes.All(a => a >= -rank && a < rank) ? [.. axes.Select(a => (int)(a < 0 ? a + rank : a))] : null;

    private static int? Axis(Node node, int rank) => node.Int("axis", 0) is var a && a >= -rank && a < rank ? (int)(a < 0 ? a + rank : a) : null;

    private static long[]? Convolution(Node node, long[]? x, long[]? w)
    {
        var rank = x?.Length ?? w?.Length ?? 0;
        if (rank < 3) return null;
        x ??= Fill(rank, Any);
        var transposed = node.Is("ConvTranspose");
        var channels = w is null || w.Length != rank ? Any : transposed ? w[1] == Any ? Any : w[1] * node.Int("group", 1) : w[0];
        if (transposed || w is null || w.Length != rank) return [x[0], channels, .. Fill(rank - 2, Any)];
        return Spatial(node, x, channels, w[2..]);
    }

    private static long[] Spatial(Node node, long[] x, long channels, long[] kernel)
    {
        var shape = Fill(x.Length, Any);
        (shape[0], shape[1]) = (x[0], channels);
        if (node.String("auto_pad", "NOTSET") != "NOTSET" || node.Int("ceil_mode", 0) != 0) return shape;
        var n = kernel.Length;
        long[] strides = node.Ints("strides") ?? Fill(n, 1), dilations = node.Ints("dilations") ?? Fill(n, 1), pads = node.Ints("pads") ?? Fill(2 * n, 0);
        if (strides.Length != n || dilations.Length != n || pads.Length != 2 * n || strides.Any(s => s < 1)) return shape;
        for (var i = 0; i < n; i++)
            if (x[i + 2] != Any && kernel[i] != Any) shape[i + 2] = (x[i + 2] + pads[i] + pads[i + n] - dilations[i] * (kernel[i] - 1) - 1) / strides[i] + 1;
        return shape;
    }

    private static long[]? MatMul(long[]? a, long[]? b)
    {
        if (a is not { Length: >= 2 } || b is not { Length: >= 2 }) return null;
        return Broadcast([a[..^2], b[..^2]]) is { } batch ? [.. batch, a[^2], b[^1]] : null;
    }

    private static long[] Gemm(Node node, long[]? a, long[]? b) =>
        [a is { Length: 2 } ? a[node.Int("transA", 0) != 0 ? 1 : 0] : Any, b is { Length: 2 } ? b[node.Int("transB", 0) != 0 ? 0 : 1] : Any];

    private static long[] Flatten(Node node, long[]? x)
    {
        var axis = node.Int("axis", 1);
        if (x is null) return [Any, Any];
        if (axis < 0) axis += x.Length;
        if (axis < 0 || axis > x.Length) return [Any, Any];
        return [Product(x[..(int)axis]), Product(x[(int)axis..])];
    }

    private static long Product(ReadOnlySpan<long> dims)
    {
        long product = 1;
        foreach (var d in dims)
        {
            if (d == Any || product > long.MaxValue / Math.Max(d, 1)) return Any;
            product *= d;
        }
        return product;
    }

    private static long[]? Reshape(Node node, long[]? x, ShapeFacts facts)
    {
        if (node.Input(1) is not { } target) return null;
        if (target.Fixed() is not { ElementType: ElementType.Int64, Rank: 1 } t) return facts.StaticOf(target) is [>= 0 and <= 64 and var rank] ? Fill((int)rank, Any) : null;
        var shape = t.ToLongs();
        if (shape.Length > 64) return null;
        var copied = node.Int("allowzero", 0) == 0;
        for (var i = 0; i < shape.Length; i++)
            if (shape[i] == 0 && copied) shape[i] = x is not null && i < x.Length ? x[i] : Any;
            else if (shape[i] == -1 && !t.ToLongs().Any(d => d == 0))
            {
                var rest = Product([.. shape.Where((_, at) => at != i)]);
                shape[i] = x is not null && Product(x) is > 0 and var all && rest > 0 && all % rest == 0 ? all / rest : Any;
            }
        return Array.TrueForAll(shape, d => d >= Any) ? shape : null;
    }

    private static long[]? Transpose(Node node, long[]? x)
    {
        if (node.Ints("perm") is not { } perm) return x?.Reverse().ToArray();
        if (x is null) return Fill(perm.Length, Any);
        return perm.Length == x.Length && Array.TrueForAll(perm, p => p >= 0 && p < perm.Length) ? [.. perm.Select(p => x[p])] : null;
    }

    private static long[]? Unsqueeze(Node node, long[]? x)
    {
        if (x is null || Axes(node) is not { } axes || axes.Length > 64 || Normalize(axes, x.Length + axes.Length) is not { } added) return null;
        var shape = new List<long>(x);
        foreach (var axis in added.Order())
        {
            if (axis > shape.Count) return null;
            shape.Insert(axis, 1);
        }
        return [.. shape];
    }

    private static long[]? Concat(Node node, ShapeFacts facts)
    {
        long[]? result = null;
        foreach (var input in node.Inputs)
        {
            if (input is null || facts.Of(input) is not { } shape) return null;
            if (result is null) { result = (long[])shape.Clone(); continue; }
            if (shape.Length != result.Length || Axis(node, shape.Length) is not { } axis) return null;
            for (var i = 0; i < shape.Length; i++)
                result[i] = i == axis ? shape[i] == Any || result[i] == Any ? Any : shape[i] + result[i] : result[i] == Any ? shape[i] : result[i];
        }
        return result;
    }

    private static long[]? Gather(Node node, long[]? x, long[]? indices) =>
        x is null || indices is null || Axis(node, x.Length) is not { } axis ? null : [.. x[..axis], .. indices, .. x[(axis + 1)..]];

    private static long[]? Reduce(Node node, long[]? x)
    {
        if (x is null) return null;
        var keep = node.Int("keepdims", 1) != 0;
        var given = node.Ints("axes") is not null || node.Input(1) is not null;
        if (!given) return node.Int("noop_with_empty_axes", 0) != 0 ? x : keep ? Fill(x.Length, 1) : [];
        if (Axes(node) is not { } axes || axes.Length == 0 || Normalize(axes, x.Length) is not { } reduced) return keep ? Fill(x.Length, Any) : null;
        return keep ? [.. x.Select((d, i) => reduced.Contains(i) ? 1 : d)] : [.. x.Where((_, i) => !reduced.Contains(i))];
    }
}
