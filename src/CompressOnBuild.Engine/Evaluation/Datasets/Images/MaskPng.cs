using System.Buffers.Binary;
using System.IO.Compression;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>
/// A mask as tools for labelling write it: a PNG (ISO/IEC 15948) of 1, 2, 4 or 8 bits, grey or with a palette, whose stored values are class numbers.
/// Read here, because decoders for people give the palette's colours instead of the numbers.
/// </summary>
internal static class MaskPng
{
    private const int Grey = 0, Palette = 3;
    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', (byte)'\r', (byte)'\n', 0x1A, (byte)'\n'];
    private const string Valid = "Valid is a PNG of 8 bits or less, grey or with a palette, not interlaced, whose values are class numbers";

    /// <exception cref="CompressionException">COB1113 for a PNG that is no mask, COB1114 for a damaged one, COB1106 for one that is too large.</exception>
    public static MaskLabel Read(string file)
    {
        var length = new FileInfo(file).Length;
        if (length > ImageDecoder.LargestFile) throw new CompressionException(Codes.DataTooLarge, $"the mask has {length} bytes; at most {ImageDecoder.LargestFile} are valid. Store it smaller.", file);
        var bytes = File.ReadAllBytes(file);
        if (!bytes.AsSpan().StartsWith(Signature)) throw No("is no PNG");
        var (width, height, depth) = (0, 0, 0);
        using var packed = new MemoryStream();
        for (var at = 8; ;)
        {
            if (bytes.Length - at < 12) throw Damaged();
            var size = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));
            if (size > bytes.Length - at - 12) throw Damaged();
            ReadOnlySpan<byte> kind = bytes.AsSpan(at + 4, 4), data = bytes.AsSpan(at + 8, (int)size);
            at += 12 + (int)size;
            if (kind.SequenceEqual("IHDR"u8))
            {
                if (size != 13) throw Damaged();
                (width, height, depth) = (BinaryPrimitives.ReadInt32BigEndian(data), BinaryPrimitives.ReadInt32BigEndian(data[4..]), data[8]);
                if (data[9] is not (Grey or Palette)) throw No("is a PNG in colour");
                if (depth is not (1 or 2 or 4 or 8)) throw No($"is a PNG of {depth} bits");
                if (data[12] != 0) throw No("is an interlaced PNG");
                if (width <= 0 || height <= 0 || (long)width * height > ImageDecoder.LargestPicture)
                    throw new CompressionException(Codes.DataTooLarge, $"the mask has {width} x {height} pixels; 1 to {ImageDecoder.LargestPicture} are valid. Store it smaller.", file);
            }
            else if (width == 0) throw Damaged();
            else if (kind.SequenceEqual("IDAT"u8)) packed.Write(data);
            else if (kind.SequenceEqual("IEND"u8)) break;
        }
        packed.Position = 0;
        try { return new MaskLabel(Values(packed, width, height, depth), [height, width]); }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException) { throw Damaged(); }

        CompressionException No(string what) => new(Codes.LabelsInvalid, $"the mask {what}. {Valid}. Save it in that form.", file);
        CompressionException Damaged() => new(Codes.ImageUnreadable, $"the mask is damaged. {Valid}. Replace the file, or remove its line from labels.csv.", file);
    }

    /// <summary>The stored numbers, row by row, from the most significant bit on.</summary>
    private static int[] Values(Stream packed, int width, int height, int depth)
    {
        using var stream = new ZLibStream(packed, CompressionMode.Decompress);
        var ids = new int[width * height];
        byte[] before = new byte[(width * depth + 7) / 8], row = new byte[before.Length];
        for (var y = 0; y < height; y++)
        {
            var filter = stream.ReadByte();
            stream.ReadExactly(row);
            Unfilter(filter, row, before);
            for (var x = 0; x < width; x++)
            {
                var bit = x * depth;
                ids[y * width + x] = row[bit / 8] >> (8 - depth - bit % 8) & ((1 << depth) - 1);
            }
            (before, row) = (row, before);
        }
        return ids;
    }

    /// <summary>Undoes a row's filter (clause 9); with 8 bits or less the neighbour is the byte before.</summary>
    private static void Unfilter(int filter, Span<byte> row, ReadOnlySpan<byte> before)
    {
        for (var i = 0; i < row.Length; i++)
        {
            int a = i > 0 ? row[i - 1] : 0, b = before[i], c = i > 0 ? before[i - 1] : 0;
            row[i] += (byte)(filter switch { 0 => 0, 1 => a, 2 => b, 3 => (a + b) / 2, 4 => Paeth(a, b, c), _ => throw new InvalidDataException() });
        }

        static int Paeth(int a, int b, int c)
        {
            var (toA, toB, toC) = (Math.Abs(b - c), Math.Abs(a - c), Math.Abs(a + b - 2 * c));
            return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
        }
    }
}
