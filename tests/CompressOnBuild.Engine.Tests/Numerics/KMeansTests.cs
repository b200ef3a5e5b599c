using CompressOnBuild.Numerics;

namespace CompressOnBuild.Engine.Tests.Numerics;

[TestClass]
public class KMeansTests
{
    [TestMethod]
    [DataRow(1), DataRow(2), DataRow(3), DataRow(5)]
    public void FindsTheBestOfAllPartitions(int k)
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            double[] x = [.. Enumerable.Range(0, 11).Select(_ => Math.Round(random.NextDouble() * 20))], c = [.. x.Select(_ => random.NextDouble())];
            Assert.AreEqual(Least(x, c, k), Cost(x, c, KMeans.Fit(x, c, k)), 1e-9, $"seed {seed}");
        }
    }

    [TestMethod]
    public void ManyNumbersAreClusteredAlmostAsWell()
    {
        // Four heaps of numbers that no four centres but theirs serve, and more numbers than are clustered exactly.
        var random = new Random(1);
        double[] x = [.. Enumerable.Range(0, 3 * KMeans.MostPoints).Select(i => 10 * (i % 4) + random.NextDouble())], c = [.. x.Select(_ => 1 + random.NextDouble())];
        var centres = KMeans.Fit(x, c, 4);
        for (var heap = 0; heap < 4; heap++)
        {
            var mean = Enumerable.Range(0, x.Length).Where(i => i % 4 == heap).Sum(i => c[i] * x[i]) / Enumerable.Range(0, x.Length).Where(i => i % 4 == heap).Sum(i => c[i]);
            Assert.AreEqual(mean, centres[heap], 1e-9);
        }
    }

    [TestMethod]
    public void FewDifferentNumbersAreTheirOwnCentres()
    {
        CollectionAssert.AreEqual(new[] { -1.0, 2, 3 }, KMeans.Fit([3, -1, 2, 3, -1], [1, 1, 1, 1, 1], 8));
        CollectionAssert.AreEqual(new[] { -1.0, 3 }, KMeans.Fit([3, -1, 2], [1, 1, 0], 8), "what has no weight needs no centre");
        CollectionAssert.AreEqual(new[] { 2.0 }, KMeans.Fit([3, 1], [0, 0], 1), "without any weight all count alike");
    }

    // Every way to cut the sorted numbers into k runs.
    private static double Least(double[] x, double[] c, int k)
    {
        (double X, double C)[] sorted = [.. x.Zip(c).OrderBy(p => p.First)];
        double Best(int first, int clusters) => clusters == 1 ? Spread(sorted[first..])
            : Enumerable.Range(first, sorted.Length - first).Select(end => Spread(sorted[first..end]) + Best(end, clusters - 1)).Append(Spread(sorted[first..])).Min();
        return Best(0, k);
    }

    private static double Spread((double X, double C)[] run)
    {
        if (run.Length == 0) return 0;
        var mean = run.Sum(p => p.C * p.X) / run.Sum(p => p.C);
        return run.Sum(p => p.C * (p.X - mean) * (p.X - mean));
    }

    private static double Cost(double[] x, double[] c, double[] centres) => x.Zip(c, (v, w) => w * centres.Min(m => (v - m) * (v - m))).Sum();
}
