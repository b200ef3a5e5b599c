using CompressOnBuild.Kernels;

namespace CompressOnBuild.Engine.Tests.Kernels;

[TestClass]
public sealed class WeightedRowsTests
{
    [TestMethod]
    public void VectorsGiveTheScalarsBytes()
    {
        var random = new Random(3);
        for (var length = 0; length < 200; length++)
        {
            int[] weights = [.. Enumerable.Range(0, 1 + length % 7).Select(_ => random.Next(-1 << 20, 1 << 21))];
            var rows = new byte[length * weights.Length];
            random.NextBytes(rows);
            byte[] vector = new byte[length], scalar = new byte[length];
            WeightedRows.Mix(rows, weights, 22, vector);
            WeightedRows.Scalar(rows, weights, 22, scalar);
            CollectionAssert.AreEqual(scalar, vector, $"{length}");
        }
    }

    [TestMethod]
    public void RoundsHalfUpAndClips()
    {
        var mixed = new byte[4];
        WeightedRows.Mix([1, 2, 0, 255, 0, 0, 1, 255], [2, -1], 2, mixed);
        CollectionAssert.AreEqual(new byte[] { 1, 1, 0, 64 }, mixed); // 2/4, 4/4, -1/4 and 255/4
        WeightedRows.Mix([200, 0, 3, 100], [-4, 0], 1, mixed.AsSpan(0, 2));
        CollectionAssert.AreEqual(new byte[] { 0, 0, 0, 64 }, mixed);
    }
}
