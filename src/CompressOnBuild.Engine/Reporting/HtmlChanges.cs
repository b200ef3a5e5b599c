using System.Globalization;
using OxyPlot.Series;

namespace CompressOnBuild.Reporting;

/// <summary>What changed in the outputs on the gate split: how far they moved, which decisions changed, and the samples to look at.</summary>
internal static class HtmlChanges
{
    private const int MostPairs = 20;

    public static void Add(HtmlWriter html, CompressionResult result)
    {
        if (result.Measurements.Changes is not { Samples: > 0 } changes) return;
        html.Add($"<section>\n<h2>What changed in the outputs</h2>\n<p class=\"lead\">{Sentence(changes)}</p>");
        Distribution(html, changes);
        Pairs(html, changes);
        Worst(html, changes);
        html.Add("</section>");
    }

    /// <summary>The counts, in one or two sentences.</summary>
    public static string Sentence(OutputChanges changes)
    {
        var samples = $"{Figures.Count(changes.Samples)} sample{(changes.Samples == 1 ? "" : "s")} of the gate split";
        if (changes.Decided == 0) return changes.Equal == changes.Samples ? $"On {samples} the outputs are equal, number by number." : $"Compared on {samples}.";
        if (changes.Changed == 0) return $"On {samples} both models decide the same, every time.";
        var labelled = changes.RightToWrong + changes.WrongToRight > 0 || changes.Worst.Any(w => w.Label is not null);
        return $"On {samples} the models decide differently {Figures.Count(changes.Changed)} time{(changes.Changed == 1 ? "" : "s")} ({Figures.Share(changes.Changed, changes.Decided)})"
            + (labelled ? $": {Figures.Count(changes.RightToWrong)} right answer{(changes.RightToWrong == 1 ? "" : "s")} lost, {Figures.Count(changes.WrongToRight)} won, {Figures.Count(changes.Changed - changes.RightToWrong - changes.WrongToRight)} wrong before and after." : ".");
    }

    private static void Distribution(HtmlWriter html, OutputChanges changes)
    {
        if (changes.Histogram.Count == 0) return;
        var bars = new RectangleBarSeries { FillColor = Chart.Now, StrokeThickness = 0 };
        var (width, gap) = (changes.Histogram[0].High - changes.Histogram[0].Low, 0.04 * (changes.Histogram[0].High - changes.Histogram[0].Low));
        foreach (var bin in changes.Histogram) bars.Items.Add(new RectangleBarItem(bin.Low + gap, 0, bin.High - gap, bin.Samples));
        var most = changes.Histogram.Max(b => b.Samples);
        var counts = Chart.Axis(v => v.ToString("N0", CultureInfo.InvariantCulture), least: 0, most: most * 1.08);
        counts.MinimumMajorStep = 1;
        var decibels = Chart.Axis(v => Figures.Number(v), "signal to noise of a sample's output, dB", changes.Histogram[0].Low, changes.Histogram[^1].High);
        (decibels.MinimumMajorStep, decibels.MinimumPadding, decibels.MaximumPadding) = (width, 0, 0);
        var chart = new Chart(decibels, counts, "samples");
        chart.Model.Series.Add(bars);
        var median = changes.MedianSignalToNoise is { } m ? double.IsPositiveInfinity(m) ? "more than half are equal" : $"median {Decibels(m)}" : "";
        html.Add("<h3>How far outputs moved</h3>\n<figure>");
        chart.Add(html, $"Histogram of the signal-to-noise ratio of {Figures.Count(changes.Samples - changes.Equal)} outputs that differ; {median}. The table below has the figures.");
        html.Add($"<figcaption>Right is closer to the original: 20 dB is a difference of a tenth of the output, 40 dB of a hundredth; {median}.{(changes.Histogram[^1].High >= OutputChanges.MostSignalToNoise ? " The last bar holds all that lie above it, too." : "")}{(changes.Equal > 0 ? $" Not shown: {Figures.Count(changes.Equal)} whose outputs are equal." : "")}</figcaption>\n</figure>");
        html.Add("<details><summary>As a table</summary>");
        HtmlTable.Open(html, "How far outputs moved", false, new("signal to noise", true), new("samples", true));
        foreach (var bin in changes.Histogram.Where(b => b.Samples > 0))
            html.Add($"<tr><td class=\"n\">{Bounds(bin)}</td><td class=\"n\">{Figures.Count(bin.Samples)}</td></tr>");
        if (changes.Equal > 0) html.Add($"<tr><td class=\"n\">equal</td><td class=\"n\">{Figures.Count(changes.Equal)}</td></tr>");
        HtmlTable.Close(html);
        html.Add("</details>");
    }

