namespace CompressOnBuild.Numerics;

/// <summary>
/// Weighted k-means of numbers, exactly (Grønlund et al. 2017, "Fast Exact k-Means, k-Medians and Bregman Divergence Clustering in 1D",
/// sections 2 and 3: dynamic programming, divide and conquer).
/// Symbols: x_1 &lt;= ... &lt;= x_n with weights c, CC(i, j) the least weighted sum of squares of x_i..x_j around one centre (their mean),
/// D[m][j] the least cost of the first j numbers in m clusters.
/// 1. Running sums of c, c x and c x^2 give CC(i, j) in constant time.
/// 2. D[m][j] = min over i of D[m-1][i-1] + CC(i, j); the best i never falls as j grows, so the middle j splits both ranges: O(k n log n).
/// 3. The borders are followed back; each centre is its cluster's mean.
/// Departures: sums are taken about the weighted mean, so that squares of far numbers cancel less. More than <see cref="MostPoints"/> numbers
/// are first put in as many bins of equal width, each standing for its numbers by its weighted mean; then no number is further from its
/// stand-in than a bin is wide.
/// </summary>
internal static class KMeans
{
    /// <summary>Numbers that are clustered exactly.</summary>
    public const int MostPoints = 4096;

    /// <summary>The centres, ascending; fewer than <paramref name="k"/> where there are fewer different numbers.</summary>
    /// <param name="values">The numbers, in any order; all finite.</param>
    /// <param name="weights">Not negative; one for each number.</param>
    /// <param name="k">Number of centres, from 1.</param>
    public static double[] Fit(ReadOnlySpan<double> values, ReadOnlySpan<double> weights, int k)
    {
        var (x, c) = Points(values, weights);
        if (x.Length <= k) return x;
        double total = 0, mean = 0;
        for (var i = 0; i < x.Length; i++) { total += c[i]; mean += c[i] * x[i]; }
        mean /= total;

        // Step 1: s0[j] is the sum over the first j numbers.
        var n = x.Length;
        double[] s0 = new double[n + 1], s1 = new double[n + 1], s2 = new double[n + 1];
        for (var i = 0; i < n; i++)
        {
            var d = x[i] - mean;
            (s0[i + 1], s1[i + 1], s2[i + 1]) = (s0[i] + c[i], s1[i] + c[i] * d, s2[i] + c[i] * d * d);
        }
        double Cost(int first, int end)
        {
            double w = s0[end] - s0[first], s = s1[end] - s1[first];
            return w > 0 ? Math.Max(0, s2[end] - s2[first] - s * s / w) : 0;
        }

        // Step 2: from[m][j] is where the last of m clusters of the first j numbers begins.
        var from = new int[k + 1][];
        var cost = new double[n + 1];
        for (var j = 1; j <= n; j++) cost[j] = Cost(0, j);
        from[1] = new int[n + 1];
        for (var m = 2; m <= k; m++)
        {
            var (before, now, begins) = (cost, new double[n + 1], new int[n + 1]);
            Fill(m, n, m - 1, n - 1);
            (cost, from[m]) = (now, begins);

            void Fill(int low, int high, int least, int most)
            {
                if (low > high) return;
                var j = (low + high) / 2;
                var (best, at) = (double.PositiveInfinity, least);
                for (var i = least; i <= Math.Min(most, j - 1); i++)
                {
                    var sum = before[i] + Cost(i, j);
                    if (sum < best) (best, at) = (sum, i);
                }
                (now[j], begins[j]) = (best, at);
                Fill(low, j - 1, least, at);
                Fill(j + 1, high, at, most);
            }
        }

        // Step 3.
        var centres = new double[k];
        for (int m = k, end = n; m >= 1; m--)
        {
            var first = from[m][end];
            var w = s0[end] - s0[first];
            centres[m - 1] = w > 0 ? mean + (s1[end] - s1[first]) / w : x[first];
            end = first;
        }
        return centres;
    }

    // Different numbers in order, or bins of them; those without weight say nothing.
    private static (double[] X, double[] C) Points(ReadOnlySpan<double> values, ReadOnlySpan<double> weights)
    {
        double low = double.PositiveInfinity, high = double.NegativeInfinity, sum = 0;
        for (var i = 0; i < values.Length; i++)
        {
            low = Math.Min(low, values[i]);
            high = Math.Max(high, values[i]);
            sum += weights[i];
        }
        if (values.Length <= MostPoints)
        {
            var order = values.ToArray();
            double[] c = sum > 0 ? weights.ToArray() : [.. order.Select(_ => 1.0)];
            Array.Sort(order, c);
            return Merged(order, c);
        }
        var (s0, s1) = (new double[MostPoints], new double[MostPoints]);
        var scale = high > low ? (MostPoints - 1) / (high - low) : 0;
        for (var i = 0; i < values.Length; i++)
        {
            var bin = (int)((values[i] - low) * scale);
            var weight = sum > 0 ? weights[i] : 1;
            s0[bin] += weight;
            s1[bin] += weight * values[i];
        }
        int[] full = [.. Enumerable.Range(0, MostPoints).Where(b => s0[b] > 0)];
        return ([.. full.Select(b => s1[b] / s0[b])], [.. full.Select(b => s0[b])]);
    }

    private static (double[] X, double[] C) Merged(double[] x, double[] c)
    {
        var (values, weights) = (new List<double>(), new List<double>());
        for (var i = 0; i < x.Length; i++)
        {
            if (!(c[i] > 0)) continue;
            if (values.Count > 0 && values[^1] == x[i]) weights[^1] += c[i];
            else { values.Add(x[i]); weights.Add(c[i]); }
        }
        return ([.. values], [.. weights]);
    }
}
