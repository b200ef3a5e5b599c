using System.Text;
using CompressOnBuild.Diagnostics;
using static CompressOnBuild.Reporting.MarkdownText;

namespace CompressOnBuild.Reporting;

/// <summary>The project's models as one Markdown table, for the page of a build on GitHub or Azure Pipelines.</summary>
internal static class StepSummary
{
    public static string Write(BuildLog log)
    {
        var text = new StringBuilder();
        Line($"### CompressOnBuild: {Escape(log.Name)}");
        Line("");
        if (log.Models.Count > 0)
        {
            Line("| model | size | accuracy | speed | verdict |");
            Line("|---|---|---|---|---|");
            foreach (var model in log.Models) Line($"| {Code(model.Name)} | {Size(model.Result)} | {Accuracy(model.Result)} | {(model.Result?.Latency is { } l ? Figures.Speed(l.SpeedupMedian) : "–")} | {Word(model)} |");
            Line("");
        }
        foreach (var d in log.AllDiagnostics.Where(d => d.Severity != Severity.Message))
            Line($"- {DiagnosticFormat.Word(d.Severity)} {d.Code}: {Escape(ConsoleText.Line(log.PathFree(d.Message)))}");
        return text.ToString().TrimEnd('\n') + "\n";

        void Line(string line) => text.Append(line).Append('\n');
    }

    private static string Size(LoggedResult? result) => result is null ? "–"
        : $"{Figures.Bytes(result.Original.ShippedBytes)} → {Figures.Bytes(result.Compressed.ShippedBytes)} ({Figures.Share(result.Compressed.ShippedBytes, result.Original.ShippedBytes)})";

    private static string Accuracy(LoggedResult? result)
    {
        if (result is null || result.Metrics.Count == 0) return "not measured";
        var metric = result.Metrics[0];
        if (!double.IsFinite(metric.Original)) return $"{Escape(metric.Name)} {MetricText.Value(metric.Name, metric.Compressed)}";
        var interval = metric.Confidence is { } i ? $", 95 % interval {MetricText.Interval(metric.Name, i)}" : "";
        var limit = metric.Limit is { } l ? $", limit {MetricText.Limit(metric.Name, l)}" : "";
        return $"{Escape(metric.Name)} {MetricText.Value(metric.Name, metric.Original)} → {MetricText.Value(metric.Name, metric.Compressed)} ({MetricText.Change(metric.Name, metric.Drop)}{interval}{limit})";
    }

    private static string Word(LoggedModel model) => model.Errors.Any() || model.Result?.Verdict == Verdict.Fail ? "**failed**"
        : model.Result is { } result ? Verdicts.Word(result.Verdict).ToLowerInvariant() : "–";
}
