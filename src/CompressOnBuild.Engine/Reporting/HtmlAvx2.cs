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
            HtmlTable.Open(html, Avx2Text.Label, false, new("weight"), new("operator"), new("pairs of codes that can saturate", true), new("pairs of products that saturated", true), new("not computed because"));
            foreach (var w in avx2.Weights.Take(MostRows))
                html.Add($"<tr><td><code>{w.Name}</code></td><td>{w.Operator}</td><td class=\"n\">{Avx2Text.Share(w.CanSaturate, Math.Max(w.Pairs, w.CanSaturate))}</td><td class=\"n\">{Avx2Text.Share(w.Saturated, w.Counted)}</td><td>{w.NotEmulated ?? ""}</td></tr>");
            HtmlTable.Close(html);
            if (avx2.Weights.Count > MostRows) html.Add($"<p class=\"small\">and {avx2.Weights.Count - MostRows} more in measurements.json</p>");
        }
        html.Add("</section>");
    }

    private static string Upper(string sentence) => char.ToUpperInvariant(sentence[0]) + sentence[1..];
}
