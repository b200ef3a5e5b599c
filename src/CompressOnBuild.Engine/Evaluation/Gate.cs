using System.Globalization;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>What is judged: the gate split's metrics, the primary one first, the sizes and times of both models, and what was accepted before, where that is known.</summary>
internal sealed record GateInput(IReadOnlyList<MetricResult> Metrics, ModelFacts Original, ModelFacts Compressed, Latency? Latency, bool SmallerExpected, AcceptedResult? Accepted = null, Avx2Accuracy? Avx2 = null);

/// <summary>The verdict, its warnings, and every broken limit as an error.</summary>
internal sealed record GateResult(Verdict Verdict, IReadOnlyList<Diagnostic> Errors, IReadOnlyList<Diagnostic> Warnings);

/// <summary>
/// Judges. The accuracy limit is held against the 95 % interval of the drop, not against the point: pass when the whole interval is
/// within the limit, fail when the whole interval is beyond it, inconclusive in between. Where the samples give no interval (too few, or seen
/// before) no figure passes, and one beyond the limit fails. Everything else is judged by its figure.
/// </summary>
internal static class Gate
{
    /// <summary>The limit on the drop that applies when the item names none.</summary>
    public const double DefaultMaxAccuracyDrop = 0.01;

    public static GateResult Judge(CompressionRequest request, GateInput input)
    {
        var errors = new List<Diagnostic>();
        var warnings = new List<Diagnostic>();
        var verdict = input.Metrics.Count == 0 ? Verdict.Unmeasured : Verdict.Pass;

        if (input.Metrics.Count > 0)
        {
            var primary = input.Metrics[0];
            var limit = primary.Limit ?? DefaultMaxAccuracyDrop;
            verdict = JudgeDrop(primary, limit);
            if (verdict == Verdict.Fail)
                Error(Codes.AccuracyDropped, $"{primary.Name} {(primary.Compressed < primary.Original ? "fell" : "rose")} from {N(primary.Original)} to {N(primary.Compressed)} (drop {N(primary.Drop)}{Interval(primary)}, limit {N(limit)}) on {primary.Samples} samples that no search has seen. {(request.Recipe == "auto" ? "Give more calibration data" : "Use Recipe=\"auto\", which takes back what hurts, a recipe that compresses less (more bits, activations in floats), or more calibration data")}; raise MaxAccuracyDrop if the loss is acceptable.");
            else if (verdict == Verdict.Inconclusive)
            {
                var text = $"the drop of {primary.Name} is {N(primary.Drop)} ({Interval(primary).TrimStart(',', ' ')}{(primary.Confidence is null ? "" : ", ")}limit {N(limit)}) on {primary.Samples} samples: {Needed(primary, limit)}.{Agreement(input.Metrics)} {(limit <= 0 && primary.Drop <= limit ? "Allow a small drop (MaxAccuracyDrop=\"0.01\")" : "Give more evaluation data, or a limit further away from the drop")}.";
                if (request.Strict) Error(Codes.Undecided, text);
                else warnings.Add(new Diagnostic(Severity.Warning, Codes.Undecided, text, request.Model));
            }
        }
        if (input is { Accepted: { } accepted, Metrics: [var judged, ..] } && Regression.Judge(judged, accepted, request.MaxRegression ?? Regression.DefaultMaxRegression) is { } regressed)
            Error(Codes.Regressed, regressed);
        var (elsewhere, broken, open) = Avx2Gate.Judge(request, input.Avx2);
        foreach (var (code, text) in broken) Error(code, text);
        foreach (var (code, text) in open) warnings.Add(new Diagnostic(Severity.Warning, code, text, request.Model));
        if (elsewhere == Verdict.Inconclusive && verdict == Verdict.Pass) verdict = elsewhere;
        // Only the primary metric and outputs that none scores have a limit.
        foreach (var other in input.Metrics.Skip(1).Where(m => m is { Limit: not null, Passed: false }))
        {
            var (figure, output) = (other.Name[..other.Name.IndexOf(':')], other.Name[(other.Name.IndexOf(':') + 1)..]);
            Error(Codes.OtherOutputRuined, $"the output '{output}', which no metric scores, has {(figure == "cosine" ? "a mean cosine similarity" : "a share of equal elements")} of {N(other.Compressed)} to the original's on {other.Samples} samples, at least {N(other.Original - other.Limit!.Value)} is expected. Use Recipe=\"auto\" or one that compresses less, or name the output that matters in evaluation.json: {{ \"output\": \"<name>\" }}.");
        }
        foreach (var requirement in request.Require)
        {
            var metric = input.Metrics.FirstOrDefault(m => m.Name == requirement.Metric);
            if (metric is null) continue; // a requirement without data was refused before
            if (requirement.AtLeast ? metric.Compressed >= requirement.Value : metric.Compressed <= requirement.Value) continue;
            var originalMisses = requirement.AtLeast ? metric.Original < requirement.Value : metric.Original > requirement.Value;
            Error(Codes.RequirementMissed, $"{metric.Name} is {N(metric.Compressed)} on {metric.Samples} samples, required is at {(requirement.AtLeast ? "least" : "most")} {N(requirement.Value)} (the original has {N(metric.Original)}). {(originalMisses ? "The original does not reach it either: correct Require, or use another model." : "Compress less (Recipe=\"auto\", a smaller MaxAccuracyDrop), or correct Require.")}");
        }
        if (request.MaxSize is { } size)
        {
            var most = size.Bytes ?? (long)(size.Share!.Value * input.Original.Bytes);
            if (input.Compressed.ShippedBytes > most)
                Error(Codes.TooLarge, $"the compressed model has {input.Compressed.ShippedBytes} bytes ({P((double)input.Compressed.ShippedBytes / input.Original.Bytes, (double)most / input.Original.Bytes)} of the original), the limit is {most} bytes{(size.Share is { } allowed ? $" ({N(100 * allowed)} %)" : "")}. Raise MaxSize, or use a recipe that compresses more.");
        }
        if (request.MaxLatency is { } share && input.Latency is { } latency && 1 / latency.SpeedupMedian > share)
            Error(Codes.TooSlow, $"one run takes {P(1 / latency.SpeedupMedian, share)} of the original's time ({Ms(latency.OriginalMs)} to {Ms(latency.CompressedMs)}, one thread), the limit is {N(100 * share)} %. Use Goal=\"speed\", raise MaxLatency, or measure on a quiet machine.");
        if (input.SmallerExpected && input.Compressed.ShippedBytes >= input.Original.Bytes)
            Error(Codes.Grew, $"the compressed model has {input.Compressed.ShippedBytes} bytes, the original {input.Original.Bytes}. There is nothing to compress, or the model was compressed before. Remove the item, or use Recipe=\"none\" to only measure it.");
        if (verdict == Verdict.Unmeasured && request.Strict)
            Error(Codes.LimitWithoutData, "nothing was measured, and strict mode asks for a verdict. Give EvaluationData, or turn CompressOnBuildStrict off.");
        if (errors.Count > 0) verdict = Verdict.Fail;
        return new GateResult(verdict, errors, warnings);

        void Error(string code, string text) => errors.Add(new Diagnostic(Severity.Error, code, text, request.Model));
    }

    /// <summary>Pass, fail or inconclusive by the interval; where there is none, the point can only fail.</summary>
    public static Verdict JudgeDrop(MetricResult metric, double limit)
    {
        // The same figure printed as limit and drop must not fail by its last bit.
        const double Slack = 1e-9;
        if (metric.Confidence is not { } interval) return metric.Drop <= limit + Slack ? Verdict.Inconclusive : Verdict.Fail;
        if (interval.High <= limit + Slack) return Verdict.Pass;
        return interval.Low > limit + Slack ? Verdict.Fail : Verdict.Inconclusive;
    }

    private static string Needed(MetricResult metric, double limit) => metric.Confidence is null ? "too few, or not independent of those that calibrated, for an interval; some hundred would do"
        : metric.SamplesToDecide is { } samples ? string.Create(CultureInfo.InvariantCulture, $"about {samples} would decide, {samples - metric.Samples} more than these")
        : limit <= 0 && metric.Drop <= limit ? "no number of samples shows that nothing at all is lost"
        : "the drop equals the limit, no number of samples would decide";

    /// <summary>
    /// Backs up few labelled samples. It decides nothing by itself: a drop of <c>top1</c> is at most the share of changed decisions, but on the same
    /// samples the interval of the drop, which counts only the changes that matter, is never wider than that share's.
    /// </summary>
    private static string Agreement(IReadOnlyList<MetricResult> metrics) => metrics.Skip(1).FirstOrDefault(m => m.Name == "agreement") is not { } agreement ? ""
        : string.Create(CultureInfo.InvariantCulture, $" Both models decide the same on {(agreement.Compressed == 1 ? "all" : $"{Math.Min(99.9, 100 * agreement.Compressed):0.#} %")} of them.");

    private static string Interval(MetricResult metric) =>
        metric.Confidence is { } c ? $", 95 % interval {N(c.Low)}..{N(c.High)}" : "";

    // With one decimal, or with as many as show that it is more than the limit.
    private static string P(double share, double limit)
    {
        var text = (100 * share).ToString("0.0", CultureInfo.InvariantCulture);
        return (double.Parse(text, CultureInfo.InvariantCulture) > 100 * limit ? text : N(100 * share)) + " %";
    }

    private static string Ms(double milliseconds) => milliseconds.ToString(milliseconds < 1 ? "0.0000" : "0.00", CultureInfo.InvariantCulture) + " ms";

    private static string N(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
