namespace CompressOnBuild.Encodings;

/// <summary>Some bits of a code: <paramref name="Width"/> (4, 2 or 1) of them, from bit <paramref name="Shift"/> on.</summary>
internal readonly record struct BitPlane(int Width, int Shift)
{
    /// <summary>Codes in one byte.</summary>
    public int CodesPerByte => 8 / Width;
}

/// <summary>
/// Codes of 1 to 7 bits as whole bytes: each code is cut into planes of 4, 2 and 1 bits (7 = 4 + 2 + 1, 6 = 4 + 2, 5 = 4 + 1, 3 = 2 + 1), and
/// a plane is stored 2, 4 or 8 codes a byte, the first code in the lowest bits. A table of 256 rows takes a byte apart again.
/// Codes are stored in offset binary: code + 2^(bits-1).
/// </summary>
internal static class BitPlanes
{
    /// <summary>Counts that are a multiple of this fill the bytes of every plane.</summary>
    public const int Alignment = 8;

    /// <summary>The planes of codes of <paramref name="bits"/> (1 to 7) bits, the highest bits first.</summary>
    public static IReadOnlyList<BitPlane> Of(int bits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bits, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, 7);
        var planes = new List<BitPlane>();
        foreach (var width in (ReadOnlySpan<int>)[4, 2, 1])
            if ((bits & width) != 0) planes.Add(new BitPlane(width, (bits & (width - 1))));
        return planes;
    }

    /// <summary>One plane of signed codes of <paramref name="bits"/> bits; their number is a multiple of <see cref="Alignment"/>.</summary>
    public static byte[] Pack(ReadOnlySpan<sbyte> codes, int bits, BitPlane plane)
    {
        var offset = 1 << (bits - 1);
        var mask = (1 << plane.Width) - 1;
        var packed = new byte[codes.Length / plane.CodesPerByte];
        for (var i = 0; i < codes.Length; i++)
        {
            var part = ((codes[i] + offset) >> plane.Shift) & mask;
            packed[i / plane.CodesPerByte] |= (byte)(part << (i % plane.CodesPerByte * plane.Width));
        }
        return packed;
    }

    /// <summary>
    /// The table [256, codes per byte] that turns a byte into what its plane adds to each code; the sum over all planes is the signed
    /// code (the highest plane takes the offset back).
    /// </summary>
    public static float[] Table(int bits, BitPlane plane)
    {
        var highest = plane.Shift + plane.Width == bits;
        var mask = (1 << plane.Width) - 1;
        var table = new float[256 * plane.CodesPerByte];
        for (var i = 0; i < table.Length; i++)
        {
            var part = (i / plane.CodesPerByte >> (i % plane.CodesPerByte * plane.Width)) & mask;
            table[i] = (part << plane.Shift) - (highest ? 1 << (bits - 1) : 0);
        }
        return table;
    }
}
