namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>The mean in a fixed order of addition.</summary>
internal static class Mean
{
    /// <summary>Of the first number of each contribution.</summary>
    public static double Of(ReadOnlySpan<double[]> contributions)
    {
        double sum = 0;
        foreach (var c in contributions) sum += c[0];
        return sum / contributions.Length;
    }
}
