using OxyPlot;
using OxyPlot.Series;

namespace CompressOnBuild.Reporting;

/// <summary>The weights: how precise each one stayed, what was done to it and why; and those that were left alone.</summary>
internal static class HtmlWeights
{
    // A line of two is no distribution.
    private const int FewestForPicture = 3;

    public static void Add(HtmlWriter html, CompressionResult result)
    {
        Compressed(html, result.Weights);
        LeftAlone(html, result.Skipped);
    }

    private static void Compressed(HtmlWriter html, IReadOnlyList<WeightFacts> weights)
    {
        if (weights.Count == 0) return;
        html.Add($"<section>\n<h2>Weights compressed <span class=\"count\">{Figures.Count(weights.Count)}</span></h2>");
        Picture(html, weights);
        HtmlTable.Open(html, "Weights compressed", true, new("weight"), new("operator"), new("form"), new("before", true), new("after", true), new("signal to noise", true), new("because"));
        foreach (var w in weights)
            html.Add($"<tr><td><code>{new HtmlWriter.Name(w.Name)}</code></td><td>{w.Operator}<span class=\"small\">{Figures.Shape(w.Shape)}</span></td><td class=\"form\">{w.Encoding}, {w.Bits} bits<span class=\"small\">{w.Technique}{Extra(w)}</span></td><td class=\"n\" data-v=\"{w.BytesBefore}\">{Figures.Bytes(w.BytesBefore)}</td><td class=\"n\" data-v=\"{w.BytesAfter}\">{Figures.Bytes(w.BytesAfter)}</td><td class=\"n\" data-v=\"{w.SignalToNoise ?? double.NaN}\">{HtmlChanges.Decibels(w.SignalToNoise)}</td><td class=\"why\">{w.Because}</td></tr>");
        HtmlTable.Close(html);
        html.Add("</section>");
    }

    private static void Picture(HtmlWriter html, IReadOnlyList<WeightFacts> weights)
    {
        var shown = weights.Select((w, i) => (Weight: w, Number: i + 1)).Where(w => w.Weight.SignalToNoise is { } ratio && double.IsFinite(ratio)).ToList();
        if (shown.Count < FewestForPicture) return;
        var marks = new ScatterSeries { MarkerType = MarkerType.Circle, MarkerSize = shown.Count > 100 ? 2.5 : 3.5, MarkerFill = Chart.Now };
        foreach (var (weight, number) in shown) marks.Points.Add(new ScatterPoint(number, weight.SignalToNoise!.Value));
        var numbers = Chart.Axis(v => Figures.Number(v), "weight, in the graph's order", least: 0);
        numbers.MinimumMajorStep = 1;
        var decibels = Chart.Axis(v => Figures.Number(v), least: Math.Min(0, shown.Min(w => w.Weight.SignalToNoise!.Value)));
        var chart = new Chart(numbers, decibels, "signal to noise, dB");
        chart.Model.Series.Add(marks);
        var (low, high) = (shown.MinBy(w => w.Weight.SignalToNoise!.Value), shown.MaxBy(w => w.Weight.SignalToNoise!.Value));
        html.Add("<figure>");
        chart.Add(html, $"Signal-to-noise ratio of {shown.Count} weights, from {HtmlChanges.Decibels(low.Weight.SignalToNoise)} to {HtmlChanges.Decibels(high.Weight.SignalToNoise)}. The table below has the figures.",
            [.. shown.Select(w => $"{w.Weight.Name}: {HtmlChanges.Decibels(w.Weight.SignalToNoise)}")]);
        html.Add($"<figcaption>How precise each weight stayed: higher is closer to the original. Error feedback moves weights further for outputs that are nearer. Lowest: <code>{new HtmlWriter.Name(low.Weight.Name)}</code> with {HtmlChanges.Decibels(low.Weight.SignalToNoise)}.</figcaption>\n</figure>");
    }

    private static string Extra(WeightFacts w) => (w.Sparsity > 0 ? Figures.Text($", {100 * w.Sparsity:0} % zero") : "") + (w.Rank is { } rank ? Figures.Text($", rank {rank}") : "");

    private static void LeftAlone(HtmlWriter html, IReadOnlyList<SkippedWeight> skipped)
    {
        if (skipped.Count == 0) return;
        html.Add($"<section>\n<h2>Weights left alone <span class=\"count\">{Figures.Count(skipped.Count)}</span></h2>");
        HtmlTable.Open(html, "Weights left alone", true, new("weight"), new("operator"), new("size", true), new("code"), new("because"));
        foreach (var s in skipped)
            html.Add($"<tr><td><code>{new HtmlWriter.Name(s.Name)}</code></td><td>{s.Operator}<span class=\"small\">{Figures.Shape(s.Shape)}</span></td><td class=\"n\" data-v=\"{s.Bytes}\">{Figures.Bytes(s.Bytes)}</td><td>{s.Code}</td><td class=\"why\">{s.Because}</td></tr>");
        HtmlTable.Close(html);
        html.Add("</section>");
    }
}
