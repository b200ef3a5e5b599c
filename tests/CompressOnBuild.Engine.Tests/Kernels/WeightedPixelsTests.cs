using CompressOnBuild.Kernels;

namespace CompressOnBuild.Engine.Tests.Kernels;

[TestClass]
public sealed class WeightedPixelsTests
{
    [TestMethod]
    public void VectorsGiveTheScalarsBytesToTheEndOfTheRow()
    {
        var random = new Random(5);
        for (var pixels = 1; pixels < 60; pixels++)
        {
            const int Stride = 7;
            var row = new byte[pixels * 3];
            random.NextBytes(row);
            int[] firsts = [.. Enumerable.Range(0, 30).Select(_ => random.Next(pixels))];
            int[] counts = [.. firsts.Select(f => random.Next(1, Math.Min(Stride, pixels - f) + 1))];
            int[] weights = [.. Enumerable.Range(0, firsts.Length * Stride).Select(_ => random.Next(-1 << 20, 1 << 21))];
            byte[] vector = new byte[firsts.Length * 3], scalar = new byte[firsts.Length * 3];
            WeightedPixels.Mix(row, firsts, counts, weights, Stride, 22, vector);
            WeightedPixels.Scalar(row, firsts, counts, weights, Stride, 22, scalar);
            CollectionAssert.AreEqual(scalar, vector, $"{pixels}");
        }
    }
}
