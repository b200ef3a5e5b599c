using CompressOnBuild.Kernels;

namespace CompressOnBuild.Engine.Tests.Kernels;

/// <summary>The product with pairs that saturate in 16 bits: vectors and the literal loop give the same sums.</summary>
[TestClass]
public sealed class SaturatingProductTests
{
    [TestMethod]
    [DataRow(1, 1, 1)]
    [DataRow(3, 37, 20)]
    [DataRow(4, 64, 8)]
    [DataRow(9, 130, 33)]
    public void VectorsGiveTheSumsOfTheLiteralLoop(int rows, int depth, int columns)
    {
        var (a, codes, weights) = Draw(rows, depth, columns);
        var (sums, scalar) = (new int[rows * columns], new int[rows * columns]);
        SaturatingProduct.Multiply(a, rows, weights, sums);
        SaturatingProduct.Scalar(a, rows, weights, scalar);
        CollectionAssert.AreEqual(scalar, sums);

        long saturated = 0;
        for (var m = 0; m < rows; m++)
            for (var n = 0; n < columns; n++)
            {
                var expected = 0;
                for (var k = 0; k < depth; k += 2)
                {
                    var pair = a[m * weights.PaddedDepth + k] * codes[k * columns + n] + (k + 1 < depth ? a[m * weights.PaddedDepth + k + 1] * codes[(k + 1) * columns + n] : 0);
                    expected += Math.Clamp(pair, short.MinValue, short.MaxValue);
                    if (pair is < short.MinValue or > short.MaxValue) saturated++;
                }
                Assert.AreEqual(expected, sums[m * columns + n], $"{m}, {n}");
            }
        Assert.AreEqual(saturated, SaturatingProduct.CountSaturated(a, rows, weights));
    }

    [TestMethod]
    public void APairCanSaturateFromASumOf129On()
    {
        foreach (var (first, second, pairs) in new[] { (127, 1, 0), (127, 2, 1), (-128, 0, 0), (-128, -1, 1), (127, -128, 0), (64, 64, 0), (65, 64, 1) })
        {
            var weights = SaturatingWeights.Pack([(sbyte)first, (sbyte)second], 2, 1, 1, 1);
            Assert.AreEqual(pairs, weights.PairsThatCanSaturate(), $"{first} and {second}");
            byte[] most = [(byte)(first > 0 == second > 0 || second == 0 || Math.Abs(first) > Math.Abs(second) ? 255 : 0), 255, 0, 0];
            Assert.AreEqual(pairs, SaturatingProduct.CountSaturated(most, 1, weights), $"{first} and {second} with the largest activations");
        }
    }

    [TestMethod]
    public void ASumThatIsJustTheLimitIsNotCounted()
    {
        // 217 * 151 = 32767: split over two codes of at most 127.
        var weights = SaturatingWeights.Pack([127, 24], 2, 1, 1, 1);
        Assert.AreEqual(0, SaturatingProduct.CountSaturated([217, 217, 0, 0], 1, weights));
        Assert.AreEqual(1, SaturatingProduct.CountSaturated([218, 217, 0, 0], 1, weights));
    }

    [TestMethod]
    public void EightBitTransposedCodesArePackedByTheirStrides()
    {
        var (a, codes, weights) = Draw(2, 10, 6);
        var transposed = new sbyte[60];
        for (var k = 0; k < 10; k++) for (var n = 0; n < 6; n++) transposed[n * 10 + k] = codes[k * 6 + n];
        var (sums, same) = (new int[12], new int[12]);
        SaturatingProduct.Multiply(a, 2, weights, sums);
        SaturatingProduct.Multiply(a, 2, SaturatingWeights.Pack(transposed, 10, 6, 1, 10), same);
        CollectionAssert.AreEqual(sums, same);
        CollectionAssert.AreEqual(Enumerable.Range(0, 6).Select(n => Enumerable.Range(0, 10).Sum(k => codes[k * 6 + n])).ToArray(), weights.ColumnSums);
    }

    private static (byte[] Activations, sbyte[] Codes, SaturatingWeights Weights) Draw(int rows, int depth, int columns)
    {
        var random = new Random(rows * 1000 + depth);
        var codes = new sbyte[depth * columns];
        for (var i = 0; i < codes.Length; i++) codes[i] = (sbyte)random.Next(-128, 128);
        var weights = SaturatingWeights.Pack(codes, depth, columns, columns, 1);
        var a = new byte[rows * weights.PaddedDepth];
        random.NextBytes(a); // what fills the depth up may be anything
        return (a, codes, weights);
    }
}
