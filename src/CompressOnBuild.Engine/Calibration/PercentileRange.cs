namespace CompressOnBuild.Calibration;

/// <summary>
/// The range that leaves out (100 - p)/2 percent of the elements at either end (McKinstry et al., "Discovering low-precision networks
/// close to full-precision networks", 2018, with both tails as ONNX Runtime's calibration cuts them). Inside a bin the elements are
/// taken as evenly spread.
/// </summary>
internal static class PercentileRange
{
    public static ActivationRange Of(Histogram histogram, float min, float max, double percentile)
    {
        var cut = histogram.Total * (1 - percentile / 100) / 2;
        return new ActivationRange(Math.Max(min, (float)Quantile(histogram, cut)), Math.Min(max, (float)Quantile(histogram, histogram.Total - cut)));
    }

    /// <summary>The value below which <paramref name="rank"/> elements lie.</summary>
    private static double Quantile(Histogram histogram, double rank)
    {
        double below = 0;
        for (var i = 0; i < histogram.Counts.Length; i++)
        {
            if (i == Histogram.BinsPerSide)
            {
                if (histogram.Zeros > 0 && below + histogram.Zeros >= rank) return 0;
                below += histogram.Zeros;
            }
            var count = histogram.Counts[i];
            if (count > 0 && below + count >= rank) return histogram.Edge(i) + histogram.Width * Math.Max(0, rank - below) / count;
            below += count;
        }
        return histogram.Edge(histogram.Counts.Length);
    }
}
