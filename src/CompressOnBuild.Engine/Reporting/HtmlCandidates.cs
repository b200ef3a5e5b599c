using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Series;

namespace CompressOnBuild.Reporting;

/// <summary>What a search tried: a picture of size against accuracy with the frontier, and the list.</summary>
internal static class HtmlCandidates
{
    private sealed record Point(string Name, long Bytes, double Value, bool Chosen, bool Original);

    public static void Add(HtmlWriter html, CompressionResult result)
    {
        var candidates = result.Measurements.Candidates;
        if (candidates.Count == 0) return;
        var metric = result.Measurements.Metrics.Count > 0 ? result.Measurements.Metrics[0].Name : "metric";
        html.Add($"<section>\n<h2>What was tried <span class=\"count\">{Figures.Count(candidates.Count)}</span></h2>\n<p class=\"lead\">Measured on the selection split, which the verdict does not use.</p>");
        Picture(html, result, metric);
        var costs = candidates.Any(c => c.EstimatedCost is not null);
        HtmlTable.Open(html, "What was tried", true, [new("plan"), new("size", true), new(metric, true), new("change", true), .. costs ? [new Column("estimated cost", true)] : Array.Empty<Column>(), new("choice")]);
        foreach (var c in candidates)
        {
            html.Add($"<tr><td>{c.Name}</td><td class=\"n\" data-v=\"{c.Bytes}\">{Figures.Bytes(c.Bytes)}</td><td class=\"n\">{MetricText.Value(metric, c.Metric ?? double.NaN)}</td><td class=\"n\">{MetricText.Change(metric, c.Drop ?? double.NaN)}</td>");
            if (costs) html.Add($"<td class=\"n\">{Figures.Number(c.EstimatedCost ?? double.NaN)}</td>");
            if (c.Chosen) html.Add("<td><span class=\"pill pass\">chosen</span></td></tr>");
            else html.Add("<td></td></tr>");
        }
        HtmlTable.Close(html);
        html.Add("</section>");
    }

    private static void Picture(HtmlWriter html, CompressionResult result, string metric)
    {
        var up = MetricText.HigherIsBetter(metric);
        var points = result.Measurements.Candidates.Where(c => c.Metric is { } m && double.IsFinite(m)).Select(c => new Point(c.Name, c.Bytes, c.Metric!.Value, c.Chosen, false)).ToList();
        if (points.Count == 0) return;
        // The original was measured on the same samples: every drop counts from it.
        if (result.Measurements.Candidates.FirstOrDefault(c => c.Metric is { } m && c.Drop is { } d && double.IsFinite(m) && double.IsFinite(d)) is { } any)
            points.Insert(0, new Point("original", result.Original.Bytes, up ? any.Metric!.Value + any.Drop!.Value : any.Metric!.Value - any.Drop!.Value, false, true));

        var scale = points.Max(p => p.Bytes) >= 1_000_000 ? (Unit: "MB", Bytes: 1e6) : (Unit: "kB", Bytes: 1e3);
        var values = Chart.Axis(v => MetricText.Value(metric, v));
        // Steps no finer than the figures' last digit, and room for some of them where all values are alike.
        var step = MetricText.Step(metric);
        double? limit = points[0].Original && result.Measurements.Metrics is [{ Limit: { } most }, ..] && double.IsFinite(most) ? points[0].Value + (up ? -most : most) : null;
        // A limit far away would press all points into one line.
        if (limit is { } far && Math.Abs(far - points[0].Value) > Math.Max(101 * step, 4 * (points.Max(p => p.Value) - points.Min(p => p.Value)))) limit = null;
        double[] shown = [.. points.Select(p => p.Value), limit ?? points[0].Value];
        var (lowest, highest) = (shown.Min(), shown.Max());
        var room = Math.Max(Math.Max(5 * step, 1e-6 * Math.Abs(highest)), 0.25 * (highest - lowest)); // seen beside the largest value, however large
        (values.MinimumMajorStep, values.Minimum, values.Maximum) = (step, lowest - room, highest + room);
        if (!up) (values.StartPosition, values.EndPosition) = (1, 0);
        var chart = new Chart(Chart.Axis(v => Figures.Number(v), $"size of the file, {scale.Unit}", least: 0), values, metric);

        if (limit is { } least)
            chart.Model.Annotations.Add(new LineAnnotation { Type = LineAnnotationType.Horizontal, Y = least, Color = Chart.Bad, LineStyle = LineStyle.Dash, Text = "limit", TextColor = Chart.Bad, TextLinePosition = 0.01, TextHorizontalAlignment = HorizontalAlignment.Left });
        var frontier = new LineSeries { Color = Chart.Was, StrokeThickness = 1.5 };
        foreach (var point in Frontier(points, up)) frontier.Points.Add(new DataPoint(point.Bytes / scale.Bytes, point.Value));
        chart.Model.Series.Add(frontier);
        foreach (var point in points)
        {
            var mark = new ScatterSeries { MarkerType = MarkerType.Circle, MarkerSize = point.Chosen ? 6 : 4, MarkerFill = point.Original ? Chart.Soft : point.Chosen ? Chart.Now : Chart.Kept };
            mark.Points.Add(new ScatterPoint(point.Bytes / scale.Bytes, point.Value));
            chart.Model.Series.Add(mark);
            if (point.Original || point.Chosen)
                chart.Model.Annotations.Add(new TextAnnotation
                {
                    Text = point.Original ? "original" : "chosen", TextColor = Chart.Ink, StrokeThickness = 0, Offset = new ScreenVector(point.Original ? -4 : 4, -8),
                    TextPosition = new DataPoint(point.Bytes / scale.Bytes, point.Value), TextHorizontalAlignment = point.Original ? HorizontalAlignment.Right : HorizontalAlignment.Left, TextVerticalAlignment = VerticalAlignment.Bottom,
                });
        }
        var chosen = points.FirstOrDefault(p => p.Chosen);
        var label = $"{metric} against size of {points.Count} models. " + (chosen is null ? "None was chosen." : $"Chosen: {Figures.Bytes(chosen.Bytes)} at {MetricText.Value(metric, chosen.Value)}. The table below has the figures.");
        html.Add("<figure>");
        chart.Add(html, label, [.. points.Select(p => $"{p.Name}: {Figures.Bytes(p.Bytes)}, {MetricText.Value(metric, p.Value)}")]);
        html.Add($"<figcaption>Up is better, left is smaller. The solid line joins those that none beats in both: the frontier.{(limit is null ? "" : " The dashed line is the limit, counted from the original.")}</figcaption>\n</figure>");
    }

    /// <summary>Those that no other beats in size and value, by size.</summary>
    private static List<Point> Frontier(IEnumerable<Point> points, bool up)
    {
        var frontier = new List<Point>();
        foreach (var point in points.OrderBy(p => p.Bytes).ThenBy(p => up ? -p.Value : p.Value))
            if (frontier.Count == 0 || (up ? point.Value > frontier[^1].Value : point.Value < frontier[^1].Value)) frontier.Add(point);
        return frontier;
    }
}
