using System.Security.Cryptography;
using System.Text;

namespace CompressOnBuild.Reporting;

/// <summary>
/// <c>report.html</c>: one file that needs nothing else, offline, on a phone, light or dark. The verdict comes first; nothing depends on the
/// script, which only sorts tables.
/// </summary>
internal static class HtmlReport
{
    private static readonly string Css = Asset("report.css");
    private static readonly string Script = Asset("report.js");

    public static string Write(CompressionResult result)
    {
        var html = new HtmlWriter();
        var model = result.Request.Title;
        var scriptHash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Script)));
        html.Add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">");
        // Should an escape ever be forgotten, a name still cannot run or fetch anything.
        html.Add($"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{scriptHash}'\">");
        html.Add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">");
        html.Add($"<title>{model}: {Verdicts.Word(result.Verdict)}</title>\n<style>");
        html.AddAsset(Css);
        html.Add("</style>\n</head>\n<body>\n<main>");
        html.Add($"<header>\n<p class=\"eyebrow\">Compression report</p>\n<h1>{model}</h1>");
        html.Add($"<p class=\"verdict\"><span class=\"pill {ReportJson.Name(result.Verdict)}\">{Verdicts.Word(result.Verdict)}</span> {Verdicts.Sentence(result)}</p>");
        HtmlLists.Errors(html, result);
        html.Add("</header>");
        Tiles(html, result);
        HtmlAccuracy.Add(html, result.Measurements.Metrics);
        HtmlAvx2.Add(html, result.Measurements.Avx2);
        HtmlLists.Warnings(html, result);
        HtmlChanges.Add(html, result);
        HtmlCandidates.Add(html, result);
        HtmlSizes.Add(html, result);
        HtmlWeights.Add(html, result);
        HtmlLists.Add(html, result);
        html.AddAsset("</main>\n<script>"); // no line break: the policy's hash covers every byte between the tags
        html.AddAsset(Script);
        html.AddAsset("</script>\n</body>\n</html>\n");
        return html.ToString();
    }

    private static void Tiles(HtmlWriter html, CompressionResult result)
    {
        var (before, after) = (result.Original.ShippedBytes, result.Compressed.ShippedBytes);
        html.Add("<section class=\"tiles\" aria-label=\"At a glance\">");
        Tile("Size", Figures.Bytes(after), $"{Figures.Share(after, before)} of {Figures.Bytes(before)}{(result.PackedModel is null ? "" : $"; {Figures.Bytes(result.Compressed.Bytes)} unpacked")}", before, after);
        if (result.Measurements.Metrics.Count > 0)
        {
            var metric = result.Measurements.Metrics[0];
            var interval = metric.Confidence is { } i ? $", 95 % interval {MetricText.Interval(metric.Name, i)}" : "";
            Tile(metric.Name, MetricText.Value(metric.Name, metric.Compressed), double.IsFinite(metric.Original)
                ? $"{MetricText.Change(metric.Name, metric.Drop)} from {MetricText.Value(metric.Name, metric.Original)}{interval}" : $"on {Figures.Count(metric.Samples)} samples", 0, 0);
        }
        else Tile("Accuracy", "not measured", "no evaluation data", 0, 0);
        if (result.Measurements.Latency is { } latency)
            Tile("Speed", Figures.Speed(latency.SpeedupMedian), $"{Figures.Milliseconds(latency.CompressedMs)}, was {Figures.Milliseconds(latency.OriginalMs)}; {Figures.Number(latency.SpeedupMin)}x to {Figures.Number(latency.SpeedupMax)}x between runs", latency.OriginalMs, latency.CompressedMs);
        html.Add("</section>");

        void Tile(string label, string value, string note, double was, double now)
        {
            html.Add($"<div class=\"tile\">\n<p class=\"label\">{label}</p>\n<p class=\"value\">{value}</p>\n<p class=\"note\">{note}</p>");
            if (was > 0 && now > 0)
            {
                var scale = 100 / Math.Max(was, now);
                html.Add($"<div class=\"pair\" aria-hidden=\"true\"><i class=\"was\" style=\"width:{was * scale}%\"></i><i class=\"now\" style=\"width:{now * scale}%\"></i></div>");
            }
            html.Add("</div>");
        }
    }

    private static string Asset(string name)
    {
        using var stream = typeof(HtmlReport).Assembly.GetManifestResourceStream("Reporting/" + name)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
