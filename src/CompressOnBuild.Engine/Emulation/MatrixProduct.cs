using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Emulation;

/// <summary>
/// Integer matrix products of ONNX Runtime: MatMulInteger, MatMulIntegerToFloat, DynamicQuantizeMatMul, QLinearMatMul and QGemm, whose
/// inputs stand in another order each. Pairs are neighbours along the inner dimension.
/// </summary>
internal sealed class MatrixProduct : EmulatedNode
{
    /// <summary>Where an operator has its inputs; -1: it has none of the kind.</summary>
    private sealed record Places(int A, int AScale, int AZero, int B, int BScale, int BZero, int Bias, int YScale, int YZero);

    private static readonly Dictionary<string, Places> Operators = new(StringComparer.Ordinal)
    {
        ["MatMulInteger"] = new(0, -1, 2, 1, -1, 3, -1, -1, -1),
        ["MatMulIntegerToFloat"] = new(0, 2, 4, 1, 3, 5, 6, -1, -1),
        ["DynamicQuantizeMatMul"] = new(0, -1, -1, 1, 2, 3, 4, -1, -1),
        ["QLinearMatMul"] = new(0, 1, 2, 3, 4, 5, -1, 6, 7),
        ["QGemm"] = new(0, 1, 2, 3, 4, 5, 6, 7, 8),
    };

    private readonly Places places;
    private readonly bool isGemm, isTransposed, isTransposedB, isDynamic;
    private readonly float alpha;
    private readonly SaturatingWeights[]? packed;

    private MatrixProduct(Node node, Places places) : base(node)
    {
        this.places = places;
        isGemm = node.OpType == "QGemm";
        isDynamic = node.OpType == "DynamicQuantizeMatMul";
        (isTransposed, isTransposedB) = (isGemm && node.Int("transA", 0) != 0, isGemm && node.Int("transB", 0) != 0);
        alpha = isGemm ? node.Float("alpha", 1) : 1;
        if (node.Input(places.B)?.Constant is { } weights) packed = Pack(weights);
    }

    /// <summary>The index of the second factor, the one that can be signed; -1 for other operators.</summary>
    public static int WeightInput(string opType) => Operators.TryGetValue(opType, out var places) ? places.B : -1;

    /// <summary>The index of the first factor's zero point; -1 where it has none.</summary>
    public static int ZeroPointInput(string opType) => Operators.TryGetValue(opType, out var places) ? places.AZero : -1;

    public static MatrixProduct Create(Node node) => new(node, Operators[node.OpType]);

    /// <summary>The matrices of a constant second factor.</summary>
    public static IEnumerable<SaturatingWeights> Constants(Node node) => Create(node).packed!;

    public override Tensor?[] Run(IReadOnlyDictionary<string, Tensor> values, PairCount? count)
    {
        var a = Need(places.A, values);
        var matrices = packed ?? Pack(Need(places.B, values));
        var scaleA = 1f;
        int zero;
        byte[] codes;
        if (isDynamic) (codes, scaleA, zero) = IntegerArithmetic.Quantize(a.AsSpan<float>());
        else
        {
            codes = a.Data.ToArray();
            zero = IntegerArithmetic.ZeroPoint(Get(places.AZero, values));
            if (places.AScale >= 0) scaleA = Need(places.AScale, values).AsSpan<float>()[0];
        }
        var (depth, columns) = (matrices[0].Depth, matrices[0].Columns);
        if (isTransposed) codes = Transpose(codes, depth, codes.Length / depth);
        var rows = depth == 0 ? 0 : codes.Length / depth;
        var sums = new int[rows * columns];
        var zeros = IntegerArithmetic.ZeroPoints(Get(places.BZero, values), columns);
        var padded = Pad(codes, rows, depth, matrices[0].PaddedDepth);
        var each = rows / matrices.Length;
        for (var i = 0; i < matrices.Length; i++)
            IntegerArithmetic.Product(padded.AsSpan(i * each * matrices[i].PaddedDepth), each, matrices[i], zero, zeros, sums.AsSpan(i * each * columns), count);
        return [Finish(sums, rows, columns, Shape(a, columns), scaleA, values)];
    }

    private Tensor Finish(int[] sums, int rows, int columns, long[] shape, float scaleA, IReadOnlyDictionary<string, Tensor> values)
    {
        if (places.BScale < 0) return Tensor.Create(sums, shape);
        var scales = IntegerArithmetic.Scales(Need(places.BScale, values), columns);
        var yScale = Get(places.YScale, values);
        for (var n = 0; n < columns; n++)
        {
            scales[n] = alpha * scaleA * scales[n];
            if (yScale is not null) scales[n] /= yScale.AsSpan<float>()[0];
        }
        var bias = Get(places.Bias, values);
        if (isGemm && bias is not null) AddBias(sums, rows, columns, bias);
        if (yScale is null)
        {
            var result = new float[sums.Length];
            var addend = isGemm || bias is null ? default : bias.AsSpan<float>();
            for (var i = 0; i < sums.Length; i++)
            {
                result[i] = sums[i] * scales[i % columns];
                if (addend.Length > 0) result[i] += addend[i % columns];
            }
            return Tensor.Create(result, shape);
        }
        var zero = IntegerArithmetic.ZeroPoint(Get(places.YZero, values));
        var codes = new byte[sums.Length];
        for (var i = 0; i < sums.Length; i++) codes[i] = IntegerArithmetic.Requantize(sums[i], scales[i % columns], zero);
        return new Tensor(ElementType.UInt8, shape, codes);
    }

    private static void AddBias(int[] sums, int rows, int columns, Tensor bias)
    {
        var values = bias.AsSpan<int>();
        // [], [1], [N], [1, N], [M, 1] and [M, N] are added to every row and column they lack.
        var perColumn = bias.Rank > 0 && bias.Shape[^1] == columns && columns > 1;
        var perRow = bias.Rank == 2 && bias.Shape[0] == rows && rows > 1;
        for (var i = 0; i < sums.Length; i++)
            sums[i] += values[(perRow ? i / columns * (perColumn ? columns : 1) : 0) + (perColumn ? i % columns : 0)];
    }

    private SaturatingWeights[] Pack(Tensor weights)
    {
        var (rows, columns) = ((int)weights.Shape[^2], (int)weights.Shape[^1]);
        var codes = weights.AsSpan<sbyte>();
        return isTransposedB ? [SaturatingWeights.Pack(codes, columns, rows, 1, columns)] : SaturatingWeights.PackAll(codes, rows, columns);
    }

    private long[] Shape(Tensor a, int columns)
    {
        var shape = a.Shape.ToArray();
        if (isTransposed) shape[0] = shape[1];
        shape[^1] = columns;
        return shape;
    }

    private static byte[] Transpose(byte[] codes, int rows, int columns)
    {
        var result = new byte[codes.Length];
        for (var r = 0; r < rows; r++) for (var c = 0; c < columns; c++) result[c * rows + r] = codes[r * columns + c];
        return result;
    }

    private static byte[] Pad(byte[] codes, int rows, int depth, int padded)
    {
        if (depth == padded) return codes;
        var result = new byte[rows * padded];
        for (var m = 0; m < rows; m++) codes.AsSpan(m * depth, depth).CopyTo(result.AsSpan(m * padded));
        return result;
    }
}
