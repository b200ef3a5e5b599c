using System.Globalization;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>The accuracy on x64 processors without VNNI, as the reports say it.</summary>
internal static class Avx2Text
{
    /// <summary>What the line is called.</summary>
    public const string Label = "Accuracy on AVX2 machines";

    /// <summary>The value of the primary metric there, with how it is known.</summary>
    public static string Sentence(Avx2Accuracy avx2) => avx2.Basis switch
    {
        Avx2Basis.Exact => $"the same. No pair of products of the {avx2.Products} integer weights can leave 16 bits: they are exact on every x64 processor, with VNNI or without",
        Avx2Basis.Measured => $"as measured: this machine is one. Products of {avx2.Weights.Count} weights can saturate in 16 bits",
        Avx2Basis.Emulated => $"{string.Join(", ", avx2.Metrics.Select(Metric))} on {Figures.Count(avx2.Metrics[0].Samples)} samples, computed as x64 processors without VNNI do. {Saturated(avx2)}{Rest(avx2)}",
        _ => $"not known, see {Codes.Avx2AccuracyUnknown}",
    };

    /// <summary>For the summary line: <c>AVX2 70.1 %</c>; null where nothing else than the measured figures is known.</summary>
    public static string? Short(Avx2Accuracy? avx2) => avx2 is { Basis: Avx2Basis.Emulated, Metrics: [var primary, ..] } ? $"AVX2 {MetricText.Value(primary.Name, primary.Compressed)}" : null;

    /// <summary>The metrics whose limit is not kept there.</summary>
    public static IEnumerable<string> Failed(Avx2Accuracy? avx2) =>
        avx2 is { Basis: Avx2Basis.Emulated } ? avx2.Metrics.Where(m => m.Verdict == Verdict.Fail).Select(m => m.Name) : [];

    private static string Metric(MetricResult metric) => double.IsFinite(metric.Original)
        ? $"{metric.Name} {MetricText.Value(metric.Name, metric.Compressed)} ({MetricText.Change(metric.Name, metric.Drop)}{(metric.Confidence is { } interval ? $", 95 % interval {MetricText.Interval(metric.Name, interval)}" : "")})"
        : $"{metric.Name} {MetricText.Value(metric.Name, metric.Compressed)}";

    private static string Saturated(Avx2Accuracy avx2)
    {
        long counted = avx2.Weights.Sum(w => w.Counted), saturated = avx2.Weights.Sum(w => w.Saturated);
        return $"{Figures.Count(saturated)} of {Figures.Count(counted)} pairs of products of {avx2.Weights.Count(w => w.Counted > 0)} weights saturate on {Figures.Count(avx2.CountedSamples)} calibration samples ({Share(saturated, counted)})";
    }

    private static string Rest(Avx2Accuracy avx2) => avx2.Weights.Count(w => w.NotEmulated is not null) is > 0 and var rest ? $"; {rest} more cannot be computed, see {Codes.Avx2AccuracyUnknown}" : "";

    /// <summary>A share with three decimals of a percent.</summary>
    public static string Share(long part, long whole) => whole > 0 ? (100.0 * part / whole).ToString("0.###", CultureInfo.InvariantCulture) + " %" : "–";
}
