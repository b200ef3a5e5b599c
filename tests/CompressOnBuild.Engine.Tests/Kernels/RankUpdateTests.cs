using System.Numerics.Tensors;
using CompressOnBuild.Kernels;

namespace CompressOnBuild.Engine.Tests.Kernels;

[TestClass]
public sealed class RankUpdateTests
{
    [TestMethod]
    public void GivesTheBitsOfOneRowAfterTheOther()
    {
        var random = new Random(5);
        for (var length = 0; length < 150; length++)
        {
            var rows = Numbers(random, 400);
            int[] starts = [.. Enumerable.Range(0, length % 17).Select(_ => random.Next(400 - length))];
            var factors = Numbers(random, starts.Length);
            var expected = Numbers(random, length);
            double[] vectors = [.. expected], scalar = [.. expected];
            for (var k = 0; k < starts.Length; k++) TensorPrimitives.MultiplyAdd(rows.AsSpan(starts[k], length), factors[k], expected, expected);
            RankUpdate.Add(rows, starts, factors, vectors);
            RankUpdate.Scalar(rows, starts, factors, scalar);
            CollectionAssert.AreEqual(expected, vectors, $"{length}");
            CollectionAssert.AreEqual(expected, scalar, $"{length}");
        }
    }

    [TestMethod]
    public void ARowThatEndsTooEarlyIsRefused() =>
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => RankUpdate.Add(new double[10], [7], [1], new double[4]));

    [TestMethod]
    public void ProductsOfGroupsHaveTheBitsOfOneRowAfterTheOther()
    {
        var random = new Random(6);
        for (var groups = 1; groups < 40; groups++)
        {
            int k = 1 + groups % 5, n = 1 + groups % 7;
            var rows = Numbers(random, n * k * groups);
            var expected = new double[GroupedProducts.Count(k) * groups];
            double[] vectors = [.. expected], scalar = [.. expected];
            for (var row = 0; row < n; row++)
                for (int i = 0, at = 0; i < k; i++)
                    for (var j = i; j < k; j++)
                        for (var g = 0; g < groups; g++) expected[at++] += rows[(row * k + i) * groups + g] * rows[(row * k + j) * groups + g];
            GroupedProducts.Add(rows, k, groups, vectors);
            GroupedProducts.Scalar(rows, k, groups, scalar);
            CollectionAssert.AreEqual(expected, vectors, $"{groups}");
            CollectionAssert.AreEqual(expected, scalar, $"{groups}");
        }
    }

    private static double[] Numbers(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() - 0.5)];
}
