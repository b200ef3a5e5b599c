using CompressOnBuild.Kernels;

namespace CompressOnBuild.Engine.Tests.Kernels;

[TestClass]
public sealed class WeightedPixelsTests
{
    [TestMethod]
    public void VectorsGiveTheScalarsBytesToTheEndOfEachRow()
    {
        var random = new Random(5);
        for (var pixels = 1; pixels < 60; pixels++)
        {
            const int Stride = 7;
            var (count, bytes) = (random.Next(1, 10), pixels * 3);
            var rows = new byte[count * bytes];
            random.NextBytes(rows);
            int[] firsts = [.. Enumerable.Range(0, 30).Select(_ => random.Next(pixels))];
            int[] counts = [.. firsts.Select(f => random.Next(1, Math.Min(Stride, pixels - f) + 1))];
            int[] weights = [.. Enumerable.Range(0, firsts.Length * Stride).Select(_ => random.Next(-1 << 20, 1 << 21))];
            byte[] vector = new byte[count * firsts.Length * 3], scalar = new byte[vector.Length];
            WeightedPixels.Mix(rows, bytes, firsts, counts, weights, Stride, 22, vector);
            for (var row = 0; row < count; row++)
                WeightedPixels.Scalar(rows.AsSpan(row * bytes, bytes), firsts, counts, weights, Stride, 22, scalar.AsSpan(row * firsts.Length * 3, firsts.Length * 3));
            CollectionAssert.AreEqual(scalar, vector, $"{count} rows of {pixels}");
        }
    }
}
