using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Planning;

/// <summary>
/// Lock file to text for reviews: one line a weight, value and metric, sorted by name, so that a diff shows what changed and nothing else.
/// UTF-8, LF, no dates and no paths; numbers as the shortest text that reads back as the same number.
/// </summary>
internal static class LockFileWriter
{
    /// <summary>What follows the lines of an entry.</summary>
    public const string LastLine = "\n    }";

    /// <summary>The line that an entry begins with.</summary>
    public static string FirstLine(string key) => $"    {Text(key)}: {{";

    /// <exception cref="CompressionException">COB3005: the file would be larger than <see cref="LockFile.MaxBytes"/>.</exception>
    public static byte[] Write(LockFile file, string path)
    {
        var text = new StringBuilder($"{{\n  \"schemaVersion\": {LockFile.SchemaVersion},\n  \"entries\": {{\n");
        text.AppendJoin(",\n", file.Entries.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => Entry(e.Key, e.Value))).Append("\n  }\n}\n");
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        return bytes.Length <= LockFile.MaxBytes ? bytes
            : throw new CompressionException(Codes.LockInvalid, $"the lock file would have {bytes.Length} bytes; at most {LockFile.MaxBytes} are valid. Remove it and build without CompressOnBuildLock.", path);
    }

    private static string Entry(string key, LockEntry entry)
    {
        var (plan, result) = (entry.Plan, entry.Result);
        var inputs = Fingerprint.Known.Where(p => entry.Inputs.Parts.ContainsKey(p.Name)).Select(p => $"{Text(p.Name)}: {Text(entry.Inputs.Parts[p.Name])}");
        return $$"""
            {{FirstLine(key)}}
                  "inputs": {
            {{Lines(inputs)}}
                  },
            {{Structure(plan.Structure)}}
            {{(plan.Scales is not { Count: > 0 } scales ? "" : $"      \"scales\": [\n{Lines(scales.OrderBy(s => s.Constant, StringComparer.Ordinal).Select(Scale))}\n      ],")}}
                  "weights": [
            {{Lines(plan.Weights.OrderBy(w => w.Site, StringComparer.Ordinal).Select(Weight))}}
                  ],
                  "activations": [
            {{Lines(plan.Values.OrderBy(v => v.Value, StringComparer.Ordinal).Select(Activation))}}
                  ],
                  "biases": [
            {{Lines(plan.Biases!.OrderBy(b => b.Site, StringComparer.Ordinal).Select(Bias))}}
                  ],
            {{(plan.Gains is not { Count: > 0 } gains ? "" : $"      \"gains\": [\n{Lines(gains.OrderBy(g => g.Site, StringComparer.Ordinal).Select(Gain))}\n      ],")}}
                  "joinRegions": {{(plan.JoinRegions ? "true" : "false")}},
                  "result": {
                    "sha256": {{Text(result.Sha256)}},
                    "bytes": {{result.Bytes}},
                    "multiplyAdds": {{result.MultiplyAdds}},
            {{(result.Evaluator is null ? "" : $"        \"evaluator\": {Text(result.Evaluator)},")}}
            {{(result.Processor is null ? "" : $"        \"processor\": {Text(result.Processor)},")}}
                    "metrics": [
            {{Lines(result.Metrics.Select(Metric))}}
                    ]
                  }
                }
            """.ReplaceLineEndings("\n").Replace("\n\n", "\n", StringComparison.Ordinal);
    }

    // One line a weight or group, which names its round.
    private static string Structure(IReadOnlyList<StructureRound>? rounds)
    {
        if (rounds is not { Count: > 0 }) return "";
        var lines = rounds.SelectMany((round, i) => round.Ranks.Select(r => Line(round, i, $"\"weight\": {Text(r.Weight)}, \"form\": \"{r.Form.ToString().ToLowerInvariant()}\", \"rank\": {r.Rank}, \"inputRank\": {r.InputRank}, \"because\": {Text(r.Because)}"))
            .Concat(round.Channels.Select(c => Line(round, i, $"\"group\": {Text(c.Group)}, \"of\": {c.Of}, \"kept\": {Text(Runs(c.Kept))}, \"because\": {Text(c.Because)}"))));
        return $"      \"structure\": [\n{Lines(lines)}\n      ],";

        static string Line(StructureRound round, int index, string rest) => $"{{ \"round\": {index + 1}, \"step\": {round.Step}, {rest} }}";
    }

    /// <summary>Ascending numbers as runs: <c>0-3 5 8-11</c>.</summary>
    internal static string Runs(IReadOnlyList<int> numbers)
    {
        var text = new StringBuilder();
        for (var i = 0; i < numbers.Count;)
        {
            var last = i;
            while (last + 1 < numbers.Count && numbers[last + 1] == numbers[last] + 1) last++;
            text.Append(CultureInfo.InvariantCulture, $"{(text.Length > 0 ? " " : "")}{numbers[i]}");
            if (last > i) text.Append(CultureInfo.InvariantCulture, $"-{numbers[last]}");
            i = last + 1;
        }
        return text.ToString();
    }

    private static string Weight(WeightDecision weight)
    {
        var encoding = weight.Encoding is null ? "" : $", \"encoding\": {Text(weight.Encoding)}";
        var block = weight.Block > 0 ? $", \"block\": {weight.Block}" : "";
        var safe = weight.SaturationSafe ? ", \"saturationSafe\": true" : "";
        var code = weight.Code is null ? "" : $", \"code\": {Text(weight.Code)}";
        var zeros = weight.Pruning is not { } p ? "" : string.Create(CultureInfo.InvariantCulture, $", \"pruning\": \"{p.Method.ToString().ToLowerInvariant()}\", {(p.Zeros > 0 ? $"\"pattern\": \"{p.Zeros}:{p.Of}\"" : $"\"sparsity\": {p.Share:R}")}");
        return $"{{ \"name\": {Text(weight.Site)}, \"form\": \"{weight.Form.ToString().ToLowerInvariant()}\"{encoding}, \"bits\": {weight.Bits}{block}{zeros}{safe}{code}, \"because\": {Text(weight.Because)} }}";
    }

    private static string Activation(ValueDecision value) =>
        $"{{ \"name\": {Text(value.Value)}, \"scale\": {value.Parameters.Scale.ToString("R", CultureInfo.InvariantCulture)}, \"zeroPoint\": {value.Parameters.ZeroPoint} }}";

    private static string Bias(BiasDecision bias) => $"{{ \"weight\": {Text(bias.Site)}, \"steps\": \"{string.Join(' ', bias.Steps)}\" }}";

    private static string Gain(GainDecision gain) => $"{{ \"weight\": {Text(gain.Site)}, \"steps\": \"{string.Join(' ', gain.Steps)}\" }}";

    private static string Scale(ScaleDecision scale) => $"{{ \"constant\": {Text(scale.Constant)}, \"steps\": \"{string.Join(' ', scale.Steps)}\" }}";

    private static string Metric(LockedMetric metric) =>
        $"  {{ \"name\": {Text(metric.Name)}, \"value\": {metric.Value.ToString("R", CultureInfo.InvariantCulture)}, \"samples\": {metric.Samples} }}";

    // An empty list leaves an empty line, which goes in the end.
    private static string Lines(IEnumerable<string> lines) => string.Join(",\n", lines.Select(l => "        " + l));

    // Relaxed: quotes and accents stay readable; control characters are escaped all the same.
    private static string Text(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
