namespace CompressOnBuild.Encodings;

/// <summary>Some bits of a code: <paramref name="Width"/> (8, 4, 2 or 1) of them, from bit <paramref name="Shift"/> on.</summary>
internal readonly record struct BitPlane(int Width, int Shift)
{
    /// <summary>Codes in one byte.</summary>
    public int CodesPerByte => 8 / Width;
}

/// <summary>
/// Codes of 1 to 8 bits as whole bytes: each code is cut into planes of 8, 4, 2 and 1 bits (7 = 4 + 2 + 1, 6 = 4 + 2, 5 = 4 + 1, 3 = 2 + 1), and
/// a plane is stored 1, 2, 4 or 8 codes a byte, the first code in the lowest bits. A table of 256 rows takes a byte apart again.
/// Codes are stored from 0 on; signed ones in offset binary: code + 2^(bits-1).
/// </summary>
internal static class BitPlanes
{
    /// <summary>Counts that are a multiple of this fill the bytes of every plane.</summary>
    public const int Alignment = 8;

    /// <summary>The planes of codes of <paramref name="bits"/> (1 to 8) bits, the highest bits first.</summary>
    public static IReadOnlyList<BitPlane> Of(int bits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bits, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, 8);
        var planes = new List<BitPlane>();
        foreach (var width in (ReadOnlySpan<int>)[8, 4, 2, 1])
            if ((bits & width) != 0) planes.Add(new BitPlane(width, (bits & (width - 1))));
        return planes;
    }

    /// <summary>What codes from 0 to 2^<paramref name="bits"/> - 1 are when they are stored for signed ones: each with 2^(bits-1) added.</summary>
    public static byte[] OffsetBinary(ReadOnlySpan<sbyte> codes, int bits)
    {
        var result = new byte[codes.Length];
        for (var i = 0; i < result.Length; i++) result[i] = (byte)(codes[i] + (1 << (bits - 1)));
        return result;
    }

    /// <summary>One plane of codes; the last byte is filled up with zeros.</summary>
    public static byte[] Pack(ReadOnlySpan<byte> codes, BitPlane plane)
    {
        var mask = (1 << plane.Width) - 1;
        var packed = new byte[(codes.Length + plane.CodesPerByte - 1) / plane.CodesPerByte];
        for (var i = 0; i < codes.Length; i++)
        {
            var part = (codes[i] >> plane.Shift) & mask;
            packed[i / plane.CodesPerByte] |= (byte)(part << (i % plane.CodesPerByte * plane.Width));
        }
        return packed;
    }

    /// <summary>
    /// The table [256, codes per byte] that turns a byte into what its plane adds to each code; the sum over all planes is the code (of
    /// signed codes the highest plane takes the offset back). Bytes hold it: it is stored once a width, and small models notice.
    /// </summary>
    public static sbyte[] Table(int bits, BitPlane plane, bool signed)
    {
        var highest = plane.Shift + plane.Width == bits;
        var mask = (1 << plane.Width) - 1;
        var table = new sbyte[256 * plane.CodesPerByte];
        for (var i = 0; i < table.Length; i++)
        {
            var part = (i / plane.CodesPerByte >> (i % plane.CodesPerByte * plane.Width)) & mask;
            table[i] = (sbyte)((part << plane.Shift) - (signed && highest ? 1 << (bits - 1) : 0));
        }
        return table;
    }
}
