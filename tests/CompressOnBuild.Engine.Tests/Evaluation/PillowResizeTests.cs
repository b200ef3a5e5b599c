using CompressOnBuild.Evaluation.Datasets.Images;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>Vectors computed by hand from the filters' formulas; the comparison with Pillow's own pictures is in <see cref="ZooDataTests"/>.</summary>
[TestClass]
public sealed class PillowResizeTests
{
    [TestMethod]
    // Weights 3/7, 3/7, 1/7 at the left: (100 * 3 + 200) / 7 = 71.43; at the right (100 + 200 * 3 + 50 * 3) / 7 = 121.43.
    [DataRow((int)Resample.Bilinear, new byte[] { 0, 100, 200, 50 }, new byte[] { 71, 121 })]
    [DataRow((int)Resample.Bilinear, new byte[] { 0, 100 }, new byte[] { 0, 25, 75, 100 })]
    // 0.8672 and 0.2266 of the cubic over their sum: 20.71 and 79.29; the ends overshoot by 8.8 and are clipped at 0.
    [DataRow((int)Resample.Bicubic, new byte[] { 0, 100 }, new byte[] { 0, 21, 79, 109 })]
    [DataRow((int)Resample.Nearest, new byte[] { 1, 2, 3 }, new byte[] { 1, 3 })]
    [DataRow((int)Resample.Nearest, new byte[] { 1, 2 }, new byte[] { 1, 1, 2, 2 })]
    [DataRow((int)Resample.Lanczos, new byte[] { 7, 7, 7 }, new byte[] { 7, 7 })]
    public void GivesTheFiltersValuesInBothDirections(int resample, byte[] from, byte[] to)
    {
        var row = PillowResize.Resize(new Picture(from.Length, 1, 1, from), to.Length, 1, (Resample)resample);
        CollectionAssert.AreEqual(to, row.Pixels);
        var column = PillowResize.Resize(new Picture(1, from.Length, 1, from), 1, to.Length, (Resample)resample);
        CollectionAssert.AreEqual(to, column.Pixels);
    }

    [TestMethod]
    public void KeepsChannelsApart()
    {
        var result = PillowResize.Resize(new Picture(2, 1, 3, [0, 10, 200, 100, 10, 0]), 4, 1, Resample.Bilinear);
        CollectionAssert.AreEqual(new byte[] { 0, 10, 200, 25, 10, 150, 75, 10, 50, 100, 10, 0 }, result.Pixels);
    }

    [TestMethod]
    [DataRow(3), DataRow(1)]
    public void APartIsThatPartOfTheWhole(int channels)
    {
        var pixels = new byte[67 * 45 * channels];
        new Random(5).NextBytes(pixels);
        foreach (var (width, height) in ((int, int)[])[(31, 29), (120, 80), (31, 80)])
            foreach (var resample in (Resample[])[Resample.Bilinear, Resample.Bicubic, Resample.Lanczos, Resample.Box])
            {
                var picture = new Picture(67, 45, channels, pixels);
                var whole = PillowResize.Resize(picture, width, height, resample);
                var part = PillowResize.ResizePart(picture, width, height, resample, new(4, 3, 20, 25))!;
                CollectionAssert.AreEqual(ImageRows(whole, 4, 3, 20, 25), part.Pixels, $"{width} x {height}, {resample}");
                // Each colour is what it would be alone.
                if (channels == 3)
                {
                    var grey = PillowResize.Resize(new Picture(67, 45, 1, [.. pixels.Where((_, i) => i % 3 == 1)]), width, height, resample);
                    CollectionAssert.AreEqual(grey.Pixels, whole.Pixels.Where((_, i) => i % 3 == 1).ToArray());
                }
            }

        static byte[] ImageRows(Picture p, int left, int top, int width, int height) =>
            [.. Enumerable.Range(top, height).SelectMany(y => p.Pixels.AsSpan((y * p.Width + left) * p.Channels, width * p.Channels).ToArray())];
    }
}
