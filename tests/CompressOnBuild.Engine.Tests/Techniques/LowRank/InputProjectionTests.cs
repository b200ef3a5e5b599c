using CompressOnBuild.Engine.Tests.Numerics;
using CompressOnBuild.Numerics;
using CompressOnBuild.Techniques.LowRank;

namespace CompressOnBuild.Engine.Tests.Techniques.LowRank;

[TestClass]
public class InputProjectionTests
{
    private const int N = 10, C = 8, Taps = 3, K = C * Taps;

    [TestMethod]
    public void WhatItSaysIsLostIsWhatTheFactorsLose()
    {
        var (w, gram) = (WhitenedSvdTests.Random(N * K, 1), CholeskyTests.PositiveDefinite(K));
        var h = WhitenedSvdTests.Damped(gram, K);
        var projection = InputProjection.Create(w, N, K, C, k => (k / Taps, k % Taps), gram, 0.01)!;
        Assert.AreEqual(C, projection.MostRank);
        Assert.AreEqual(2 * Taps, InputProjection.Create(w[..(2 * K)], 2, K, C, k => (k / Taps, k % Taps), gram, 0.01)!.MostRank, "two outputs see six mixtures of the channels");
        var before = double.PositiveInfinity;
        for (var rank = 1; rank <= C; rank++)
        {
            var made = projection.Project(rank, 1e-9)!;
            var product = new double[N * K];
            for (var n = 0; n < N; n++)
                for (var k = 0; k < K; k++)
                    for (var r = 0; r < rank; r++) product[n * K + k] += made.Second[n * rank * Taps + r * Taps + k % Taps] * made.First[r * C + k / Taps];
            Assert.AreEqual(WhitenedSvdTests.Loss(w, product, h, N, K), made.Loss, 1e-6);
            Assert.IsLessThanOrEqualTo(before + 1e-9, made.Loss);
            before = made.Loss;

            // The second factor's outputs cut, too: the losses add.
            var outputs = projection.FactorOutputs(made)!;
            var cut = WhitenedSvdTests.Product(outputs, N, rank * Taps, 2);
            var both = new double[N * K];
            for (var n = 0; n < N; n++)
                for (var k = 0; k < K; k++)
                    for (var r = 0; r < rank; r++) both[n * K + k] += cut[n * rank * Taps + r * Taps + k % Taps] * made.First[r * C + k / Taps];
            Assert.AreEqual(WhitenedSvdTests.Loss(w, both, h, N, K), made.Loss + outputs.Loss(2), 1e-5 * WhitenedSvdTests.Loss(w, new double[N * K], h, N, K));
        }
        Assert.AreEqual(0, before, 1e-6, "all channels lose nothing");
    }

    /// <summary>The second factor is the ridge solution for what the first one lets through, so no other second factor is better; one from the weights alone is not.</summary>
    [TestMethod]
    public void IsNeverWorseThanTuckerOfTheWeightAlone()
    {
        var (w, gram) = (WhitenedSvdTests.Random(N * K, 2), CholeskyTests.PositiveDefinite(K));
        var h = WhitenedSvdTests.Damped(gram, K);
        var aware = InputProjection.Create(w, N, K, C, k => (k / Taps, k % Taps), gram, 0.01)!;
        var plain = InputProjection.Create(w, N, K, C, k => (k / Taps, k % Taps), null, 0.01)!;
        for (var rank = 2; rank < C; rank++)
        {
            var made = plain.Project(rank, 1e-9)!;
            var product = new double[N * K];
            for (var n = 0; n < N; n++)
                for (var k = 0; k < K; k++)
                    for (var r = 0; r < rank; r++) product[n * K + k] += made.Second[n * rank * Taps + r * Taps + k % Taps] * made.First[r * C + k / Taps];
            Assert.IsLessThanOrEqualTo(WhitenedSvdTests.Loss(w, product, h, N, K), aware.Project(rank, 1e-9)!.Loss);
        }
    }

    /// <summary>Hoerl and Kennard 1970: X (G + l I) = C, checked by multiplying out.</summary>
    [TestMethod]
    public void TheRidgeSolutionSolvesItsEquation()
    {
        const int n = 3, m = 7;
        var (cross, gram) = (WhitenedSvdTests.Random(n * m, 3), CholeskyTests.PositiveDefinite(m));
        var x = Ridge.Solve(cross, gram, n, m, 0.02)!;
        var l = 0.02 * Enumerable.Range(0, m).Sum(i => gram[i * m + i]) / m;
        for (var r = 0; r < n; r++)
            for (var j = 0; j < m; j++)
            {
                var sum = x[r * m + j] * l;
                for (var i = 0; i < m; i++) sum += x[r * m + i] * gram[i * m + j];
                Assert.AreEqual(cross[r * m + j], sum, 1e-9);
            }
    }
}
