using System.Runtime.InteropServices;
using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Emulation;

/// <summary>Pairs of products of one weight on some samples, and how many of them saturated.</summary>
internal sealed class PairCount
{
    private long pairs, saturated;

    public long Pairs => pairs;
    public long Saturated => saturated;

    public void Add(long pairs, long saturated)
    {
        Interlocked.Add(ref this.pairs, pairs);
        Interlocked.Add(ref this.saturated, saturated);
    }
}

/// <summary>
/// A node with an integer product, computed as x64 processors without VNNI compute it. Runs from any number of threads.
/// </summary>
internal abstract class EmulatedNode(Node node)
{
    /// <summary>The node of ONNX Runtime's optimized graph.</summary>
    public Node Node { get; } = node;

    /// <summary>The node's outputs, in its order; null for one that is left out.</summary>
    /// <param name="values">Every value that is no constant, by name.</param>
    /// <param name="count">Counts what saturates; null: nothing is counted.</param>
    public abstract Tensor?[] Run(IReadOnlyDictionary<string, Tensor> values, PairCount? count);

    /// <summary>Multiply-accumulates of the nodes so far; says how long a run takes.</summary>
    protected Tensor? Get(int index, IReadOnlyDictionary<string, Tensor> values) =>
        Node.Input(index) is not { } value ? null : value.Constant ?? values[value.Name];

    protected Tensor Need(int index, IReadOnlyDictionary<string, Tensor> values) =>
        Get(index, values) ?? throw new InvalidOperationException($"{Node.OpType} lacks input {index}.");
}

/// <summary>The quantization arithmetic of ONNX Runtime's integer operators.</summary>
internal static class IntegerArithmetic
{
    /// <summary>Bytes as unsigned activations: signed ones are moved up by 128, as the kernels do it.</summary>
    public static byte Flip(Tensor activations) => activations.ElementType == ElementType.Int8 ? (byte)0x80 : (byte)0;

    /// <summary>A zero point among unsigned activations; 0 when it is left out.</summary>
    public static int ZeroPoint(Tensor? zero, byte flip) => zero is null ? flip : zero.Data.Span[0] ^ flip;

    /// <summary>The zero point of each column of the weights: one for all, or one each; null when all are 0.</summary>
    public static int[]? ZeroPoints(Tensor? zero, int columns)
    {
        if (zero is null) return null;
        var codes = MemoryMarshal.Cast<byte, sbyte>(zero.Data.Span);
        if (codes.IndexOfAnyExcept((sbyte)0) < 0) return null;
        var result = new int[columns];
        for (var n = 0; n < columns; n++) result[n] = codes[codes.Length == 1 ? 0 : n];
        return result;
    }

    /// <summary>One scale for all columns, or one each.</summary>
    public static float[] Scales(Tensor scale, int columns)
    {
        var given = scale.AsSpan<float>();
        var result = new float[columns];
        if (given.Length == 1) result.AsSpan().Fill(given[0]); else given[..columns].CopyTo(result);
        return result;
    }

    /// <summary>The product of a quantized tensor with packed weights: sums of (a - zero) (w - zero of w).</summary>
    public static void Product(ReadOnlySpan<byte> activations, int rows, SaturatingWeights weights, int zero, int[]? weightZeros, Span<int> sums, PairCount? count)
    {
        SaturatingProduct.Multiply(activations, rows, weights, sums);
        count?.Add((long)rows * weights.Columns * ((weights.Depth + 1) / 2), SaturatingProduct.CountSaturated(activations, rows, weights));
        for (var m = 0; m < rows; m++)
        {
            var line = sums.Slice(m * weights.Columns, weights.Columns);
            if (zero != 0) for (var n = 0; n < line.Length; n++) line[n] -= zero * weights.ColumnSums[n];
            if (weightZeros is null) continue;
            var rest = -weights.Depth * zero;
            foreach (var a in activations.Slice(m * weights.PaddedDepth, weights.Depth)) rest += a;
            for (var n = 0; n < line.Length; n++) line[n] -= rest * weightZeros[n];
        }
    }

    /// <summary>Rounds to the nearest code, ties to even, as MLAS requantizes: clamped before it is rounded.</summary>
    public static byte Requantize(int sum, float scale, int zero, bool signed)
    {
        var (least, most) = signed ? (-128, 127) : (0, 255);
        var value = Math.Min(Math.Max(sum * scale, least - zero), most - zero);
        return (byte)((int)MathF.Round(value, MidpointRounding.ToEven) + zero);
    }

    /// <summary>The zero point of an output.</summary>
    public static int OutputZero(Tensor? zero, bool signed) => zero is null ? 0 : signed ? (sbyte)zero.Data.Span[0] : zero.Data.Span[0];
}
