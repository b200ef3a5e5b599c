using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Images;
using CompressOnBuild.Testing;
using SkiaSharp;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class ImageDecoderTests
{
    [TestMethod]
    [DataRow(SKJpegEncoderDownsample.Downsample420, false)]
    [DataRow(SKJpegEncoderDownsample.Downsample422, false)]
    [DataRow(SKJpegEncoderDownsample.Downsample444, false)]
    [DataRow(SKJpegEncoderDownsample.Downsample444, true)]
    public void WhatIsNeededOfAJpegIsThatPartOfTheWhole(SKJpegEncoderDownsample downsample, bool grey)
    {
        using var scratch = new ScratchFolder();
        var random = new Random(11);
        foreach (var (width, height) in ((int, int)[])[(97, 61), (64, 48), (17, 130), (8, 5)])
        {
            Jpeg(scratch["a.jpg"], width, height, downsample, grey, random);
            var whole = ImageDecoder.Decode(scratch["a.jpg"]);
            for (var i = 0; i < 40; i++)
            {
                var (left, top) = (random.Next(width), random.Next(height));
                var area = new PictureArea(left, top, random.Next(1, width - left + 1), random.Next(1, height - top + 1));
                var asked = false;
                var part = ImageDecoder.Decode(scratch["a.jpg"], needed: (w, h) =>
                {
                    asked = (w, h) == (width, height);
                    return area;
                });
                Assert.IsTrue(asked);
                Assert.AreEqual((width, height), (part.Width, part.Height));
                for (var y = top; y < top + area.Height; y++)
                {
                    var at = (y * width + left) * 3;
                    Assert.IsTrue(whole.Pixels.AsSpan(at, area.Width * 3).SequenceEqual(part.Pixels.AsSpan(at, area.Width * 3)), $"{width} x {height}, {area}, row {y}");
                }
            }
        }
    }

    [TestMethod]
    public void AFileThatEndsBelowWhatIsNeededIsDamagedAllTheSame()
    {
        using var scratch = new ScratchFolder();
        Jpeg(scratch["a.jpg"], 200, 200, SKJpegEncoderDownsample.Downsample420, false, new Random(1));
        var bytes = File.ReadAllBytes(scratch["a.jpg"]);
        File.WriteAllBytes(scratch["a.jpg"], bytes[..(bytes.Length * 3 / 4)]);
        foreach (var needed in (Func<int, int, PictureArea?>?[])[null, (_, _) => new(50, 20, 60, 40)])
            Assert.AreEqual(Codes.ImageUnreadable, Assert.ThrowsExactly<CompressionException>(() => ImageDecoder.Decode(scratch["a.jpg"], needed: needed)).Diagnostic.Code);
    }

    [TestMethod]
    public void APictureThatIsTurnedIsDecodedAsAWhole()
    {
        using var scratch = new ScratchFolder();
        Jpeg(scratch["a.jpg"], 30, 20, SKJpegEncoderDownsample.Downsample420, false, new Random(1));
        var bytes = File.ReadAllBytes(scratch["a.jpg"]);
        // An EXIF segment whose only entry is orientation 6: turn to the right.
        byte[] exif = [0xFF, 0xE1, 0, 34, .. "Exif\0\0"u8, .. "II*\0"u8, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0];
        File.WriteAllBytes(scratch["a.jpg"], [.. bytes[..2], .. exif, .. bytes[2..]]);
        var turned = ImageDecoder.Decode(scratch["a.jpg"], needed: (_, _) => throw new AssertFailedException("only upright pictures are asked about"));
        Assert.AreEqual((20, 30), (turned.Width, turned.Height));
    }

    private static void Jpeg(string file, int width, int height, SKJpegEncoderDownsample downsample, bool grey, Random random)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, grey ? SKColorType.Gray8 : SKColorType.Rgba8888, SKAlphaType.Opaque));
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                // Smooth and noisy at once, so that every column differs from its neighbours in all channels.
                bitmap.SetPixel(x, y, new SKColor((byte)(x * 5 + random.Next(60)), (byte)(y * 3 + random.Next(60)), (byte)(x * y + random.Next(60))));
        using var pixmap = bitmap.PeekPixels();
        using var stream = File.Create(file);
        Assert.IsTrue(pixmap.Encode(stream, new SKJpegEncoderOptions(90, downsample, SKJpegEncoderAlphaOption.Ignore)));
    }
}
