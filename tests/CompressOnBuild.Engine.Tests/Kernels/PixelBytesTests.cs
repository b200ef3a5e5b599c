using CompressOnBuild.Kernels;

namespace CompressOnBuild.Engine.Tests.Kernels;

[TestClass]
public sealed class PixelBytesTests
{
    [TestMethod]
    public void EveryFourthByteIsLeftOut()
    {
        for (var pixels = 0; pixels < 40; pixels++)
        {
            byte[] from = [.. Enumerable.Range(0, pixels * 4).Select(i => (byte)(7 * i + 3))], to = new byte[pixels * 3];
            PixelBytes.DropFourth(from, to);
            CollectionAssert.AreEqual(from.Where((_, i) => i % 4 != 3).ToArray(), to, $"{pixels}");
        }
    }
}
