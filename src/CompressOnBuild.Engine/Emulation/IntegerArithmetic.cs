using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Emulation;

/// <summary>
/// The arithmetic of ONNX Runtime's integer operators with unsigned activations and signed weights (ONNX operator specifications; the order
/// of the float operations and of clamping and rounding was found by comparing bits, and tests hold it).
/// </summary>
internal static class IntegerArithmetic
{
    /// <summary>A zero point of activations; 0 when it is left out.</summary>
    public static int ZeroPoint(Tensor? zero) => zero is null ? 0 : zero.Data.Span[0];

    /// <summary>The zero point of each column of the weights: one for all, or one each; null when all are 0.</summary>
    public static int[]? ZeroPoints(Tensor? zero, int columns)
    {
        if (zero is null) return null;
        var codes = zero.AsSpan<sbyte>();
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

    /// <summary>Sums of (a - zero) (w - zero of w), [rows, columns]. What is not the product of the codes themselves is added in 32 bits and exact.</summary>
    /// <param name="activations">[rows, padded depth].</param>
    /// <param name="rows">Rows of activations.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="zero">Zero point of the activations.</param>
    /// <param name="weightZeros">Zero points of the columns; empty: all 0.</param>
    /// <param name="sums">Overwritten.</param>
    /// <param name="count">Counts pairs; null: nothing is counted.</param>
    public static void Product(ReadOnlySpan<byte> activations, int rows, SaturatingWeights weights, int zero, ReadOnlySpan<int> weightZeros, Span<int> sums, PairCount? count)
    {
        SaturatingProduct.Multiply(activations, rows, weights, sums);
        count?.Add((long)rows * weights.Pairs, SaturatingProduct.CountSaturated(activations, rows, weights));
        if (zero == 0 && weightZeros.IsEmpty) return;
        for (var m = 0; m < rows; m++)
        {
            var line = sums.Slice(m * weights.Columns, weights.Columns);
            for (var n = 0; n < line.Length; n++) line[n] -= zero * weights.ColumnSums[n];
            if (weightZeros.IsEmpty) continue;
            var rest = -weights.Depth * zero;
            foreach (var a in activations.Slice(m * weights.PaddedDepth, weights.Depth)) rest += a;
            for (var n = 0; n < line.Length; n++) line[n] -= rest * weightZeros[n];
        }
    }

    /// <summary>Rounds to the nearest code, ties to even; clamped before it is rounded.</summary>
    public static byte Requantize(int sum, float scale, int zero)
    {
        var value = Math.Min(Math.Max(sum * scale, -zero), 255 - zero);
        return (byte)((int)MathF.Round(value, MidpointRounding.ToEven) + zero);
    }

    /// <summary>DynamicQuantizeLinear (ONNX): 256 codes over the range of the tensor and zero.</summary>
    public static (byte[] Codes, float Scale, int Zero) Quantize(ReadOnlySpan<float> values)
    {
        float low = 0, high = 0;
        foreach (var v in values) (low, high) = (Math.Min(low, v), Math.Max(high, v));
        var scale = high == low ? 1 : (high - low) / 255;
        var zero = (int)MathF.Round(Math.Clamp(0 - low / scale, 0, 255), MidpointRounding.ToEven);
        var codes = new byte[values.Length];
        for (var i = 0; i < codes.Length; i++)
            codes[i] = (byte)((int)MathF.Round(Math.Min(Math.Max(values[i] / scale, -zero), 255 - zero), MidpointRounding.ToEven) + zero);
        return (codes, scale, zero);
    }
}
