using System.Globalization;
using System.Text.RegularExpressions;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>What one form of the other tool made of a model: share of the original's bytes, latency ratio, its metric and the drop from the original's.</summary>
internal sealed record OtherResult(string Form, double Share, double Latency, double Metric, double Drop);

/// <summary>The table "Numbers to beat" in the zoo's README.</summary>
internal static partial class OtherTool
{
    /// <summary>A form that loses more is no number to beat: nobody could ship it.</summary>
    public const double UsableDrop = 0.01;

    /// <summary>Results by model; empty where the file or its table is not there.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<OtherResult>> Read(string zoo)
    {
        var results = new Dictionary<string, IReadOnlyList<OtherResult>>(StringComparer.Ordinal);
        var readme = Path.Combine(zoo, "README.md");
        if (!File.Exists(readme)) return results;
        string[]? columns = null;
        foreach (var line in File.ReadLines(readme).SkipWhile(l => !l.StartsWith("## Numbers to beat", StringComparison.Ordinal)).Skip(1).TakeWhile(l => !l.StartsWith("## ", StringComparison.Ordinal)))
        {
            if (!line.StartsWith('|')) continue;
            var cells = line.Trim().Trim('|').Split('|', StringSplitOptions.TrimEntries);
            if (cells[0].StartsWith("--", StringComparison.Ordinal)) continue;
            if (columns is null) { columns = cells; continue; }
            if (cells.Length != columns.Length || Value(cells[1]) is not { } original) continue;
            results[cells[0]] = [.. cells.Select((c, i) => (Cell: c, Form: columns[i])).Skip(2).Select(c => Parse(c.Form, c.Cell, original)).OfType<OtherResult>()];
        }
        return results;
    }

    // "3 622 185 (25.9 %); 9.25x; 81.7 %", the metric with a remark in brackets or none.
    private static OtherResult? Parse(string form, string cell, double original)
    {
        if (cell.Split(';', StringSplitOptions.TrimEntries) is not [var size, var latency, var metric]) return null;
        if (Share().Match(size) is not { Success: true } share || !double.TryParse(latency.TrimEnd('x'), CultureInfo.InvariantCulture, out var ratio) || Value(metric) is not { } value) return null;
        return new OtherResult(form, double.Parse(share.Groups[1].Value, CultureInfo.InvariantCulture) / 100, ratio, value, original - value);
    }

    // The first number, a percentage as a share.
    private static double? Value(string text) =>
        Number().Match(text) is { Success: true } match ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) / (match.Groups[2].Success ? 100 : 1) : null;

    [GeneratedRegex(@"\(([\d.]+) %\)")]
    private static partial Regex Share();

    [GeneratedRegex(@"(?<![\w.-])(\d+(?:\.\d+)?)( %)?")]
    private static partial Regex Number();
}
