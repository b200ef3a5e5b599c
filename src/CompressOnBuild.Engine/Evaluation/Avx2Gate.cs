using System.Globalization;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// Holds the limits against the accuracy on x64 processors without VNNI, too: a model for any of them is as good as where it is worst.
/// </summary>
internal static class Avx2Gate
{
    private const int Named = 3;

    /// <summary>What helps wherever products saturate.</summary>
    public const string Remedy = "Quantize from the float model with TargetDevice=\"cpu\", whose weights cannot saturate, or say TargetDevice=\"cpu-vnni\" if every processor that will run the model has VNNI.";

    /// <summary>The verdict there, with what the log is told; pass where nothing is known that the measured figures do not say.</summary>
    public static (Verdict Verdict, IReadOnlyList<(string Code, string Text)> Errors, IReadOnlyList<(string Code, string Text)> Warnings) Judge(CompressionRequest request, Avx2Accuracy? avx2)
    {
        if (avx2 is not { Basis: Avx2Basis.Emulated, Metrics: [var primary, ..] }) return (Verdict.Pass, [], []);
        var remedy = $"{Saturation(avx2)}. {Remedy}";
        var limit = primary.Limit ?? Gate.DefaultMaxAccuracyDrop;
        var figures = $"on x64 processors without VNNI (AVX2) {primary.Name} is {N(primary.Compressed)}, the original's {N(primary.Original)} (drop {N(primary.Drop)}{(primary.Confidence is { } c ? $", 95 % interval {N(c.Low)}..{N(c.High)}" : "")}, limit {N(limit)}) on {primary.Samples} samples";
        var verdict = Gate.JudgeDrop(primary, limit);
        if (verdict == Verdict.Fail) return (verdict, [(Codes.Avx2AccuracyDropped, $"{figures}: {remedy}")], []);
        foreach (var metric in avx2.Metrics)
        {
            if (metric is { Limit: not null, Passed: false } && metric != primary)
                return (Verdict.Fail, [(Codes.Avx2AccuracyDropped, $"on x64 processors without VNNI (AVX2) {metric.Name} is {N(metric.Compressed)}, at least {N(metric.Original - metric.Limit.Value)} is expected, on {metric.Samples} samples: {remedy}")], []);
            if (request.Require.FirstOrDefault(r => r.Metric == metric.Name && !(r.AtLeast ? metric.Compressed >= r.Value : metric.Compressed <= r.Value)) is { } missed)
                return (Verdict.Fail, [(Codes.Avx2AccuracyDropped, $"on x64 processors without VNNI (AVX2) {metric.Name} is {N(metric.Compressed)}, required is at {(missed.AtLeast ? "least" : "most")} {N(missed.Value)}, on {metric.Samples} samples: {remedy}")], []);
        }
        if (verdict == Verdict.Pass) return (verdict, [], []);
        (string, string) open = (Codes.Avx2AccuracyUndecided, $"{figures}, too few to be sure: {remedy}");
        return request.Strict ? (Verdict.Fail, [open], []) : (verdict, [], [open]);
    }

    /// <summary>How much saturates, and where most.</summary>
    public static string Saturation(Avx2Accuracy avx2)
    {
        var hit = avx2.Weights.Where(w => w.Saturated > 0).ToList();
        var worst = string.Join(", ", hit.Take(Named).Select(w => $"'{w.Name}' ({P(w.Share)})"));
        return hit.Count == 0 ? $"no product of the {avx2.Weights.Count} weights that can saturate does so on {avx2.CountedSamples} calibration samples"
            : $"{avx2.Weights.Sum(w => w.Saturated).ToString("N0", CultureInfo.InvariantCulture).Replace(',', ' ')} pairs of integer products of {hit.Count} weights saturate there on {avx2.CountedSamples} calibration samples ({P((double)avx2.Weights.Sum(w => w.Saturated) / avx2.Weights.Sum(w => w.Counted))}), most those of {worst}";
    }

    private static string P(double share) => (100 * share).ToString("0.###", CultureInfo.InvariantCulture) + " %";

    private static string N(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
