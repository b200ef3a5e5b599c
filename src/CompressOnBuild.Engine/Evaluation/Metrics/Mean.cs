namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>Weighted means in a fixed order of addition.</summary>
internal static class Mean
{
    /// <summary>The mean of the contributions' first numbers.</summary>
    public static WeightedValue Of(IReadOnlyList<double[]> contributions) => weights =>
    {
        double sum = 0, total = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            sum += weights[i] * contributions[i][0];
            total += weights[i];
        }
        return sum / total;
    };

    /// <summary>The sums of the contributions' first two numbers, as what <paramref name="value"/> makes of them.</summary>
    public static WeightedValue OfSums(IReadOnlyList<double[]> contributions, Func<double, double, double> value) => weights =>
    {
        double first = 0, second = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            first += weights[i] * contributions[i][0];
            second += weights[i] * contributions[i][1];
        }
        return value(first, second);
    };
}
