using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Datasets.Images;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>Pictures against what Pillow makes of them: <c>testassets/pictures</c>, whose <c>make.py</c> says how.</summary>
[TestClass]
public sealed class PictureVectorTests
{
    private static readonly string Folder = Path.Combine(DotNet.RepositoryRoot, "testassets", "pictures");

    public static IEnumerable<object[]> Pictures() => Directory.EnumerateFiles(Folder).Where(ImageDecoder.IsImage).Select(f => new object[] { Path.GetFileName(f) });

    [TestMethod]
    [DynamicData(nameof(Pictures))]
    public void PicturesDecodeUprightAsPillowDecodesThem(string name)
    {
        var (shape, expected) = Array("decoded.npz", name);
        var picture = ImageDecoder.Decode(Path.Combine(Folder, name));
        Assert.AreEqual((shape[1], shape[0], 3L), (picture.Width, picture.Height, picture.Channels));
        CollectionAssert.AreEqual(expected, picture.Pixels);
    }

    [TestMethod]
    public void AllEightOrientationsAreThere() => Assert.AreEqual(8, Pictures().Count(p => ((string)p[0]).StartsWith("orientation-", StringComparison.Ordinal) && ((string)p[0]).EndsWith(".jpg", StringComparison.Ordinal)));

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(4)]
    [DataRow(5)]
    public void EveryFilterGivesPillowsPixels(int resample)
    {
        var (shape, pixels) = Array("resized.npz", "source");
        var source = new Picture((int)shape[1], (int)shape[0], 3, pixels);
        foreach (var (width, height) in new[] { (4, 6), (11, 14), (17, 5) })
            CollectionAssert.AreEqual(Array("resized.npz", $"{resample}-{width}x{height}").Bytes, PillowResize.Resize(source, width, height, (Resample)resample).Pixels, $"{width}x{height}");
    }

    private static (long[] Shape, byte[] Bytes) Array(string file, string name)
    {
        using var npz = new NpzFile(Path.Combine(Folder, file));
        var array = npz.Open(name);
        return (array.Shape.ToArray(), [.. Enumerable.Range(0, (int)array.Rows).SelectMany(r => array.Row(r).ToArray())]);
    }
}
