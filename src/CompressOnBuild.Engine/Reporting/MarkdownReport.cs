using System.Text;
using static CompressOnBuild.Reporting.MarkdownText;

namespace CompressOnBuild.Reporting;

/// <summary><c>report.md</c>: the short report, for a pull request or a build summary.</summary>
internal static class MarkdownReport
{
    private const int MostRows = 40, MostPairs = 10;

    public static string Write(CompressionResult result)
    {
        var text = new StringBuilder();
        var measured = result.Measurements;
        var paths = new PathFreeText(result);
        Line($"# {Code(result.Request.Title)}: {Verdicts.Word(result.Verdict).ToLowerInvariant()}");
        Line(Escape(Verdicts.Sentence(result)));
        // What the build printed, limit by limit.
        if (result.Errors.Count > 0) Line("");
        foreach (var error in result.Errors) Line($"- {error.Code}: {Escape(paths.Of(error.Message))}");
        Line("");
        Line("| | original | compressed | |");
        Line("|---|---:|---:|---:|");
        Line($"| size | {Figures.Bytes(result.Original.ShippedBytes)} | {Figures.Bytes(result.Compressed.ShippedBytes)} | {Figures.Share(result.Compressed.ShippedBytes, result.Original.ShippedBytes)} |");
        if (result.PackedModel is not null) Line($"| size unpacked | {Figures.Bytes(result.Original.Bytes)} | {Figures.Bytes(result.Compressed.Bytes)} | {Figures.Share(result.Compressed.Bytes, result.Original.Bytes)} |");
        foreach (var metric in measured.Metrics)
        {
            var change = MetricText.Change(metric.Name, metric.Drop);
            if (metric.Confidence is { } interval) change += $" (95 % interval {MetricText.Interval(metric.Name, interval)})";
            if (metric.Limit is { } limit) change += $", limit {MetricText.Limit(metric.Name, limit)}";
            Line($"| {Escape(metric.Name)}, {Figures.Count(metric.Samples)} samples | {MetricText.Value(metric.Name, metric.Original)} | {MetricText.Value(metric.Name, metric.Compressed)} | {change}{metric.Verdict switch { Verdict.Fail => " **failed**", Verdict.Inconclusive => " **undecided**", _ => "" }} |");
        }
        if (measured.Latency is { } latency)
            Line($"| latency, 1 thread | {Figures.Milliseconds(latency.OriginalMs)} | {Figures.Milliseconds(latency.CompressedMs)} | {Figures.Speed(latency.SpeedupMedian)} ({Figures.Number(latency.SpeedupMin)}x to {Figures.Number(latency.SpeedupMax)}x) |");
        if (measured.Avx2 is { } avx2) Line($"\n{Avx2Text.Label}: {Escape(Avx2Text.Sentence(avx2))}.");
        if (result.Warnings.Count > 0)
        {
            Section("Warnings");
            foreach (var warning in result.Warnings) Line($"- {warning.Code}: {Escape(paths.Of(warning.Message))}");
        }
        if (measured.Changes is { Samples: > 0 } changes)
        {
            Section("What changed in the outputs");
            Line(HtmlChanges.Sentence(changes) + (changes.MedianSignalToNoise is { } median ? $" Signal to noise: median {HtmlChanges.Decibels(median)}." : ""));
            if (changes.Pairs.Count > 0)
            {
                Line("\n| original decided | compressed decides | samples | right → wrong | wrong → right |");
                Line("|---|---|---:|---:|---:|");
                foreach (var pair in changes.Pairs.Take(MostPairs))
                    Line($"| {Escape(pair.Original)} | {Escape(pair.Compressed)} | {Figures.Count(pair.Samples)} | {Figures.Count(pair.RightToWrong)} | {Figures.Count(pair.WrongToRight)} |");
                if (changes.Changed - changes.Pairs.Take(MostPairs).Sum(p => p.Samples) is > 0 and var rest) Line($"\nand {Figures.Count(rest)} samples in rarer pairs.");
            }
        }
        if (measured.Candidates.Count > 0)
        {
            var metric = measured.Metrics.Count > 0 ? measured.Metrics[0].Name : "metric";
            Section($"What was tried ({Figures.Count(measured.Candidates.Count)})");
            Line($"| plan | size | {Escape(metric)}, selection split | change | |");
            Line("|---|---:|---:|---:|---|");
            foreach (var c in measured.Candidates.Take(MostRows))
                Line($"| {Escape(c.Name)} | {Figures.Bytes(c.Bytes)} | {MetricText.Value(metric, c.Metric ?? double.NaN)} | {MetricText.Change(metric, c.Drop ?? double.NaN)} | {(c.Chosen ? "**chosen**" : "")} |");
            if (measured.Candidates.Count > MostRows) Line($"\nand {measured.Candidates.Count - MostRows} more, in `{ReportWriter.Measurements}`.");
        }
        if (result.Steps.Count > 0)
        {
            Section("Steps");
            for (var i = 0; i < result.Steps.Count; i++) Line($"{i + 1}. {Escape(result.Steps[i])}");
        }
        if (result.Weights.Count > 0)
        {
            Section($"Weights compressed ({Figures.Count(result.Weights.Count)})");
            Line("| weight | operator | shape | form | before | after | signal to noise | because |");
            Line("|---|---|---|---|---:|---:|---:|---|");
            foreach (var w in result.Weights.OrderByDescending(w => w.BytesBefore).Take(MostRows))
                Line($"| {Code(w.Name)} | {Escape(w.Operator)} | {Figures.Shape(w.Shape)} | {Escape(w.Technique)}, {Escape(w.Encoding)}, {Figures.Number(w.Bits)} bits | {Figures.Bytes(w.BytesBefore)} | {Figures.Bytes(w.BytesAfter)} | {HtmlChanges.Decibels(w.SignalToNoise)} | {Escape(w.Because)} |");
            More(result.Weights.Count);
        }
        if (result.Skipped.Count > 0)
        {
            Section($"Weights left alone ({Figures.Count(result.Skipped.Count)})");
            Line("| weight | operator | shape | size | because |");
            Line("|---|---|---|---:|---|");
            foreach (var s in result.Skipped.OrderByDescending(s => s.Bytes).Take(MostRows))
                Line($"| {Code(s.Name)} | {Escape(s.Operator)} | {Figures.Shape(s.Shape)} | {Figures.Bytes(s.Bytes)} | {s.Code}: {Escape(s.Because)} |");
            More(result.Skipped.Count);
        }
        Section("Provenance");
        var p = result.Provenance;
        Line($"- model {Code(p.ModelSha256)}, compressed {Code(result.Compressed.Sha256)}");
        Line($"- {(p.RecipeName is { } recipe ? $"recipe {Code(recipe)} {Code(p.RecipeSha256 ?? "")}, target {Escape(p.Target)}, " : "")}seed {p.Seed}");
        Line($"- CompressOnBuild {Escape(p.ToolVersion)}, ONNX Runtime {Escape(p.OnnxRuntimeVersion)}");
        if (p.Runtime is { } runtime) Line($"- written for ONNX Runtime {Escape(runtime.Version)}{(runtime.IsAssumed ? " (assumed: the project references none)" : "")}");
        return text.ToString();

        void Line(string line) => text.Append(line).Append('\n');
        void Section(string title) => Line($"\n## {title}");
        void More(int count)
        {
            if (count > MostRows) Line($"\nand {count - MostRows} smaller ones, in `{ReportWriter.Json}`.");
        }
    }
}
