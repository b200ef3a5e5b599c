using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace CompressOnBuild.Samples.Train;

/// <summary>Writes PNG of 4 bits a pixel with a palette (PNG specification, colour type 3), which SkiaSharp reads but does not write.</summary>
internal static class IndexedPng
{
    private static readonly uint[] Crc = [.. Enumerable.Range(0, 256).Select(n =>
    {
        var c = (uint)n;
        for (var k = 0; k < 8; k++) c = (c & 1) == 0 ? c >> 1 : 0xEDB88320u ^ (c >> 1);
        return c;
    })];

    public static void Write(string path, ShapePicture picture)
    {
        using var file = File.Create(path);
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, ShapePicture.Side);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), ShapePicture.Side);
        (header[8], header[9]) = (4, 3);
        Chunk(file, "IHDR", header);
        Chunk(file, "PLTE", picture.Palette);
        Chunk(file, "IDAT", Compress(picture.Pixels));
        Chunk(file, "IEND", []);
    }

    private static byte[] Compress(byte[] pixels)
    {
        using var memory = new MemoryStream();
        using (var zlib = new ZLibStream(memory, CompressionLevel.SmallestSize))
            for (var y = 0; y < ShapePicture.Side; y++)
            {
                zlib.WriteByte(0);
                for (var x = 0; x < ShapePicture.Side; x += 2)
                    zlib.WriteByte((byte)(pixels[y * ShapePicture.Side + x] << 4 | pixels[y * ShapePicture.Side + x + 1]));
            }
        return memory.ToArray();
    }

    private static void Chunk(Stream file, string type, byte[] data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        byte[] body = [.. Encoding.ASCII.GetBytes(type), .. data];
        file.Write(body);
        var crc = uint.MaxValue;
        foreach (var b in body) crc = Crc[(crc ^ b) & 0xFF] ^ (crc >> 8);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~crc);
        file.Write(number);
    }
}
