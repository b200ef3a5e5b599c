using CompressOnBuild.Kernels;

namespace CompressOnBuild.Engine.Tests.Kernels;

[TestClass]
public sealed class PixelLevelsTests
{
    [TestMethod]
    public void EachByteOfAPixelGoesThroughItsTableToItsPlane()
    {
        float[] Table(float factor) => [.. Enumerable.Range(0, 256).Select(level => level * factor)];
        byte[] row = [0, 1, 2, 255, 10, 20, 7, 8, 255];
        float[] a = new float[3], b = new float[3], c = new float[3];
        PixelLevels.ToPlanes(row, (Table(1), Table(-1), Table(0.5f)), a, b, c);
        CollectionAssert.AreEqual(new float[] { 0, 255, 7 }, a);
        CollectionAssert.AreEqual(new float[] { -1, -10, -8 }, b);
        CollectionAssert.AreEqual(new[] { 1, 10, 127.5f }, c);
        Assert.ThrowsExactly<ArgumentException>(() => PixelLevels.ToPlanes(row, (Table(1), Table(1), Table(1)), a, b, c.AsSpan(1)));
    }
}
