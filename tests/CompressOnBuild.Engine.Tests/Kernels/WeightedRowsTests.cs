using CompressOnBuild.Kernels;

namespace CompressOnBuild.Engine.Tests.Kernels;

[TestClass]
public sealed class WeightedRowsTests
{
    [TestMethod]
    public void VectorsGiveTheScalarsIntegers()
    {
        var random = new Random(3);
        for (var length = 0; length < 200; length++)
        {
            var row = new byte[length];
            random.NextBytes(row);
            int[] vector = [.. Enumerable.Range(0, length).Select(_ => random.Next(-1 << 28, 1 << 28))], scalar = [.. vector];
            var weight = random.Next(-1 << 22, 1 << 22);
            WeightedRows.Add(row, weight, vector);
            WeightedRows.Scalar(row, weight, scalar);
            CollectionAssert.AreEqual(scalar, vector, $"{length}");
        }
    }
}
