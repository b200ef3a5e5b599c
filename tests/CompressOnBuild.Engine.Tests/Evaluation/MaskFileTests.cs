using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;
using SkiaSharp;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary><c>file,mask</c> in labels.csv.</summary>
[TestClass]
public sealed class MaskFileTests
{
    private const int Grey = 0, Colour = 2, Palette = 3;
    private static readonly DatasetContext AnyPicture = NpzTests.Context(("x", ElementType.Float, [null, 3, null, null]));

    [TestMethod]
    public void APalettesNumbersAreTheClasses()
    {
        // A row for each way to filter; the colours of the palette are the wrong way round.
        int[] ids = [.. Enumerable.Range(0, 5 * 7).Select(i => i * 37 % 256)];
        using var scratch = Folder(Png(7, 5, 8, Palette, [.. ids.Select(i => (byte)i)], filtered: true));
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        Assert.AreEqual(LabelKind.Mask, data.LabelKind);
        var mask = (MaskLabel)data.Label(0)!;
        CollectionAssert.AreEqual(ids, mask.Ids);
        CollectionAssert.AreEqual(new long[] { 5, 7 }, mask.Shape.ToArray());
        Assert.AreEqual(mask.Canonical, data.Read(0).Label!.Canonical);
    }

    [TestMethod]
    public void GreyPicturesOfAnotherProgramAreMasks()
    {
        using var bitmap = new SKBitmap(new SKImageInfo(16, 9, SKColorType.Gray8, SKAlphaType.Opaque));
        int[] ids = [.. Enumerable.Range(0, 16 * 9).Select(i => i * i % 251)];
        System.Runtime.InteropServices.Marshal.Copy(ids.Select(i => (byte)i).ToArray(), 0, bitmap.GetPixels(), ids.Length);
        using var png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        using var scratch = Folder(png.ToArray());
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        CollectionAssert.AreEqual(ids, ((MaskLabel)data.Label(0)!).Ids);
    }

    [TestMethod]
    [DataRow(1, new byte[] { 0b1010_0000, 0b0110_0000 }, new[] { 1, 0, 1, 0, 1, 1 })]
    [DataRow(2, new byte[] { 0b00_01_10_00, 0b11_10_01_00 }, new[] { 0, 1, 2, 3, 2, 1 })]
    [DataRow(4, new byte[] { 0x5A, 0x30, 0xF0, 0x10 }, new[] { 5, 10, 3, 15, 0, 1 })]
    public void PalettesOfFewColoursArePacked(int depth, byte[] packed, int[] ids)
    {
        using var scratch = Folder(Png(3, 2, depth, Palette, packed));
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        CollectionAssert.AreEqual(ids, ((MaskLabel)data.Label(0)!).Ids);
    }

    [TestMethod]
    public void MasksAreTrackedAndAreNoPictures()
    {
        using var scratch = Folder(Png(1, 1, 8, Grey, [1]));
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        Assert.AreEqual(1, data.Count);
        Assert.AreEqual(0, data.Warnings.Count);
        CollectionAssert.Contains(data.Files.ToArray(), scratch["a-mask.png"]);
    }

    [TestMethod]
    public void AnotherMaskIsAnotherSplit()
    {
        using var scratch = Folder(Png(2, 1, 8, Grey, [0, 1]));
        using var before = Dataset.Open(scratch.Path, AnyPicture);
        var first = Splits.Create(null, before, 1).Gate.Sha256;
        File.WriteAllBytes(scratch["a-mask.png"], Png(2, 1, 8, Grey, [1, 1]));
        using var after = Dataset.Open(scratch.Path, AnyPicture);
        Assert.AreNotEqual(first, Splits.Create(null, after, 1).Gate.Sha256);
    }

    [TestMethod]
    public void MiouCountsWhatIsNot255()
    {
        using var scratch = Folder(Png(4, 1, 8, Palette, [1, 0, 255, 1]));
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        var metric = new Miou(data.Configuration.Decoding);
        var contribution = metric.Contribute(new Outcome("a", data.Label(0), Tensor.Create(new float[] { 0.9f, 0.1f, 0.9f, 0.2f }, 1, 1, 1, 4), Tensor.Create<float>([], 0)));
        // Class 0: one of two; class 1: one of two.
        Assert.AreEqual(0.5, metric.Over([contribution])([1]), 1e-12);
    }

    [TestMethod]
    public void AMaskOfAnotherSizeThanTheOutputIsAnError()
    {
        using var scratch = Folder(Png(2, 2, 8, Grey, [0, 1, 1, 0]));
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        var error = Assert.ThrowsExactly<CompressionException>(() => new Miou(data.Configuration.Decoding).Contribute(new Outcome("a.png", data.Label(0), Tensor.Create(new float[9], 1, 1, 3, 3), Tensor.Create<float>([], 0))));
        Assert.AreEqual(Codes.OutputDoesNotFitLabel, error.Diagnostic.Code);
        StringAssert.Contains(error.Diagnostic.Message, "a.png");
    }

