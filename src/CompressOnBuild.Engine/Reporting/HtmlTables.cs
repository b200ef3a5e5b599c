namespace CompressOnBuild.Reporting;

/// <summary>The lists of the report: weights, what was left alone, steps, warnings, candidates, provenance.</summary>
internal static class HtmlTables
{
    public static void Add(HtmlWriter html, CompressionResult result)
    {
        Weights(html, result.Weights);
        Skipped(html, result.Skipped);
        Steps(html, result.Steps);
        Candidates(html, result);
        Provenance(html, result);
    }

    /// <summary>What the user should act on: stands before the details.</summary>
    public static void Warnings(HtmlWriter html, CompressionResult result)
    {
        if (result.Warnings.Count == 0) return;
        html.Add("<section>\n<h2>Warnings</h2>\n<ul class=\"warnings\">");
        var text = new PathFreeText(result);
        foreach (var warning in result.Warnings) html.Add($"<li><strong>{warning.Code}</strong> {text.Of(warning.Message)}</li>");
        html.Add("</ul>\n</section>");
    }

    private static void Weights(HtmlWriter html, IReadOnlyList<WeightFacts> weights)
    {
        if (weights.Count == 0) return;
        html.Add($"<section>\n<h2>Weights compressed <span class=\"count\">{Figures.Count(weights.Count)}</span></h2>");
        html.Add("<div class=\"scroll tall\"><table class=\"sortable\">\n<thead><tr><th>weight</th><th>operator</th><th>shape</th><th>form</th><th class=\"n\">before</th><th class=\"n\">after</th><th>because</th></tr></thead>\n<tbody>");
        foreach (var w in weights)
        {
            html.Add($"<tr><td><code>{new HtmlWriter.Name(w.Name)}</code></td><td>{w.Operator}</td><td>{Figures.Shape(w.Shape)}</td><td class=\"form\">{w.Encoding}, {w.Bits} bits<span class=\"small\">{w.Technique}{Extra(w)}</span></td><td class=\"n\" data-v=\"{w.BytesBefore}\">{Figures.Bytes(w.BytesBefore)}</td><td class=\"n\" data-v=\"{w.BytesAfter}\">{Figures.Bytes(w.BytesAfter)}</td><td class=\"why\">{w.Because}</td></tr>");
        }
        html.Add("</tbody></table></div>\n</section>");
    }

    private static string Extra(WeightFacts w) => (w.Sparsity > 0 ? Figures.Text($", {100 * w.Sparsity:0} % zero") : "") + (w.Rank is { } rank ? Figures.Text($", rank {rank}") : "");

    private static void Skipped(HtmlWriter html, IReadOnlyList<SkippedWeight> skipped)
    {
        if (skipped.Count == 0) return;
        html.Add($"<section>\n<h2>Weights left alone <span class=\"count\">{Figures.Count(skipped.Count)}</span></h2>");
        html.Add("<div class=\"scroll tall\"><table class=\"sortable\">\n<thead><tr><th>weight</th><th>operator</th><th>shape</th><th class=\"n\">size</th><th>code</th><th>because</th></tr></thead>\n<tbody>");
        foreach (var s in skipped)
            html.Add($"<tr><td><code>{new HtmlWriter.Name(s.Name)}</code></td><td>{s.Operator}</td><td>{Figures.Shape(s.Shape)}</td><td class=\"n\" data-v=\"{s.Bytes}\">{Figures.Bytes(s.Bytes)}</td><td>{s.Code}</td><td class=\"why\">{s.Because}</td></tr>");
        html.Add("</tbody></table></div>\n</section>");
    }

    private static void Steps(HtmlWriter html, IReadOnlyList<string> steps)
    {
        if (steps.Count == 0) return;
        html.Add("<section>\n<h2>What was done</h2>\n<ol class=\"steps\">");
        foreach (var step in steps) html.Add($"<li>{step}</li>");
        html.Add("</ol>\n</section>");
    }

