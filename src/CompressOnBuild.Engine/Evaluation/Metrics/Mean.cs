namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>The mean in a fixed order of addition.</summary>
internal static class Mean
{
    public static double Of(ReadOnlySpan<double> values)
    {
        double sum = 0;
        foreach (var value in values) sum += value;
        return sum / values.Length;
    }
}