    [TestMethod]
    [DataRow("missing.png")]
    [DataRow("../a-mask.png")]
    public void AMaskThatIsNotThereIsAnErrorAtItsLine(string mask)
    {
        using var scratch = Folder(Png(1, 1, 8, Grey, [1]));
        scratch.Write("labels.csv", $"file,mask\na.png,{mask}\n");
        var diagnostic = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(scratch.Path, AnyPicture)).Diagnostic;
        Assert.AreEqual((Codes.LabelsInvalid, 2, 7), (diagnostic.Code, diagnostic.Line, diagnostic.Column));
    }

    public static IEnumerable<object[]> NoMasks()
    {
        yield return ["a PNG in colour", Codes.LabelsInvalid, Png(1, 1, 8, Colour, [1, 2, 3])];
        yield return ["of 16 bits", Codes.LabelsInvalid, Png(1, 1, 16, Grey, [1, 2])];
        yield return ["interlaced", Codes.LabelsInvalid, Png(1, 1, 8, Grey, [1], interlaced: true)];
        yield return ["no PNG", Codes.LabelsInvalid, "GIF89a"u8.ToArray()];
        yield return ["damaged", Codes.ImageUnreadable, Png(1, 1, 8, Grey, [1])[..^20]];
        yield return ["damaged", Codes.ImageUnreadable, Png(1, 2, 8, Grey, [1])];
        yield return ["50000 x 50000", Codes.DataTooLarge, Png(50000, 50000, 8, Grey, [1])];
    }

    [TestMethod]
    [DynamicData(nameof(NoMasks))]
    public void WhatIsNoMaskIsSaidOfItsFile(string what, string code, byte[] png)
    {
        using var scratch = Folder(png);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        var diagnostic = Assert.ThrowsExactly<CompressionException>(() => data.Label(0)).Diagnostic;
        Assert.AreEqual((code, scratch["a-mask.png"]), (diagnostic.Code, diagnostic.File));
        StringAssert.Contains(diagnostic.Message, what);
    }

    [TestMethod]
    public void SoundsHaveNoMasks()
    {
        using var scratch = Folder(Png(1, 1, 8, Grey, [1]));
        File.WriteAllBytes(scratch["a.wav"], []);
        scratch.Write("labels.csv", "file,mask\na.wav,a-mask.png\n");
        var diagnostic = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(scratch.Path, AnyPicture)).Diagnostic;
        Assert.AreEqual(Codes.LabelsInvalid, diagnostic.Code);
    }

    private static ScratchFolder Folder(byte[] mask)
    {
        var scratch = new ScratchFolder();
        File.WriteAllBytes(scratch["a.png"], Png(1, 1, 8, Colour, [1, 2, 3]));
        File.WriteAllBytes(scratch["a-mask.png"], mask);
        scratch.Write("labels.csv", "file,mask\na.png,a-mask.png\n");
        scratch.Write("preprocessor_config.json", """{ "do_resize": false, "do_rescale": false, "do_normalize": false }""");
        return scratch;
    }

    /// <summary>A PNG of the rows in <paramref name="packed"/>; row y is filtered by way y % 5 where that is asked for (one byte a pixel).</summary>
    private static byte[] Png(int width, int height, int depth, int kind, byte[] packed, bool filtered = false, bool interlaced = false)
    {
        using var raw = new MemoryStream();
        var rowBytes = (width * depth * (kind == Colour ? 3 : 1) + 7) / 8;
        for (var y = 0; y < height && (y + 1) * rowBytes <= packed.Length; y++)
        {
            var filter = filtered ? y % 5 : 0;
            raw.WriteByte((byte)filter);
            for (var x = 0; x < rowBytes; x++)
            {
                int a = At(x - 1, y), b = At(x, y - 1), c = At(x - 1, y - 1), p = a + b - c;
                var nearest = new[] { a, b, c }.MinBy(v => Math.Abs(p - v));
                raw.WriteByte((byte)(At(x, y) - filter switch { 1 => a, 2 => b, 3 => (a + b) / 2, 4 => nearest, _ => 0 }));
            }
        }
        using var deflated = new MemoryStream();
        using (var zip = new ZLibStream(deflated, CompressionLevel.Fastest, leaveOpen: true)) zip.Write(raw.ToArray());
        using var png = new MemoryStream();
        png.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        var head = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(head, width);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(4), height);
        (head[8], head[9], head[12]) = ((byte)depth, (byte)kind, interlaced ? (byte)1 : (byte)0);
        Chunk("IHDR", head);
        if (kind == Palette) Chunk("PLTE", [.. Enumerable.Range(0, 1 << depth).SelectMany(i => Enumerable.Repeat((byte)(255 - i), 3))]);
        Chunk("IDAT", deflated.ToArray());
        Chunk("IEND", []);
        return png.ToArray();

        int At(int x, int y) => x < 0 || y < 0 ? 0 : packed[y * rowBytes + x];

        void Chunk(string name, byte[] data)
        {
            var number = new byte[4];
            byte[] body = [.. Encoding.ASCII.GetBytes(name), .. data];
            BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
            png.Write(number);
            png.Write(body);
            BinaryPrimitives.WriteUInt32BigEndian(number, Crc(body));
            png.Write(number);
        }

        static uint Crc(byte[] bytes)
        {
            var crc = uint.MaxValue;
            foreach (var b in bytes)
            {
                crc ^= b;
                for (var k = 0; k < 8; k++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
            }
            return ~crc;
        }
    }
}
