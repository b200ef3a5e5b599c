using System.Buffers.Binary;
using SkiaSharp;

namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>
/// The EXIF orientation (TIFF tag 0x0112 of the first directory) in the <c>eXIf</c> chunk of a PNG or the <c>EXIF</c> chunk of a WebP, which
/// Pillow follows and Skia's decoders do not; they know that of a JPEG.
/// </summary>
internal static class ExifOrientation
{
    /// <summary>The orientation; top left where there is none, or where it is damaged.</summary>
    public static SKEncodedOrigin Of(ReadOnlySpan<byte> file)
    {
        if (file.Length > 8 && file[1..8].SequenceEqual("PNG\r\n\u001A\n"u8))
        {
            for (var at = 8; at + 12 <= file.Length;)
            {
                var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
                if (length > file.Length - at - 12) break;
                if (file.Slice(at + 4, 4).SequenceEqual("eXIf"u8)) return OfTiff(file.Slice(at + 8, (int)length));
                at += 12 + (int)length;
            }
        }
        else if (file.Length > 12 && file.StartsWith("RIFF"u8) && file.Slice(8, 4).SequenceEqual("WEBP"u8))
        {
            for (var at = 12; at + 8 <= file.Length;)
            {
                var length = BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 4)..]);
                if (length > file.Length - at - 8) break;
                if (file.Slice(at, 4).SequenceEqual("EXIF"u8)) return OfTiff(file.Slice(at + 8, (int)length));
                at += 8 + (int)length + (int)(length & 1);
            }
        }
        return SKEncodedOrigin.TopLeft;
    }

    private static SKEncodedOrigin OfTiff(ReadOnlySpan<byte> tiff)
    {
        if (tiff.StartsWith("Exif\0\0"u8)) tiff = tiff[6..];
        if (tiff.Length < 8) return SKEncodedOrigin.TopLeft;
        var little = tiff.StartsWith("II"u8);
        if (!little && !tiff.StartsWith("MM"u8)) return SKEncodedOrigin.TopLeft;
        var directory = little ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (directory > tiff.Length - 2) return SKEncodedOrigin.TopLeft;
        var entries = tiff[(int)directory..];
        var count = Short(entries);
        entries = entries[2..];
        for (var i = 0; i < count && entries.Length >= 12; i++, entries = entries[12..])
            if (Short(entries) == 0x0112 && Short(entries[2..]) == 3 && Short(entries[8..]) is >= 1 and <= 8 and var orientation)
                return (SKEncodedOrigin)orientation; // the same numbers
        return SKEncodedOrigin.TopLeft;

        ushort Short(ReadOnlySpan<byte> at) => little ? BinaryPrimitives.ReadUInt16LittleEndian(at) : BinaryPrimitives.ReadUInt16BigEndian(at);
    }
}
