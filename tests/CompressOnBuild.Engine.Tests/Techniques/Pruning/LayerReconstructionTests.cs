using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Engine.Tests.Techniques.Pruning;

[TestClass]
public class LayerReconstructionTests
{
    private const int N = 3, K = 4;

    /// <summary>
    /// He et al. 2017, section 3.2, word by word: min |Y - W' X|^2 with X of the pruned and Y of the original network, here with d m |W' - W|^2, by gradient descent on the
    /// samples themselves; and the d whose solution of one half has the least error on the other, counted on the samples.
    /// </summary>
    [TestMethod]
    [DataRow(0.02, 40), DataRow(0.5, 12), DataRow(2, 8)]
    public void EqualsTheDefinitionOnTheSamples(double noise, int samples)
    {
        var random = new Random(3);
        double Draw() => 2 * random.NextDouble() - 1;
        double[] Drawn(int count, double scale = 1) => [.. Enumerable.Range(0, count).Select(_ => scale * Draw())];
        var (w, truth) = (Drawn(N * K), Drawn(N * K));
        for (var i = 0; i < truth.Length; i++) truth[i] = w[i] + 0.3 * truth[i];
        var x = Enumerable.Range(0, samples).Select(_ => Drawn(K)).ToArray();
        var y = x.Select(row => Enumerable.Range(0, N).Select(o => Enumerable.Range(0, K).Sum(k => truth[o * K + k] * row[k]) + noise * Draw()).ToArray()).ToArray();
        int[] first = [.. Enumerable.Range(0, samples / 2)], second = [.. Enumerable.Range(samples / 2, samples - samples / 2)];

        double Error(double[] of, int[] on) => on.Sum(s => Enumerable.Range(0, N).Sum(o => Math.Pow(y[s][o] - Enumerable.Range(0, K).Sum(k => of[o * K + k] * x[s][k]), 2)));
        double[] Descend(int[] on, double damp)
        {
            var mean = on.Sum(s => x[s].Sum(v => v * v)) / K;
            var solved = (double[])w.Clone();
            for (var step = 0; step < 2_000; step++)
                for (var o = 0; o < N; o++)
                    for (var k = 0; k < K; k++)
                    {
                        // Each element alone to its minimum.
                        var slope = on.Sum(s => (Enumerable.Range(0, K).Sum(j => solved[o * K + j] * x[s][j]) - y[s][o]) * x[s][k]) + damp * mean * (solved[o * K + k] - w[o * K + k]);
                        var curve = on.Sum(s => x[s][k] * x[s][k]) + damp * mean;
                        solved[o * K + k] -= slope / curve;
                    }
            return solved;
        }
        var (best, least) = (0.0, Error(w, second));
        foreach (var damp in new[] { 0.001, 0.01, 0.1, 1 })
            if (Error(Descend(first, damp), second) is var error && error < least) (best, least) = (damp, error);

        var made = LayerReconstruction.Solve(w, N, Moments(first), Moments(second), Moments([.. first, .. second]));
        if (best == 0) { Assert.IsNull(made); return; }
        var expected = Descend([.. first, .. second], best);
        for (var i = 0; i < expected.Length; i++) Assert.AreEqual(expected[i], made![i], 1e-6);

        ReconstructionMoments Moments(int[] of)
        {
            var (gram, cross) = (new double[K * K], new double[N * K]);
            foreach (var s in of)
                for (var k = 0; k < K; k++)
                {
                    for (var j = 0; j < K; j++) gram[k * K + j] += x[s][k] * x[s][j];
                    for (var o = 0; o < N; o++) cross[o * K + k] += y[s][o] * x[s][k];
                }
            return new ReconstructionMoments(gram, cross);
        }
    }

    [TestMethod]
    public void WhatHelpsOnlyTheSamplesThatSolvedIsLeftOut()
    {
        double[] w = [1, 2], gram = [1, 0, 0, 1];
        // One half wants more of the first input, the other less.
        Assert.IsNull(LayerReconstruction.Solve(w, 1, new(gram, [2, 2]), new(gram, [0, 2]), new([2, 0, 0, 2], [2, 4])));
        Assert.IsNotNull(LayerReconstruction.Solve(w, 1, new(gram, [2, 2]), new(gram, [2, 2]), new([2, 0, 0, 2], [4, 4])));
        Assert.IsNull(LayerReconstruction.Solve(w, 1, new([0, 0, 0, 0], [0, 0]), new([0, 0, 0, 0], [0, 0]), new([0, 0, 0, 0], [0, 0])));
    }
}
