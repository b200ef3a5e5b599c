using CompressOnBuild.Engine.Tests.Numerics;
using CompressOnBuild.Engine.Tests.Techniques.LowRank;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Engine.Tests.Techniques.Pruning;

[TestClass]
public class ChannelRemovalTests
{
    private const int N = 5, K = 12;

    /// <summary>Hassibi and Stork's order by brute force: at every step each channel is tried, all other weights are solved anew, and the error is measured.</summary>
    [TestMethod]
    [DataRow(1), DataRow(3)]
    public void EqualsTryingEveryChannelAndSolvingAnew(int each)
    {
        var (w, h) = (WhitenedSvdTests.Random(N * K, 1), WhitenedSvdTests.Damped(CholeskyTests.PositiveDefinite(K), K));
        var energy = WhitenedSvdTests.Loss(w, new double[N * K], h, N, K);
        int[][] inputs = [.. Enumerable.Range(0, K / each).Select(c => Enumerable.Range(c * each, each).ToArray())];
        var (order, loss) = ChannelRemoval.Order([new SummingLayer(w, N, h, inputs, energy)], inputs.Length - 1);

        var left = Enumerable.Range(0, inputs.Length).ToList();
        for (var step = 0; step < inputs.Length - 1; step++)
        {
            var tried = left.ToDictionary(c => c, c => Without(w, h, [.. left.Where(l => l != c).SelectMany(l => inputs[l])]) / energy);
            var best = tried.MinBy(t => t.Value);
            Assert.AreEqual(best.Key, order[step]);
            Assert.AreEqual(best.Value, loss[step], 1e-9);
            left.Remove(best.Key);
        }
    }

    [TestMethod]
    public void SumsOverAllLayersThatHearAChannel()
    {
        var (w, h) = (WhitenedSvdTests.Random(N * K, 2), WhitenedSvdTests.Damped(CholeskyTests.PositiveDefinite(K), K));
        int[][] inputs = [.. Enumerable.Range(0, K).Select(c => new[] { c })];
        var one = ChannelRemoval.Order([new SummingLayer(w, N, h, inputs, 2)], 4);
        var both = ChannelRemoval.Order([new SummingLayer(w, N, h, inputs, 4), new SummingLayer(w, N, h, inputs, 4)], 4);
        CollectionAssert.AreEqual(one.Order, both.Order);
        for (var i = 0; i < 4; i++) Assert.AreEqual(one.Loss[i], both.Loss[i], 1e-12);
    }

    [TestMethod]
    public void IsNeverWorseThanMagnitudeOnTheCalibrationGram()
    {
        for (var seed = 0; seed < 5; seed++)
        {
            var (w, gram) = (WhitenedSvdTests.Random(N * K, seed), CholeskyTests.PositiveDefinite(K));
            for (var i = 0; i < K; i++) for (var j = 0; j < K; j++) gram[i * K + j] *= (i % 3 == 0 ? 0.1 : 1) * (j % 3 == 0 ? 0.1 : 1); // quiet inputs with weights like the others
            var h = WhitenedSvdTests.Damped(gram, K);
            int[][] inputs = [.. Enumerable.Range(0, K).Select(c => new[] { c })];
            var second = ChannelRemoval.Order([new SummingLayer(w, N, h, inputs, 1)], 6).Order;
            var magnitude = ChannelRemoval.Order([new SummingLayer(w, N, null, inputs, 1)], 6).Order;
            for (var gone = 1; gone <= 6; gone++)
            {
                var cut = (double[])w.Clone();
                foreach (var c in magnitude.Take(gone)) for (var r = 0; r < N; r++) cut[r * K + c] = 0;
                var repaired = LayerRepair.Solve(w, N, h, [.. Enumerable.Range(0, K).Except(second.Take(gone))]);
                Assert.IsLessThan(WhitenedSvdTests.Loss(w, cut, h, N, K), WhitenedSvdTests.Loss(w, repaired, h, N, K), $"seed {seed}, {gone} gone");
            }
        }
    }

    /// <summary>He et al. 2017, section 3.1: no other weights for the inputs that remain are better.</summary>
    [TestMethod]
    public void TheRepairIsTheLeastSquaresSolution()
    {
        var (w, h) = (WhitenedSvdTests.Random(N * K, 4), WhitenedSvdTests.Damped(CholeskyTests.PositiveDefinite(K), K));
        int[] kept = [0, 1, 3, 4, 7, 8, 9, 11];
        var solved = LayerRepair.Solve(w, N, h, kept);
        Assert.AreEqual(Without(w, h, kept), WhitenedSvdTests.Loss(w, solved, h, N, K), 1e-9);
        for (var r = 0; r < N; r++) for (var j = 0; j < K; j++) if (!kept.Contains(j)) Assert.AreEqual(0, solved[r * K + j]);
        var random = new Random(5);
        for (var i = 0; i < 100; i++)
        {
            var other = (double[])solved.Clone();
            foreach (var j in kept) for (var r = 0; r < N; r++) other[r * K + j] += 0.01 * (random.NextDouble() - 0.5);
            Assert.IsLessThan(WhitenedSvdTests.Loss(w, other, h, N, K), WhitenedSvdTests.Loss(w, solved, h, N, K));
        }
    }

    /// <summary>The error of the best weights on the inputs <paramref name="kept"/>: normal equations by Gaussian elimination, row by row of W.</summary>
    private static double Without(double[] w, double[] h, int[] kept)
    {
        var best = new double[w.Length];
        var m = kept.Length;
        for (var r = 0; r < N; r++)
        {
            var a = new double[m, m + 1];
            for (var i = 0; i < m; i++)
            {
                for (var j = 0; j < m; j++) a[i, j] = h[kept[i] * K + kept[j]];
                for (var j = 0; j < K; j++) a[i, m] += h[kept[i] * K + j] * w[r * K + j];
            }
            for (var p = 0; p < m; p++)
                for (var i = 0; i < m; i++)
                {
                    if (i == p) continue;
                    var factor = a[i, p] / a[p, p];
                    for (var j = p; j <= m; j++) a[i, j] -= factor * a[p, j];
                }
            for (var i = 0; i < m; i++) best[r * K + kept[i]] = a[i, m] / a[i, i];
        }
        return WhitenedSvdTests.Loss(w, best, h, N, K);
    }
}
