using CompressOnBuild.Numerics;

namespace CompressOnBuild.Engine.Tests.Numerics;

[TestClass]
public class SymmetricEigenTests
{
    [TestMethod]
    [DataRow(1), DataRow(2), DataRow(3), DataRow(17), DataRow(60)]
    public void VectorsAreOrthonormalAndGiveTheMatrixBack(int n)
    {
        var a = CholeskyTests.PositiveDefinite(n);
        for (var i = 0; i < n; i++) a[i * n + i] -= n / 4.0; // some eigenvalues below 0
        var (values, vectors) = SymmetricEigen.Decompose(a, n)!.Value;
        var scale = a.Max(Math.Abs);
        for (var i = 0; i < n; i++)
            for (var j = 0; j < n; j++)
            {
                double inner = 0, back = 0;
                for (var k = 0; k < n; k++)
                {
                    inner += vectors[i * n + k] * vectors[j * n + k];
                    back += values[k] * vectors[k * n + i] * vectors[k * n + j];
                }
                Assert.AreEqual(i == j ? 1 : 0, inner, 1e-12);
                Assert.AreEqual(a[i * n + j], back, 1e-12 * n * scale);
            }
        for (var i = 1; i < n; i++) Assert.IsGreaterThanOrEqualTo(values[i], values[i - 1]);
    }

    [TestMethod]
    public void EqualEigenvaluesAndZerosAreNoTrouble()
    {
        var (values, vectors) = SymmetricEigen.Decompose(new double[9], 3)!.Value;
        CollectionAssert.AreEqual(new double[3], values);
        Assert.AreEqual(3, vectors.Sum(v => v * v), 1e-15);
        // u u^T of rank 1, twice on the diagonal: eigenvalues 5, 5, 0, 0.
        CollectionAssert.AreEqual(new double[] { 5, 5, 0, 0 }, SymmetricEigen.Decompose([1, 2, 0, 0, 2, 4, 0, 0, 0, 0, 4, 2, 0, 0, 2, 1], 4)!.Value.Values.Select(v => Math.Round(v, 12) + 0).ToArray());
        Assert.IsNull(SymmetricEigen.Decompose([double.NaN], 1));
        // 60 of rank 5: the rest is rounding.
        const int n = 60;
        var random = new Random(1);
        double[] rows = [.. Enumerable.Range(0, 5 * n).Select(_ => random.NextDouble() - 0.5)];
        var a = new double[n * n];
        for (var r = 0; r < 5; r++)
            for (var i = 0; i < n; i++)
                for (var j = 0; j < n; j++) a[i * n + j] += rows[r * n + i] * rows[r * n + j];
        var low = SymmetricEigen.Decompose(a, n)!.Value.Values;
        Assert.IsGreaterThan(0.5, low[4]);
        Assert.IsTrue(low.Skip(5).All(v => Math.Abs(v) < 1e-13));
    }
}
