using System.Globalization;

namespace CompressOnBuild.Reporting;

/// <summary>
/// How a metric is spelled. Share-like metrics are in percent and their changes in points; others keep their own unit.
/// A <em>change</em> is compressed minus original, so a loss of accuracy is negative and a gain of errors positive.
/// </summary>
internal static class MetricText
{
    private static readonly string[] Shares = ["top1", "top5", "f1", "agreement", "exact", "cer", "wer", "miou", "map"];
    private static readonly string[] LowerIsBetter = ["cer", "wer", "mae", "rmse", "perplexity", "kl"];

    public static bool HigherIsBetter(string metric) => !LowerIsBetter.Contains(metric);

    /// <summary><c>82.8 %</c>, <c>31.4 dB</c>, <c>0.9987</c>; <c>∞</c> for the SQNR of an equal output, a dash for what has no value.</summary>
    public static string Value(string metric, double value) =>
        double.IsPositiveInfinity(value) ? "∞" : !double.IsFinite(value) ? "–" : Scaled(metric, value) + Unit(metric, " %");

    /// <summary>The change with sign and unit: <c>-0.3 pt</c>.</summary>
    public static string Change(string metric, double drop) => double.IsFinite(drop) ? Signed(metric, Direct(metric, drop)) + Unit(metric, " pt") : "–";

    /// <summary>The largest allowed change, with sign and without unit: <c>-1.0</c>.</summary>
    public static string Limit(string metric, double limit)
    {
        var text = Signed(metric, Direct(metric, limit));
        // One that is not zero must not read as zero.
        return limit == 0 || text.Any(c => c is >= '1' and <= '9') ? text
            : (Direct(metric, limit) * (Shares.Contains(metric) ? 100 : 1)).ToString("+0.0#######;-0.0#######", CultureInfo.InvariantCulture);
    }

    /// <summary>The interval of the change: <c>-0.9..0.3</c>.</summary>
    public static string Interval(string metric, Interval drop)
    {
        var (low, high) = HigherIsBetter(metric) ? (-drop.High, -drop.Low) : (drop.Low, drop.High);
        return $"{Bound(low)}..{Bound(high)}";
        string Bound(double value) => double.IsFinite(value) ? Scaled(metric, value) : value > 0 ? "∞" : "-∞";
    }

    /// <summary>The last digit that <see cref="Value"/> shows.</summary>
    public static double Step(string metric) => Shares.Contains(metric) ? 0.001 : metric == "sqnr" ? 0.1 : 0.0001;

    private static double Direct(string metric, double drop) => HigherIsBetter(metric) ? -drop : drop;

    private static string Signed(string metric, double change)
    {
        var text = Scaled(metric, change);
        return change > 0 && text.Any(c => c is >= '1' and <= '9') ? "+" + text : text;
    }

    private static string Scaled(string metric, double value)
    {
        var text = Shares.Contains(metric) ? (value * 100).ToString("0.0", CultureInfo.InvariantCulture)
            : metric == "sqnr" ? value.ToString("0.0", CultureInfo.InvariantCulture)
            : Math.Abs(value) < 100 ? value.ToString("0.0000", CultureInfo.InvariantCulture)
            : value.ToString("0.0", CultureInfo.InvariantCulture);
        // "-0.0" says nothing but confuses.
        return text.StartsWith('-') && !text.Any(c => c is >= '1' and <= '9') ? text[1..] : text;
    }

    private static string Unit(string metric, string share) => Shares.Contains(metric) ? share : metric == "sqnr" ? " dB" : "";
}
