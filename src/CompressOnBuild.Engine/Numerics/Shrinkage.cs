namespace CompressOnBuild.Numerics;

/// <summary>
/// How far products of two inputs are believed when few rows showed them (Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional
/// covariance matrices": towards the diagonal). What a hundred rows have in common by chance would let a thousand inputs make up for each other.
/// </summary>
internal static class Shrinkage
{
    /// <summary>The factor of everything off the diagonal: 1 / (1 + q^2) with q = <paramref name="inputs"/> / <paramref name="rows"/>; 0 without rows.</summary>
    public static double Believed(int inputs, double rows)
    {
        if (!(rows > 0)) return 0;
        var ratio = inputs / rows;
        return 1 / (1 + ratio * ratio);
    }
}
