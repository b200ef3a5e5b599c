using CompressOnBuild.Engine.Tests.Numerics;
using CompressOnBuild.Numerics;
using CompressOnBuild.Techniques.LowRank;

namespace CompressOnBuild.Engine.Tests.Techniques.LowRank;

[TestClass]
public class WhitenedSvdTests
{
    private const double Damp = 0.01;

    /// <summary>Wang et al. 2024, section 3.1, word by word: S by Cholesky, the singular value decomposition of W S, truncated, and S^-1 behind.</summary>
    [TestMethod]
    [DataRow(6, 9, 3), DataRow(9, 6, 2), DataRow(5, 5, 4)]
    public void EqualsThePaperWordByWord(int n, int k, int rank)
    {
        var (w, h) = (Random(n * k, 3), Damped(CholeskyTests.PositiveDefinite(k), k));
        // S lower triangular with S S^T = H.
        var s = new double[k, k];
        for (var i = 0; i < k; i++)
            for (var j = 0; j <= i; j++)
            {
                var sum = h[i * k + j];
                for (var l = 0; l < j; l++) sum -= s[i, l] * s[j, l];
                s[i, j] = i == j ? Math.Sqrt(sum) : sum / s[j, j];
            }
        var ws = new double[n, k];
        for (var i = 0; i < n; i++)
            for (var j = 0; j < k; j++)
                for (var l = j; l < k; l++) ws[i, j] += w[i * k + l] * s[l, j];
        // W S less its r largest singular triples, each found by power iteration on what is left.
        var truncated = new double[n, k];
        for (var r = 0; r < rank; r++)
        {
            var v = Enumerable.Range(0, k).Select(i => 1.0 + i).ToArray();
            var u = new double[n];
            for (var step = 0; step < 20_000; step++)
            {
                for (var i = 0; i < n; i++) u[i] = Enumerable.Range(0, k).Sum(j => (ws[i, j] - truncated[i, j]) * v[j]);
                Normalize(u);
                for (var j = 0; j < k; j++) v[j] = Enumerable.Range(0, n).Sum(i => (ws[i, j] - truncated[i, j]) * u[i]);
                if (step < 19_999) Normalize(v);
            }
            for (var i = 0; i < n; i++)
                for (var j = 0; j < k; j++) truncated[i, j] += u[i] * v[j];
        }
        // W' = truncated S^-1 by forward substitution from the right: W' S = truncated.
        var expected = new double[n * k];
        for (var i = 0; i < n; i++)
            for (var j = k - 1; j >= 0; j--)
            {
                var sum = truncated[i, j];
                for (var l = j + 1; l < k; l++) sum -= expected[i * k + l] * s[l, j];
                expected[i * k + j] = sum / s[j, j];
            }

        var svd = WhitenedSvd.Decompose(w, n, k, h, 0)!;
        var (a, b) = svd.Factors(rank);
        var product = Dense.Multiply(a, b, n, rank, k);
        for (var i = 0; i < product.Length; i++) Assert.AreEqual(expected[i], product[i], 1e-7);
        Assert.AreEqual(Loss(w, product, h, n, k), svd.Loss(rank), 1e-9 * svd.Loss(0));
    }

    [TestMethod]
    public void IsNeverWorseThanPlainSvdOnTheCalibrationGram()
    {
        foreach (var (n, k) in new[] { (12, 20), (20, 12) })
        {
            var (w, gram) = (Random(n * k, 5), CholeskyTests.PositiveDefinite(k));
            for (var i = 0; i < k; i++) // some inputs are hardly used
                for (var j = 0; j < k; j++) gram[i * k + j] *= (i % 3 == 0 ? 0.05 : 1) * (j % 3 == 0 ? 0.05 : 1);
            var h = Damped(gram, k);
            var (whitened, plain) = (WhitenedSvd.Decompose(w, n, k, gram, Damp)!, WhitenedSvd.Decompose(w, n, k, null, Damp)!);
            for (var rank = 1; rank < 12; rank++)
            {
                var loss = Loss(w, Product(whitened, n, k, rank), h, n, k);
                Assert.IsLessThanOrEqualTo(Loss(w, Product(plain, n, k, rank), h, n, k) * (1 + 1e-9), loss, $"rank {rank}");
                Assert.AreEqual(loss, whitened.Loss(rank), 1e-9 * whitened.Loss(0));
            }
        }
    }

    [TestMethod]
    public void ThreadsChangeNoBit()
    {
        var (w, gram) = (Random(40 * 64, 7), CholeskyTests.PositiveDefinite(64));
        double[] Run(int threads) => WhitenedSvd.Decompose(w, 40, 64, gram, Damp, new ParallelOptions { MaxDegreeOfParallelism = threads })!.Factors(16).B;
        CollectionAssert.AreEqual(Run(1), Run(3));
    }

    internal static double[] Product(WhitenedSvd svd, int n, int k, int rank)
    {
        var (a, b) = svd.Factors(rank);
        return Dense.Multiply(a, b, n, rank, k);
    }

    /// <summary>tr((W - W') H (W - W')^T), element by element.</summary>
    internal static double Loss(double[] w, double[] other, double[] h, int n, int k)
    {
        double loss = 0;
        for (var r = 0; r < n; r++)
            for (var i = 0; i < k; i++)
                for (var j = 0; j < k; j++) loss += (w[r * k + i] - other[r * k + i]) * h[i * k + j] * (w[r * k + j] - other[r * k + j]);
        return loss;
    }

    internal static double[] Damped(double[] gram, int k) => Ridge.Damped(gram, k, Damp)!;

    internal static double[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() - 0.5)];
    }

    private static void Normalize(double[] v)
    {
        var norm = Math.Sqrt(v.Sum(x => x * x));
        for (var i = 0; i < v.Length; i++) v[i] /= norm;
    }
}
