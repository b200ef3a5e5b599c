using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>The lists of the report without figures of their own: warnings, steps, provenance.</summary>
internal static class HtmlLists
{
    public static void Add(HtmlWriter html, CompressionResult result)
    {
        Steps(html, result.Steps);
        Provenance(html, result);
    }

    /// <summary>Every broken limit, in the words of the build: stands below the verdict.</summary>
    public static void Errors(HtmlWriter html, CompressionResult result)
    {
        if (result.Errors.Count == 0) return;
        html.Add("<ul class=\"errors\" aria-label=\"Broken limits\">");
        Items(html, result, result.Errors);
        html.Add("</ul>");
    }

    /// <summary>What the user should act on: stands before the details.</summary>
    public static void Warnings(HtmlWriter html, CompressionResult result)
    {
        if (result.Warnings.Count == 0) return;
        html.Add("<section>\n<h2>Warnings</h2>\n<ul class=\"warnings\">");
        Items(html, result, result.Warnings);
        html.Add("</ul>\n</section>");
    }

    private static void Items(HtmlWriter html, CompressionResult result, IReadOnlyList<Diagnostic> diagnostics)
    {
        var text = new PathFreeText(result);
        foreach (var diagnostic in diagnostics) html.Add($"<li><strong>{diagnostic.Code}</strong> {text.Of(diagnostic.Message)}</li>");
    }

    private static void Steps(HtmlWriter html, IReadOnlyList<string> steps)
    {
        if (steps.Count == 0) return;
        html.Add("<section>\n<h2>What was done</h2>\n<ol class=\"steps\">");
        foreach (var step in steps) html.Add($"<li>{step}</li>");
        html.Add("</ol>\n</section>");
    }

    private static void Provenance(HtmlWriter html, CompressionResult result)
    {
        var (p, m) = (result.Provenance, result.Measurements);
        html.Add("<section>\n<h2>Provenance</h2>\n<dl class=\"facts\">");
        Row("Original", $"{Figures.Count(result.Original.Bytes)} bytes, {Figures.Count(result.Original.Parameters)} parameters", p.ModelSha256);
        Row("Compressed", $"{Figures.Count(result.Compressed.Bytes)} bytes, {Figures.Count(result.Compressed.Parameters)} parameters", result.Compressed.Sha256);
        Row("Recipe", p.RecipeName, p.RecipeSha256);
        Row("Calibration split", null, p.CalibrationSha256);
        Row("Selection split", null, p.SelectionSha256);
        Row("Gate split", null, p.GateSha256);
        Row("Target and seed", Figures.Text($"{p.Target}, {p.Seed}"), null);
        Row("Versions", $"CompressOnBuild {p.ToolVersion}, ONNX Runtime {p.OnnxRuntimeVersion}", null);
        if (p.Runtime is { } runtime) Row("Written for", Figures.Text($"ONNX Runtime {runtime.Version}{(runtime.IsAssumed ? " (assumed: the project references none)" : "")}: {runtime.Capabilities}"), null);
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
