using CompressOnBuild.Engine.Tests.Numerics;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Techniques.Sharing;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Techniques.Sharing;

[TestClass]
public class SharedPaletteTests
{
    private const int Rows = 12, K = 24;

    private static readonly double[] Gram = CholeskyTests.PositiveDefinite(K);
    private static readonly IReadOnlyList<ErrorFeedback.Feedback?> Seen = ErrorFeedback.Feedback.Of([Gram], K);

    [TestMethod]
    public void ScalesAndEntriesAgreeWithALiteralTranscription()
    {
        // Without calibration: steps 1 to 3, k-means by Lloyd's own rounds from the exact centres, all in plain loops.
        var w = Weights(1);
        var found = SharedPalette.Fit(w, Rows, 3, groups: null);
        double[] s = [.. Enumerable.Range(0, Rows).Select(r => Math.Sqrt(Enumerable.Range(0, K).Sum(j => Math.Pow(w[r * K + j], 2)) / K))];
        var (least, palette, scales) = (double.PositiveInfinity, Array.Empty<double>(), s);
        for (var round = 0; round <= 4; round++)
        {
            double[] x = [.. w.Select((v, i) => v / s[i / K])], c = [.. w.Select((_, i) => s[i / K] * s[i / K])];
            var p = KMeansOf(x, c);
            double[] a = [.. x.Select(v => p.MinBy(e => Math.Abs(e - v)))];
            var error = w.Select((v, i) => Math.Pow(v - s[i / K] * a[i], 2)).Sum();
            if (error < least) (least, palette, scales) = (error, p, s);
            s = [.. Enumerable.Range(0, Rows).Select(r => Enumerable.Range(0, K).Sum(j => w[r * K + j] * a[r * K + j]) / Enumerable.Range(0, K).Sum(j => a[r * K + j] * a[r * K + j]))];
        }
        Assert.AreEqual(least, Squared(w, found.Decompress()), 1e-4 * least);
        for (var i = 0; i < palette.Length; i++) Assert.AreEqual(palette[i], found.Palette[i], 1e-4);
        for (var r = 0; r < Rows; r++) Assert.AreEqual(scales[r], found.Scales[r], 1e-4);
    }

    [TestMethod]
    [DataRow(2), DataRow(3), DataRow(4)]
    public void IsCloserThanIntegersOfTheSameWidth(int bits)
    {
        double integers = 0, palette = 0;
        for (var seed = 0; seed < 5; seed++)
        {
            var w = Weights(seed);
            integers += ErrorFeedback.Error(w, ErrorFeedback.Quantize(w, RoundToNearest.Quantize(w, [Rows, K], [0], bits), [Gram]).Decompress(), Rows, Seen);
            palette += ErrorFeedback.Error(w, SharedPalette.Fit(w, Rows, bits, Seen).Decompress(), Rows, Seen);
        }
        Assert.IsLessThan(0.9 * integers, palette);
    }

    [TestMethod]
    public void WhatCalibrationShowsMakesTheProductsCloser()
    {
        var w = Weights(3);
        double Error(PaletteRows p) => ErrorFeedback.Error(w, p.Decompress(), Rows, Seen);
        var blind = Error(SharedPalette.Fit(w, Rows, 3, groups: null));
        Assert.IsLessThan(0.7 * blind, Error(SharedPalette.Fit(w, Rows, 3, Seen)));
    }

    [TestMethod]
    public void EightBitsOfAWeightWithFewValuesLoseNothing()
    {
        var w = Weights(4).Select(v => MathF.Round(v * 4) / 4).ToArray();
        for (var r = 0; r < Rows; r++) for (var j = 0; j < K; j++) w[r * K + j] = w[j];
        CollectionAssert.AreEqual(w, SharedPalette.Fit(w, Rows, 8, groups: null).Decompress().Select(v => MathF.Round(v * 4) / 4).ToArray());
        Assert.IsLessThan(1e-10, Squared(w, SharedPalette.Fit(w, Rows, 8, groups: null).Decompress()));
    }

    [TestMethod]
    public void TheNumberOfThreadsChangesNoBit()
    {
        var w = Weights(5);
        PaletteRows one = SharedPalette.Fit(w, Rows, 3, Seen, parallel: new ParallelOptions { MaxDegreeOfParallelism = 1 }), many = SharedPalette.Fit(w, Rows, 3, Seen, parallel: new ParallelOptions { MaxDegreeOfParallelism = 4 });
        CollectionAssert.AreEqual(one.Palette, many.Palette);
        CollectionAssert.AreEqual(one.Indices, many.Indices);
        CollectionAssert.AreEqual(one.Scales, many.Scales);
    }

    [TestMethod]
    public void RowsOfZerosStayZero()
    {
        var w = Weights(6);
        w.AsSpan(0, K).Clear();
        Assert.IsTrue(SharedPalette.Fit(w, Rows, 4, Seen).Decompress().All(float.IsFinite));
        Assert.IsTrue(SharedPalette.Fit(new float[Rows * K], Rows, 4, Seen).Decompress().All(v => v == 0));
    }

    // Bell-shaped weights of rows of different sizes: a third power has the long tails of real ones.
    private static float[] Weights(int seed) => [.. ModelBuilder.Random(seed, 1, Rows, K).ToFloats().Select((v, i) => v * v * v * (1 + i / K))];

    private static double Squared(float[] a, float[] b) => a.Zip(b, (x, y) => Math.Pow(x - y, 2)).Sum();

    // Dynamic programming over all borders, as the textbook has it.
    private static double[] KMeansOf(double[] x, double[] c)
    {
        const int Clusters = 8;
        (double X, double C)[] sorted = [.. x.Zip(c).OrderBy(p => p.First)];
        var n = sorted.Length;
        double Mean(int i, int j) => sorted[i..j].Sum(p => p.C * p.X) / sorted[i..j].Sum(p => p.C);
        var spread = new double[n + 1, n + 1];
        for (var i = 0; i < n; i++)
        {
            double w = 0, mean = 0, sum = 0;
            for (var j = i; j < n; j++) // Welford
            {
                var (v, weight) = sorted[j];
                w += weight;
                var before = v - mean;
                mean += weight / w * before;
                sum += weight * before * (v - mean);
                spread[i, j + 1] = sum;
            }
        }
        var cost = new double[Clusters + 1, n + 1];
        var from = new int[Clusters + 1, n + 1];
        for (var j = 1; j <= n; j++) cost[0, j] = double.PositiveInfinity;
        for (var m = 1; m <= Clusters; m++)
            for (var j = 1; j <= n; j++)
            {
                cost[m, j] = double.PositiveInfinity;
                for (var i = 0; i < j; i++)
                    if (cost[m - 1, i] + spread[i, j] < cost[m, j]) (cost[m, j], from[m, j]) = (cost[m - 1, i] + spread[i, j], i);
            }
        var result = new double[Clusters];
        for (int m = Clusters, j = n; m > 0; j = from[m, j], m--) result[m - 1] = Mean(from[m, j], j);
        return result;
    }
}
