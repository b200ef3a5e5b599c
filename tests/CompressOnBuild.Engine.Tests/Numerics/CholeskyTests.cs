using CompressOnBuild.Numerics;

namespace CompressOnBuild.Engine.Tests.Numerics;

[TestClass]
public class CholeskyTests
{
    [TestMethod]
    [DataRow(1), DataRow(2), DataRow(7), DataRow(40)]
    public void TheFactorIsUpperTriangularAndGivesTheInverse(int n)
    {
        var a = PositiveDefinite(n);
        var u = Cholesky.InverseFactor((double[])a.Clone(), n)!;
        for (var i = 0; i < n; i++)
            for (var j = 0; j < n; j++)
            {
                if (j < i) Assert.AreEqual(0, u[i * n + j]);
                // (U^T U) A = I
                double sum = 0;
                for (var k = 0; k < n; k++)
                    for (var l = 0; l < n; l++) sum += u[l * n + i] * u[l * n + k] * a[k * n + j];
                Assert.AreEqual(i == j ? 1 : 0, sum, 1e-8);
            }
    }

    [TestMethod]
    public void AMatrixThatIsNotPositiveDefiniteHasNone()
    {
        Assert.IsNull(Cholesky.InverseFactor([1, 2, 2, 1], 2));
        Assert.IsNull(Cholesky.InverseFactor([0], 1));
        Assert.IsNull(Cholesky.InverseFactor([double.NaN], 1));
    }

    internal static double[] PositiveDefinite(int n)
    {
        var random = new Random(n);
        double[] rows = [.. Enumerable.Range(0, (n + 5) * n).Select(_ => random.NextDouble() - 0.3)];
        var a = new double[n * n];
        for (var r = 0; r < n + 5; r++)
            for (var i = 0; i < n; i++)
                for (var j = 0; j < n; j++) a[i * n + j] += rows[r * n + i] * rows[r * n + j];
        return a;
    }

    /// <summary>The inverse of a [n, n] by Gauss and Jordan, for transcriptions.</summary>
    internal static double[,] Inverse(double[] a)
    {
        var n = (int)Math.Sqrt(a.Length);
        var m = new double[n, 2 * n];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++) m[i, j] = a[i * n + j];
            m[i, n + i] = 1;
        }
        for (var p = 0; p < n; p++)
        {
            var pivot = m[p, p];
            for (var j = 0; j < 2 * n; j++) m[p, j] /= pivot;
            for (var i = 0; i < n; i++)
            {
                if (i == p) continue;
                var factor = m[i, p];
                for (var j = 0; j < 2 * n; j++) m[i, j] -= factor * m[p, j];
            }
        }
        var inverse = new double[n, n];
        for (var i = 0; i < n; i++)
            for (var j = 0; j < n; j++) inverse[i, j] = m[i, n + j];
        return inverse;
    }
}
