using CompressOnBuild.Engine.Tests.Numerics;
using CompressOnBuild.Techniques.Pruning;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Techniques.Pruning;

[TestClass]
public class PruningTests
{
    private const int Rows = 6, K = 24;

    // Inputs that come together, some louder than others.
    private static readonly double[] Gram = [.. CholeskyTests.PositiveDefinite(K).Select((v, i) => v * (1 + i / K % 5) * (1 + i % K % 5))];
    private static readonly IReadOnlyList<ErrorFeedback.Feedback?> Seen = ErrorFeedback.Feedback.Of([Gram], K);

    [TestMethod]
    public void MagnitudeTakesTheSmallestOfTheWholeWeight()
    {
        float[] w = [3, -1, 2, 5, 1, -4, 0.5f, 6];
        CollectionAssert.AreEqual(new[] { true, false, true, true, false, true, false, true }, PruningMask.Of(w, 2, new(PruningMethod.Magnitude, 0.375), null));
        // Of equal ones the later stay.
        CollectionAssert.AreEqual(new[] { false, false, true, true }, PruningMask.Of([1f, 1, 1, 1], 1, new(PruningMethod.Magnitude, 0.5), null));
    }

    [TestMethod]
    public void WandaTakesTheSmallestProductsOfEachRow()
    {
        var w = Weights(1);
        var keep = PruningMask.Of(w, Rows, new(PruningMethod.Wanda, 0.5), Seen);
        for (var r = 0; r < Rows; r++)
        {
            double Score(int j) => Math.Abs(w[r * K + j]) * Math.Sqrt(Seen[0]!.H[j * K + j]);
            var expected = Enumerable.Range(0, K).OrderBy(Score).Take(K / 2).Order().ToArray();
            CollectionAssert.AreEqual(expected, Enumerable.Range(0, K).Where(j => !keep[r * K + j]).ToArray());
        }
    }

    [TestMethod]
    [DataRow("Magnitude"), DataRow("Wanda"), DataRow("SparseGpt")]
    public void APatternHasItsZerosInEveryGroupOfNeighbours(string name)
    {
        var method = Enum.Parse<PruningMethod>(name);
        var target = new PruningTarget(method, 0.5, 2, 4);
        var w = Weights(2);
        var zero = method == PruningMethod.SparseGpt ? [.. Pruned(w, target).Select(v => v == 0)] : PruningMask.Of(w, Rows, target, Seen).Select(k => !k).ToArray();
        for (var i = 0; i < zero.Length; i += 4) Assert.AreEqual(2, zero.Skip(i).Take(4).Count(z => z), $"from {i}");
    }

    [TestMethod]
    [DataRow(0.3, 0, 0), DataRow(0.5, 0, 0), DataRow(0.75, 0, 0), DataRow(0.5, 2, 4), DataRow(0.25, 1, 4)]
    public void SparseGptAgreesWithALiteralTranscription(double share, int zeros, int of)
    {
        var w = Weights(3);
        var found = Pruned(w, new PruningTarget(PruningMethod.SparseGpt, share, zeros, of));
        for (var r = 0; r < Rows; r++)
        {
            var row = w[(r * K)..((r + 1) * K)].Select(v => (double)v).ToArray();
            var expected = Literal(row, share, zeros, of);
            for (var j = 0; j < K; j++) Assert.AreEqual(expected[j], found[r * K + j], 1e-8, $"row {r}, column {j}");
        }
    }

    [TestMethod]
    public void RoundingAndPruningInOnePassIsCloserThanOneAfterTheOther()
    {
        double together = 0, apart = 0;
        for (var seed = 0; seed < 10; seed++)
        {
            var w = Weights(seed);
            var target = new PruningTarget(PruningMethod.SparseGpt, 0.5);
            var scales = RoundToNearest.Quantize(w, [Rows, K], [0], 3).Scales;
            var values = new double[w.Length];
            ErrorFeedback.Round(w, values, scales, RoundingGrid.Integers(3), Seen, zeros: new(target));
            Assert.IsGreaterThanOrEqualTo(w.Length / 2, values.Count(v => v == 0));
            together += Error(w, [.. values.Select((v, i) => (float)v * scales[i / K])]);
            // The weights that SparseGPT leaves, each rounded to the nearest.
            float[] left = [.. Pruned(w, target).Select(v => (float)v)];
            apart += Error(w, RoundToNearest.Quantize(left, [Rows, K], [0], 3).Decompress());
        }
        Assert.IsLessThan(apart, together);
    }

    [TestMethod]
    public void WhatIsMadeUpForLosesLessThanWhatIsOnlyChosen()
    {
        double magnitude = 0, wanda = 0, sparseGpt = 0;
        for (var seed = 0; seed < 10; seed++)
        {
            var w = Weights(seed);
            magnitude += Error(w, Masked(w, PruningMask.Of(w, Rows, new(PruningMethod.Magnitude, 0.5), Seen)));
            wanda += Error(w, Masked(w, PruningMask.Of(w, Rows, new(PruningMethod.Wanda, 0.5), Seen)));
            sparseGpt += Error(w, [.. Pruned(w, new(PruningMethod.SparseGpt, 0.5)).Select(v => (float)v)]);
        }
        Assert.IsLessThan(magnitude, wanda);
        Assert.IsLessThan(0.7 * wanda, sparseGpt);
    }

    private static float[] Weights(int seed) => ModelBuilder.Random(seed, 1, Rows, K).ToFloats();

    private static float[] Masked(float[] w, bool[] keep) => [.. w.Select((v, i) => keep[i] ? v : 0)];

    private static double Error(float[] w, float[] restored) => ErrorFeedback.Error(w, restored, Rows, Seen);

    private static double[] Pruned(float[] w, PruningTarget target)
    {
        var values = new double[w.Length];
        ErrorFeedback.Round(w, values, [.. Enumerable.Repeat(1f, Rows)], RoundingGrid.Everything, Seen, factors: [1f], zeros: new(target));
        return values;
    }

    // Algorithm 1 of the paper: the inverse itself, one row and column of it eliminated after each weight, and the mask of a block from what the
    // elimination of all before it would leave of the inverse's diagonal.
    private static double[] Literal(double[] row, double share, int zeros, int of)
    {
        var w = (double[])row.Clone();
        var inverse = CholeskyTests.Inverse(Seen[0]!.H);
        var diagonal = new double[K];
        var left = inverse;
        for (var q = 0; q < K; q++)
        {
            diagonal[q] = left[q, q];
            left = Eliminated(left, q);
        }
        var mask = new HashSet<int>();
        for (var q = 0; q < K; q++)
        {
            var size = of > 0 ? of : K;
            if (q % size == 0)
                foreach (var j in Enumerable.Range(q, size).OrderBy(j => w[j] * w[j] / diagonal[j]).Take(of > 0 ? zeros : (int)Math.Round(share * K))) mask.Add(j);
            var value = mask.Contains(q) ? 0 : w[q];
            var error = (w[q] - value) / inverse[q, q];
            for (var j = q; j < K; j++) w[j] -= error * inverse[q, j];
            w[q] = value;
            inverse = Eliminated(inverse, q);
        }
        return w;
    }

    private static double[,] Eliminated(double[,] inverse, int q)
    {
        var result = (double[,])inverse.Clone();
        for (var i = 0; i < K; i++)
            for (var j = 0; j < K; j++) result[i, j] -= inverse[i, q] * inverse[q, j] / inverse[q, q];
        return result;
    }
}
