namespace CompressOnBuild.Numerics;

/// <summary>
/// Confidence interval of the difference of two shares measured on the same n samples (M. P. Fay and K. Lumbard 2021, "Confidence intervals
/// for difference in proportions for matched pairs compatible with exact McNemar's or sign tests", Statistics in Medicine 40, 1147-1159).
/// <para>b samples went from right to wrong, c from wrong to right, m = b + c. The difference is δ = ψ (2θ - 1) with ψ the probability that
/// a sample changes and θ that a change is one to the worse. Clopper and Pearson's exact bounds of m of n and of b of m give each of both a lower
/// and an upper confidence distribution, which are beta distributions; the bound of δ is the quantile of δ where ψ and θ are drawn from those that
/// push δ outwards:
/// 1. upper: θ ~ Beta(b + 1, c); ψ ~ Beta(m + 1, n - m) where 2θ - 1 &gt; 0, Beta(m, n - m + 1) where it is not.
/// 2. lower: the upper one of c and b, with the other sign.</para>
/// <para>With no change to the better it is Clopper and Pearson's, so never narrower than chance allows however few samples change: where none
/// does, the upper bound is 1 - 0.025^(1/n), 1 % at 368 samples. Wald's interval and its adjustments (Agresti and Min 2005) are far too narrow there:
/// at n = 200 and no change they exclude a drop of 1 %, which leaves no trace in one of seven such data sets.</para>
/// Departure: the integral over θ is a sum over <see cref="Cells"/> cells of equal width, each with its exact probability.
/// </summary>
internal static class MatchedShares
{
    private const double Tail = 0.025;
    private const int Cells = 400;

    /// <summary>The 95 % interval of (<paramref name="worse"/> - <paramref name="better"/>) / <paramref name="samples"/>; counts need not be whole.</summary>
    public static Interval Difference(double worse, double better, double samples) => new(-Upper(better, worse, samples), Upper(worse, better, samples));

    /// <summary>The upper end where <paramref name="changes"/> samples changed, of which <paramref name="lost"/> more went to the worse than to the better.</summary>
    public static double High(double changes, double lost, double samples) => Upper((changes + lost) / 2, (changes - lost) / 2, samples);

    private static double Upper(double b, double c, double n)
    {
        var m = b + c;
        if (m >= n && c == 0) return 1;
        if (c == 0) return BetaDistribution.Quantile(1 - Tail, m + 1, n - m);
        var cells = Probabilities(b + 1, c);
        double low = -1, high = 1;
        for (var i = 0; i < 50 && high - low > 1e-10; i++)
        {
            var middle = (low + high) / 2;
            if (AtMost(middle) < 1 - Tail) low = middle;
            else high = middle;
        }
        return (low + high) / 2;

        double AtMost(double d)
        {
            double sum = 0;
            foreach (var (theta, probability) in cells)
            {
                var lean = 2 * theta - 1;
                sum += probability * (lean > 0 ? d <= 0 ? 0 : m >= n ? lean <= d ? 1 : 0 : BetaDistribution.Cumulative(d / lean, m + 1, n - m)
                    : d >= 0 ? 1 : 1 - BetaDistribution.Cumulative(d / lean, m, n - m + 1));
            }
            return sum;
        }
    }

    // Beta(a, b) in cells between the points outside of which next to nothing lies.
    private static List<(double Theta, double Probability)> Probabilities(double a, double b)
    {
        const double Outside = 1e-7;
        double from = BetaDistribution.Quantile(Outside, a, b), to = BetaDistribution.Quantile(1 - Outside, a, b), before = 0;
        var cells = new List<(double, double)>(Cells);
        for (var i = 0; i < Cells; i++)
        {
            var end = from + (to - from) * (i + 1) / Cells;
            var until = i == Cells - 1 ? 1 : BetaDistribution.Cumulative(end, a, b);
            cells.Add((end - (to - from) / Cells / 2, until - before));
            before = until;
        }
        return cells;
    }
}
