using System.Runtime.Intrinsics;

namespace CompressOnBuild.Kernels;

/// <summary>Bytes of pixels put in another order.</summary>
internal static class PixelBytes
{
    /// <summary>Three bytes of each four: RGB of RGBA.</summary>
    /// <param name="from">Pixels of four bytes.</param>
    /// <param name="to">Pixels of three bytes, as many.</param>
    public static void DropFourth(ReadOnlySpan<byte> from, Span<byte> to)
    {
        if (Vector128.IsHardwareAccelerated)
        {
            // Four pixels at once; the last four bytes of each store are overwritten by the next.
            var order = Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
            for (; to.Length >= 16 && from.Length >= 16; from = from[16..], to = to[12..])
                Vector128.Shuffle(Vector128.Create(from), order).CopyTo(to);
        }
        Scalar(from, to);
    }

    internal static void Scalar(ReadOnlySpan<byte> from, Span<byte> to)
    {
        for (; to.Length >= 3; from = from[4..], to = to[3..]) (to[0], to[1], to[2]) = (from[0], from[1], from[2]);
    }
}
