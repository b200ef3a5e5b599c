namespace CompressOnBuild.Techniques.Quantization;

/// <summary>The values that a weight over its scale may become, ascending.</summary>
internal sealed class RoundingGrid
{
    private readonly double[] values;
    private readonly double[] borders;
    private readonly int limit;

    private RoundingGrid(double[] values, int limit)
    {
        (this.values, this.limit) = (values, limit);
        borders = [.. Enumerable.Range(1, Math.Max(0, values.Length - 1)).Select(i => (values[i - 1] + values[i]) / 2)];
        Step = values.Length > 1 ? (values[^1] - values[0]) / (values.Length - 1) : values.Length;
    }

    /// <summary>Whole numbers from -<paramref name="limit"/> to <paramref name="limit"/>; halves go to the even one.</summary>
    public static RoundingGrid Integers(int limit) => new([.. Enumerable.Range(-limit, 2 * limit + 1).Select(i => (double)i)], limit);

    /// <summary>The entries of a palette, ascending.</summary>
    public static RoundingGrid Of(ReadOnlySpan<double> palette) => new(palette.ToArray(), 0);

    /// <summary>All numbers: nothing is rounded, and no scale is fitted.</summary>
    public static RoundingGrid Everything { get; } = new([], 0);

    /// <summary>What neighbours are apart, on the average; 0 where every number is its own.</summary>
    public double Step { get; }

    /// <summary>The nearest value.</summary>
    public double Nearest(double x) => limit > 0 ? Math.Clamp(Math.Round(x), -limit, limit) : values.Length == 0 ? x : values[Index(x)];

    /// <summary>The place of the nearest value; of two equally near ones the upper.</summary>
    public int Index(double x)
    {
        if (limit > 0) return (int)Nearest(x) + limit;
        int low = 0, high = borders.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (x >= borders[middle]) low = middle + 1; else high = middle;
        }
        return low;
    }
}
