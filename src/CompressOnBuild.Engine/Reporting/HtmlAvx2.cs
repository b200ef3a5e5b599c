namespace CompressOnBuild.Reporting;

/// <summary>The section on x64 processors without VNNI: the accuracy there, and the weights whose products saturate.</summary>
internal static class HtmlAvx2
{
    private const int MostRows = 20;

    public static void Add(HtmlWriter html, Avx2Accuracy? avx2)
    {
        if (avx2 is null) return;
        html.Add($"<section>\n<h2>{Avx2Text.Label}</h2>\n<p class=\"lead\">{Upper(Avx2Text.Sentence(avx2))}.</p>");
        if (avx2.Weights.Count > 0)
        {
            html.Add("<div class=\"scroll\"><table>\n<thead><tr><th>weight</th><th>operator</th><th class=\"n\">pairs of codes that can saturate</th><th class=\"n\">pairs of products that saturated</th><th></th></tr></thead>\n<tbody>");
            foreach (var w in avx2.Weights.Take(MostRows))
                html.Add($"<tr><td><code>{w.Name}</code></td><td>{w.Operator}</td><td class=\"n\">{Avx2Text.Share(w.CanSaturate, Math.Max(w.Pairs, w.CanSaturate))}</td><td class=\"n\">{Avx2Text.Share(w.Saturated, w.Counted)}</td><td>{w.NotEmulated ?? ""}</td></tr>");
            html.Add("</tbody></table></div>");
            if (avx2.Weights.Count > MostRows) html.Add($"<p class=\"small\">and {avx2.Weights.Count - MostRows} more in measurements.json</p>");
        }
        html.Add("</section>");
    }

    private static string Upper(string sentence) => char.ToUpperInvariant(sentence[0]) + sentence[1..];
}