    private static void Candidates(HtmlWriter html, CompressionResult result)
    {
        var candidates = result.Measurements.Candidates;
        if (candidates.Count == 0) return;
        var metric = result.Measurements.Metrics.Count > 0 ? result.Measurements.Metrics[0].Name : "metric";
        html.Add($"<section>\n<h2>What was tried <span class=\"count\">{Figures.Count(candidates.Count)}</span></h2>\n<p class=\"lead\">On the selection split, which the verdict does not use.</p>");
        var costs = candidates.Any(c => c.EstimatedCost is not null);
        html.Add($"<div class=\"scroll tall\"><table class=\"sortable\">\n<thead><tr><th>plan</th><th class=\"n\">size</th><th class=\"n\">{metric}</th><th class=\"n\">change</th>");
        if (costs) html.Add("<th class=\"n\">estimated cost</th>");
        html.Add("<th></th></tr></thead>\n<tbody>");
        foreach (var c in candidates)
        {
            html.Add($"<tr><td>{c.Name}</td><td class=\"n\" data-v=\"{c.Bytes}\">{Figures.Bytes(c.Bytes)}</td><td class=\"n\">{MetricText.Value(metric, c.Metric ?? double.NaN)}</td><td class=\"n\">{MetricText.Change(metric, c.Drop ?? double.NaN)}</td>");
            if (costs) html.Add($"<td class=\"n\">{Figures.Number(c.EstimatedCost ?? double.NaN)}</td>");
            if (c.Chosen) html.Add("<td><span class=\"pill pass\">chosen</span></td></tr>");
            else html.Add("<td></td></tr>");
        }
        html.Add("</tbody></table></div>\n</section>");
    }

    private static void Provenance(HtmlWriter html, CompressionResult result)
    {
        var (p, m) = (result.Provenance, result.Measurements);
        html.Add("<section>\n<h2>Provenance</h2>\n<dl>");
        Row("Original", $"{Figures.Count(result.Original.Bytes)} bytes, {Figures.Count(result.Original.Parameters)} parameters", p.ModelSha256);
        Row("Compressed", $"{Figures.Count(result.Compressed.Bytes)} bytes, {Figures.Count(result.Compressed.Parameters)} parameters", result.Compressed.Sha256);
        Row("Recipe", p.RecipeName, p.RecipeSha256);
        Row("Calibration split", null, p.CalibrationSha256);
        Row("Selection split", null, p.SelectionSha256);
        Row("Gate split", null, p.GateSha256);
        Row("Target and seed", Figures.Text($"{p.Target}, {p.Seed}"), null);
        Row("Versions", $"CompressOnBuild {p.ToolVersion}, ONNX Runtime {p.OnnxRuntimeVersion}", null);
        if (result.Original.MultiplyAdds > 0) Row("Multiply-adds of one run", $"{Figures.Count(result.Original.MultiplyAdds)} before, {Figures.Count(result.Compressed.MultiplyAdds)} after", null);
        if (m.Latency is { } l) Row("Latency", $"one thread, alternating runs: {Figures.Number(l.SpeedupMin)}x to {Figures.Number(l.SpeedupMax)}x of the original's speed, median {Figures.Number(l.SpeedupMedian)}x", null);
        if (m.Processor.Length > 0) Row("Measured on", m.Processor + (m.InstructionSets.Count > 0 ? $" ({string.Join(", ", m.InstructionSets)})" : ""), null);
        Row("Took", $"{Figures.Seconds(m.Seconds)}{(m.PeakMemoryBytes > 0 ? $", {Figures.Bytes(m.PeakMemoryBytes)} of memory at most" : "")}", null);
        html.Add("</dl>\n</section>");

        void Row(string name, string? text, string? hash)
        {
            if (text is null && hash is null) return;
            html.Add($"<dt>{name}</dt><dd>{text} ");
            if (hash is not null) html.Add($"<code class=\"hash\">{hash}</code>");
            html.Add("</dd>");
        }
    }
}
