namespace CompressOnBuild.Reporting;

/// <summary>The table of metrics, each with a picture of the change's interval against the limit.</summary>
internal static class HtmlAccuracy
{
    private const double Width = 180, Height = 26, Margin = 8;

    public static void Add(HtmlWriter html, IReadOnlyList<MetricResult> metrics)
    {
        if (metrics.Count == 0) return;
        html.Add("<section>\n<h2>Accuracy</h2>\n<p class=\"lead\">On the samples of the gate split, which nothing before the verdict has looked at. Both models ran on the same samples.</p>");
        HtmlTable.Open(html, "Accuracy", false, new("metric"), new("original", true), new("compressed", true), new("change", true), new("95 % interval and limit"), new("samples", true), new("verdict"));
        foreach (var metric in metrics)
        {
            html.Add($"<tr><td><strong>{metric.Name}</strong></td><td class=\"n\">{MetricText.Value(metric.Name, metric.Original)}</td><td class=\"n\">{MetricText.Value(metric.Name, metric.Compressed)}</td><td class=\"n\">{MetricText.Change(metric.Name, metric.Drop)}</td><td>");
            Picture(html, metric);
            html.Add($"</td><td class=\"n\">{Figures.Count(metric.Samples)}</td>");
            // Without a limit nothing was judged, and no badge claims it.
            if (metric.Passed && metric.Limit is null) html.Add("<td></td></tr>");
            else if (metric.Passed) html.Add("<td><span class=\"pill pass\">ok</span></td></tr>");
            else if (metric.Verdict == Verdict.Inconclusive) html.Add("<td><span class=\"pill inconclusive\">undecided</span></td></tr>");
            else html.Add("<td><span class=\"pill fail\">failed</span></td></tr>");
        }
        HtmlTable.Close(html);
        html.Add("</section>");
    }

    // Left is worse, right is better, whatever the metric's direction: zero, the limit as a red mark, the interval as a bar, the drop as a dot.
    private static void Picture(HtmlWriter html, MetricResult metric)
    {
        var words = new List<string>();
        if (metric.Confidence is { } c) words.Add(MetricText.Interval(metric.Name, c));
        if (metric.Limit is { } l && double.IsFinite(l)) words.Add($"limit {MetricText.Limit(metric.Name, l)}");
        if (double.IsFinite(metric.Drop) && words.Count > 0)
        {
            var (low, high) = metric.Confidence is { } i && double.IsFinite(i.Low) && double.IsFinite(i.High) ? (i.Low, i.High) : (metric.Drop, metric.Drop);
            double[] marks = [low, high, metric.Drop, 0, metric.Limit is { } limit && double.IsFinite(limit) ? limit : 0];
            var (least, most) = (marks.Min(), marks.Max());
            if (most - least <= 0) (least, most) = (-1, 1);
            double X(double drop) => Width - Margin - (drop - least) / (most - least) * (Width - 2 * Margin);
            html.Add($"<svg class=\"interval\" width=\"{Width}\" height=\"{Height}\" viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{string.Join(", ", words)}\">");
            html.Add($"<line class=\"axis\" x1=\"0\" x2=\"{Width}\" y1=\"{Height / 2}\" y2=\"{Height / 2}\"/><line class=\"zero\" x1=\"{X(0)}\" x2=\"{X(0)}\" y1=\"5\" y2=\"{Height - 5}\"/>");
            if (metric.Limit is { } mark && double.IsFinite(mark)) html.Add($"<line class=\"limit\" x1=\"{X(mark)}\" x2=\"{X(mark)}\" y1=\"2\" y2=\"{Height - 2}\"/>");
            html.Add($"<line class=\"range\" x1=\"{X(high)}\" x2=\"{X(low)}\" y1=\"{Height / 2}\" y2=\"{Height / 2}\"/><circle class=\"dot\" cx=\"{X(metric.Drop)}\" cy=\"{Height / 2}\" r=\"4\"/></svg>");
        }
        html.Add($"<span class=\"small\">{string.Join(", ", words)}</span>");
    }
}
