using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Transport;

/// <summary>
/// Rows whose elements are all multiples of a number above 1. They come from weights that were quantized with one scale before they got one for each
/// channel: the finer scale then repeats the coarser levels.
/// </summary>
internal static class Strides
{
    /// <summary>The greatest common divisor of each row of signed bytes; null where nothing is gained.</summary>
    public static byte[]? Of(ReadOnlySpan<byte> plane, int length)
    {
        var strides = new byte[(plane.Length - 1) / length + 1];
        if (strides.Length > PlaneRecord.MostClasses(plane.Length)) return null;
        var gain = 0.0;
        for (var r = 0; r < strides.Length; r++)
        {
            var row = plane[(r * length)..Math.Min(plane.Length, (r + 1) * length)];
            var divisor = 0;
            foreach (var symbol in row) divisor = GreatestCommonDivisor(divisor, Math.Abs((int)(sbyte)symbol));
            strides[r] = (byte)Math.Max(1, divisor);
            gain += row.Length * BinaryLogarithm.Of(strides[r]);
        }
        return gain > 4 * strides.Length ? strides : null;
    }

    private static int GreatestCommonDivisor(int a, int b)
    {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }

    /// <summary>Elements to symbols.</summary>
    public static byte[] Divided(ReadOnlySpan<byte> plane, int first, byte[] strides, int length)
    {
        var symbols = plane.ToArray();
        for (var i = 0; i < symbols.Length; i++) symbols[i] = (byte)((sbyte)symbols[i] / strides[(first + i) / length]);
        return symbols;
    }

    /// <inheritdoc cref="Divided(ReadOnlySpan{byte}, int, byte[], int)"/>
    public static ReadOnlySpan<byte> Divided(ReadOnlySpan<byte> plane, int first, PlaneRecord record) =>
        record.Strides is null ? plane : Divided(plane, first, record.Strides, (int)record.StrideLength);
}
