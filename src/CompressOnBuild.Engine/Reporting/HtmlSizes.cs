namespace CompressOnBuild.Reporting;

/// <summary>The picture of size per layer, before and after: the whole file as two strips on one scale, then the largest layers as bars.</summary>
internal static class HtmlSizes
{
    private const int MostLayers = 16;

    private sealed record Layer(string Name, string Note, long Before, long After, bool LeftAlone);

    public static void Add(HtmlWriter html, CompressionResult result)
    {
        var layers = result.Weights.Select(w => new Layer(w.Name, Figures.Text($"{w.Operator} {Figures.Shape(w.Shape)}, {w.Encoding}, {w.Bits} bits"), w.BytesBefore, w.BytesAfter, false))
            .Concat(result.Skipped.Select(s => new Layer(s.Name, $"{s.Operator} {Figures.Shape(s.Shape)}, left alone", s.Bytes, s.Bytes, true)))
            .OrderByDescending(l => l.Before).ThenBy(l => l.Name, StringComparer.Ordinal).ToList();
        if (layers.Count == 0) return;
        var shown = layers.Take(MostLayers).ToList();
        var rest = layers.Skip(MostLayers).ToList();
        if (rest.Count == 1) (shown, rest) = (layers, []);
        if (rest.Count > 0) shown.Add(new Layer($"{Figures.Count(rest.Count)} smaller weights", "together", rest.Sum(l => l.Before), rest.Sum(l => l.After), false));
        // What is no weight: the graph itself, biases, scales, names.
        var (otherBefore, otherAfter) = (Math.Max(0, result.Original.Bytes - layers.Sum(l => l.Before)), Math.Max(0, result.Compressed.Bytes - layers.Sum(l => l.After)));
        shown.Add(new Layer("everything else", "graph, biases, names", otherBefore, otherAfter, false));

        html.Add("<section>\n<h2>Where the bytes are</h2>");
        html.Add($"<p class=\"lead\">Each piece is a layer, the largest first. <span class=\"key was\"></span>before <span class=\"key now\"></span>after <span class=\"key kept\"></span>left alone</p>");
        var scale = Math.Max(1, Math.Max(shown.Sum(l => l.Before), shown.Sum(l => l.After)));
        Strip(html, "Original", Figures.Bytes(result.Original.Bytes), shown, l => l.Before, scale, "was");
        Strip(html, "Compressed", Figures.Bytes(result.Compressed.Bytes), shown, l => l.After, scale, "now");
        html.Add("<ol class=\"layers\">");
        var largest = Math.Max(1.0, shown.Max(l => Math.Max(l.Before, l.After)));
        foreach (var layer in shown)
        {
            html.Add($"<li><div class=\"who\"><code>{new HtmlWriter.Name(layer.Name)}</code><span class=\"small\">{layer.Note}</span></div><div class=\"pair\" aria-hidden=\"true\">");
            if (layer.LeftAlone) html.Add($"<i class=\"kept\" style=\"width:{Percent(layer.Before)}%\"></i></div><div class=\"how n\">{Figures.Bytes(layer.Before)}</div></li>");
            else html.Add($"<i class=\"was\" style=\"width:{Percent(layer.Before)}%\"></i><i class=\"now\" style=\"width:{Percent(layer.After)}%\"></i></div><div class=\"how n\">{Figures.Bytes(layer.Before)} → {Figures.Bytes(layer.After)}</div></li>");
        }
        html.Add("</ol>\n</section>");

        double Percent(long bytes) => 100 * bytes / largest;
    }

    private static void Strip(HtmlWriter html, string title, string size, List<Layer> layers, Func<Layer, long> bytes, long scale, string kind)
    {
        html.Add($"<div class=\"strip\"><span class=\"label\">{title}</span><svg role=\"img\" aria-label=\"{title}: {size}\" width=\"100%\" height=\"30\" preserveAspectRatio=\"none\">");
        double x = 0;
        foreach (var layer in layers)
        {
            var width = 100.0 * bytes(layer) / scale;
            if (width <= 0) continue;
            html.Add($"<rect class=\"{(layer.LeftAlone ? "kept" : kind)}\" x=\"{x}%\" y=\"0\" width=\"{width}%\" height=\"30\"><title>{layer.Name}: {Figures.Bytes(bytes(layer))}</title></rect>");
            x += width;
        }
        html.Add($"</svg><span class=\"how n\">{size}</span></div>");
    }
}