    private static string Bounds(SignalToNoiseBin bin) => bin.Low <= OutputChanges.LeastSignalToNoise ? Figures.Text($"below {bin.High} dB")
        : bin.High >= OutputChanges.MostSignalToNoise ? Figures.Text($"{bin.Low} dB and more") : Figures.Text($"{bin.Low} to {bin.High} dB");

    private static void Pairs(HtmlWriter html, OutputChanges changes)
    {
        if (changes.Pairs.Count == 0) return;
        html.Add("<h3>Decisions that changed</h3>");
        HtmlTable.Open(html, "Decisions that changed", true, new("original decided"), new("compressed decides"), new("samples", true), new("right → wrong", true), new("wrong → right", true));
        foreach (var pair in changes.Pairs.Take(MostPairs))
            html.Add($"<tr><td>{pair.Original}</td><td>{pair.Compressed}</td><td class=\"n\">{Figures.Count(pair.Samples)}</td><td class=\"n\">{Figures.Count(pair.RightToWrong)}</td><td class=\"n\">{Figures.Count(pair.WrongToRight)}</td></tr>");
        HtmlTable.Close(html);
        var rest = changes.Changed - changes.Pairs.Take(MostPairs).Sum(p => p.Samples);
        if (rest > 0) html.Add($"<p class=\"small\">and {Figures.Count(rest)} samples in rarer pairs.</p>");
    }

    private static void Worst(HtmlWriter html, OutputChanges changes)
    {
        if (changes.Worst.Count == 0) return;
        html.Add("<h3>Samples that changed most</h3>");
        if (changes.Worst.Any(w => w.Picture is not null)) Gallery(html, changes.Worst);
        else List(html, changes);
    }

    private static void List(HtmlWriter html, OutputChanges changes)
    {
        var (labelled, decided) = (changes.Worst.Any(w => w.Label is not null), changes.Decided > 0);
        HtmlTable.Open(html, "Samples that changed most", true, [new("sample"), .. labelled ? [new Column("label")] : Array.Empty<Column>(),
            .. decided ? [new Column("original"), new("compressed"), new("outcome")] : Array.Empty<Column>(), new("signal to noise", true)]);
        foreach (var sample in changes.Worst)
        {
            html.Add($"<tr><td><code>{new HtmlWriter.Name(sample.Id)}</code></td>");
            if (labelled) html.Add($"<td>{sample.Label}</td>");
            if (decided)
            {
                html.Add($"<td>{sample.Original}</td><td>{sample.Compressed}</td><td>");
                Outcome(html, sample);
                html.Add("</td>");
            }
            html.Add($"<td class=\"n\" data-v=\"{sample.SignalToNoise ?? double.NaN}\">{Decibels(sample.SignalToNoise)}</td></tr>");
        }
        HtmlTable.Close(html);
    }

    private static void Gallery(HtmlWriter html, IReadOnlyList<SampleChange> worst)
    {
        html.Add("<ol class=\"samples\">");
        foreach (var sample in worst)
        {
            html.Add("<li>");
            if (sample.Picture is { } picture)
                html.Add($"<img alt=\"\" src=\"data:image/{(picture.Span[0] == 0x89 ? "png" : "jpeg")};base64,{picture}\" />");
            html.Add($"<p class=\"id\"><code>{new HtmlWriter.Name(sample.Id)}</code></p>");
            if (sample.Original is not null)
            {
                html.Add("<p>");
                Outcome(html, sample);
                html.Add("</p>\n<dl>");
                if (sample.Label is not null) html.Add($"<dt>label</dt><dd>{sample.Label}</dd>");
                html.Add($"<dt>original</dt><dd>{sample.Original}</dd><dt>compressed</dt><dd>{sample.Compressed}</dd>");
            }
            else html.Add("<dl>");
            html.Add($"<dt><abbr title=\"signal to noise\">SNR</abbr></dt><dd>{Decibels(sample.SignalToNoise)}</dd></dl>\n</li>");
        }
        html.Add("</ol>");
    }

    private static void Outcome(HtmlWriter html, SampleChange sample)
    {
        if (sample.Original == sample.Compressed) html.Add("<span class=\"small same\">same decision</span>");
        else if (sample.Label is null) html.Add("<span class=\"pill inconclusive\">changed</span>");
        else if (sample.Original == sample.Label) html.Add("<span class=\"pill fail\">right → wrong</span>");
        else if (sample.Compressed == sample.Label) html.Add("<span class=\"pill pass\">wrong → right</span>");
        else html.Add("<span class=\"pill inconclusive\">wrong → wrong</span>");
    }

    /// <summary><c>38.3 dB</c>; <c>equal</c>, and <c>not a number</c> where one of an output's numbers became none.</summary>
    public static string Decibels(double? value) => value switch
    {
        null => "–",
        double.PositiveInfinity => "equal",
        double.NegativeInfinity => "no signal left",
        { } v => v.ToString("0.0", CultureInfo.InvariantCulture) + " dB",
    };
}
