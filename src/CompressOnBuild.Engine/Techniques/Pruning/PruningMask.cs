using CompressOnBuild.Techniques.Quantization;

namespace CompressOnBuild.Techniques.Pruning;

/// <summary>
/// Which weights become zero.
/// Symbols: w a row of K weights, x_j the inputs of weight j over calibration, p the wanted share of zeros.
/// Magnitude (Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks", section 3): the share p of the whole weight
/// with the smallest |w|.
/// Wanda (Sun et al. 2023, "A Simple and Effective Pruning Approach for Large Language Models", section 3): the share p of each row with the
/// smallest |w_j| * ||x_j||_2, ||x_j||_2 the root of the diagonal of the Gram matrix; nothing is made up for.
/// SparseGPT chooses while it goes on: see <see cref="ErrorFeedback"/>, step 8.
/// N:M (both papers): of each M neighbours along K, N are zero; what is left over at the end of a row stays.
/// Ties: the later weight is kept.
/// </summary>
internal static class PruningMask
{
    /// <summary>True for the weights that stay.</summary>
    /// <param name="weights">[rows, K], row-major.</param>
    /// <param name="rows">Rows, divided into groups of equal size.</param>
    /// <param name="pruning">Magnitude or Wanda.</param>
    /// <param name="groups">H of each group, for Wanda; null: all inputs are equally loud.</param>
    public static bool[] Of(ReadOnlySpan<float> weights, int rows, PruningTarget pruning, IReadOnlyList<ErrorFeedback.Feedback?>? groups)
    {
        var k = weights.Length / rows;
        var scores = new double[weights.Length];
        for (var i = 0; i < scores.Length; i++)
        {
            scores[i] = Math.Abs((double)weights[i]);
            if (pruning.Method == PruningMethod.Wanda && groups?[i / k / (rows / groups.Count)] is { } seen) scores[i] *= Math.Sqrt(seen.H[i % k * k + i % k]);
        }
        var keep = new bool[weights.Length];
        Array.Fill(keep, true);
        if (pruning is { Zeros: 0, Method: PruningMethod.Magnitude }) Drop(scores, keep, 0, scores.Length, (int)Math.Round(pruning.Share * scores.Length));
        else
            for (var r = 0; r < rows; r++)
                foreach (var (start, count, zeros) in pruning.Runs(k, k)) Drop(scores, keep, r * k + start, count, zeros);
        return keep;
    }

    /// <summary>Takes out the <paramref name="zeros"/> smallest of <paramref name="count"/> scores from <paramref name="start"/> on.</summary>
    public static void Drop(ReadOnlySpan<double> scores, Span<bool> keep, int start, int count, int zeros)
    {
        if (zeros <= 0) return;
        var order = Enumerable.Range(0, count).ToArray();
        var keys = scores.Slice(start, count).ToArray();
        // Equal scores in their order: sorting alone would leave that to chance.
        Array.Sort(keys, order);
        for (int i = 0, run; i < count; i += run)
        {
            run = 1;
            while (i + run < count && keys[i + run] == keys[i]) run++;
            Array.Sort(order, i, run);
        }
        for (var i = 0; i < Math.Min(zeros, count); i++) keep[start + order[i]] = false;
    }
}
