using System.Globalization;
using System.Text;
using System.Text.Json;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Planning;

/// <summary>Text to lock file, strictly: a lock that is not exactly one is an error with its position, never half followed.</summary>
internal static class LockFileReader
{
    private static readonly JsonKind Kind = new("the lock file", LockFile.MaxBytes, Codes.LockInvalid);
    private static readonly (string Word, WeightForm Form)[] Forms = [.. Enum.GetValues<WeightForm>().Where(f => f != WeightForm.Auto).Select(f => (f.ToString().ToLowerInvariant(), f))];
    private const int Sha256Length = 64, MostSamples = int.MaxValue;

    /// <exception cref="CompressionException">COB3004 conflict markers, COB3006 a newer schema, COB3005 anything else that is not valid.</exception>
    public static LockFile Read(byte[] content, string path)
    {
        RefuseConflicts(content, path);
        var root = PositionedJson.Parse(content, path, Kind);
        var version = root.AsObject("the lock file").FirstOrDefault(m => m.Key.Text == "schemaVersion").Value;
        if (version?.Whole > LockFile.SchemaVersion)
            throw version.Error(Codes.LockVersionNewer, $"'schemaVersion' is {version.Text}. Valid is {LockFile.SchemaVersion}, which this version of CompressOnBuild writes. Update the package, or write the file anew: {ForceEvaluate}.");
        var members = Members(root, "the lock file", ["schemaVersion", "entries"]);
        members["schemaVersion"].AsInt("schemaVersion", LockFile.SchemaVersion, LockFile.SchemaVersion);
        return new LockFile(members["entries"].AsObject("entries").ToDictionary(e => e.Key.Text, e => Entry(e.Value), StringComparer.Ordinal));
    }

    /// <summary>What every message about a lock file tells to do.</summary>
    public const string ForceEvaluate = "dotnet build -p:CompressOnBuildForceEvaluate=true";

    // A merge that stopped is no JSON either; but the line of the marker and what to do about it is what helps.
    private static void RefuseConflicts(byte[] content, string path)
    {
        var line = 1;
        for (var start = 0; start < content.Length; line++)
        {
            var rest = content.AsSpan(start);
            if (rest.StartsWith("<<<<<<<"u8) || rest.StartsWith(">>>>>>>"u8) || rest.StartsWith("======="u8) || rest.StartsWith("|||||||"u8))
                throw new CompressionException(Codes.LockHasConflict, $"the lock file holds the marker '{Encoding.ASCII.GetString(rest[..7])}' of a merge conflict. Take one of both sides whole, or resolve the inputs first and write the file anew: {ForceEvaluate}.", path, line, 1);
            var end = rest.IndexOf((byte)'\n');
            start = end < 0 ? content.Length : start + end + 1;
        }
    }

    private static LockEntry Entry(PositionedJson json)
    {
        var members = Members(json, "an entry", ["inputs", "weights", "activations", "biases", "joinRegions", "result"], ["structure", "scales", "gains"]);
        var inputs = Members(members["inputs"], "'inputs'", [], [.. Fingerprint.Known.Select(p => p.Name)]);
        return new LockEntry(
            new Fingerprint(inputs.ToDictionary(p => p.Key, p => p.Value.AsString(p.Key), StringComparer.Ordinal)),
            new Plan(Once(members["weights"], "weights", Weight, w => w.Site), Once(members["activations"], "activations", Value, v => v.Value),
                members["joinRegions"].AsBool("joinRegions"), Once(members["biases"], "biases", Bias, b => b.Site),
                members.TryGetValue("structure", out var structure) ? Structure(structure) : null,
                members.TryGetValue("gains", out var gains) ? Once(gains, "gains", Gain, g => g.Site) : null,
                members.TryGetValue("scales", out var scales) ? Once(scales, "scales", Scale, s => s.Constant) : null),
            Result(members["result"]));
    }

    /// <summary>Of all rounds together: what a line unfolds to is bounded before anything is compared with the model.</summary>
    private const long MostChannels = 4 << 20;

    // One line a decision; rounds are numbered from 1 in order.
    private static List<StructureRound> Structure(PositionedJson json)
    {
        if (json.Kind != JsonTokenType.StartArray) throw json.Invalid("structure", "an array [ … ]");
        var rounds = new List<StructureRound>();
        long channels = 0;
        foreach (var item in json.Items)
        {
            var isRank = item.AsObject("a decision of 'structure'").Any(m => m.Key.Text == "weight");
            string[] rest = isRank ? ["weight", "form", "rank", "inputRank"] : ["group", "of", "kept"];
            var members = Members(item, "a decision of 'structure'", ["round", "step", .. rest, "because"]);
            var round = members["round"].AsInt("round", Math.Max(1, rounds.Count), rounds.Count + 1);
            var step = members["step"].AsInt("step", 1, 1000);
            if (round > rounds.Count) rounds.Add(new StructureRound(step, [], []));
            var last = rounds[^1];
            if (last.Step != step || (isRank ? last.Channels.Count : last.Ranks.Count) > 0) throw item.Error($"round {round} is of another step. Take the file back from version control, or write it anew: {ForceEvaluate}.");
            if (!isRank && (channels += members["of"].AsInt("of", 2, 1 << 20)) > MostChannels) throw item.Error($"the rounds of 'structure' name more than {MostChannels} channels. Take the file back from version control, or write it anew: {ForceEvaluate}.");
            rounds[^1] = isRank ? last with { Ranks = [.. last.Ranks, Rank(members)] } : last with { Channels = [.. last.Channels, Channels(members)] };
        }
        return rounds;
    }

    private static RankDecision Rank(Dictionary<string, PositionedJson> members) => new(members["weight"].AsString("weight"), Word<FactorForm>(members["form"], "form", f => f.ToString().ToLowerInvariant()),
        members["rank"].AsInt("rank", 1, int.MaxValue), members["inputRank"].AsInt("inputRank", 0, int.MaxValue), members["because"].AsString("because"));

    private static ChannelDecision Channels(Dictionary<string, PositionedJson> members)
    {
        var of = members["of"].AsInt("of", 2, 1 << 20);
        var kept = new List<int>();
        foreach (var run in members["kept"].AsString("kept").Split(' '))
        {
            var ends = run.Split('-');
            if (ends.Length > 2 || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var from) || !int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var to)
                || to < from || to >= of || (kept.Count > 0 && from <= kept[^1])) throw members["kept"].Invalid("kept", $"ascending numbers below {of} and runs of them, as '0-3 5'");
            kept.AddRange(Enumerable.Range(from, to - from + 1));
        }
        return new ChannelDecision(members["group"].AsString("group"), of, kept, members["because"].AsString("because"));
    }

    private static T Word<T>(PositionedJson json, string key, Func<T, string> word) where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>()) if (json.Kind == JsonTokenType.String && json.Text == word(value)) return value;
        throw json.Invalid(key, $"one of {string.Join(", ", Enum.GetValues<T>().Select(word))}");
    }

    private static WeightDecision Weight(PositionedJson json)
    {
        var members = Members(json, "a weight", ["name", "form", "bits", "because"], ["encoding", "block", "pruning", "sparsity", "pattern", "saturationSafe", "code"]);
        var form = members["form"];
        if (form.Kind != JsonTokenType.String || Forms.All(f => f.Word != form.Text)) throw form.Invalid("form", $"one of {string.Join(", ", Forms.Select(f => f.Word))}");
        var code = members.TryGetValue("code", out var given) ? given.AsString("code") : null;
        if (code is not null && !DiagnosticPages.All.Contains(code)) throw given!.Invalid("code", "a code of CompressOnBuild");
        return new WeightDecision(members["name"].AsString("name"), Forms.First(f => f.Word == form.Text).Form,
            members.TryGetValue("encoding", out var encoding) ? encoding.AsString("encoding") : null, members["bits"].AsInt("bits", 1, 32), members["because"].AsString("because"), code,
            members.TryGetValue("saturationSafe", out var safe) && safe.AsBool("saturationSafe"),
            members.TryGetValue("block", out var block) ? block.AsInt("block", 1, 1024) : 0) { Pruning = Pruning(json, members) };
    }

    private static PruningTarget? Pruning(PositionedJson json, Dictionary<string, PositionedJson> members)
    {
        if (!members.TryGetValue("pruning", out var word))
            return members.ContainsKey("sparsity") || members.ContainsKey("pattern") ? throw json.Error($"a weight with zeros lacks 'pruning'. Take the file back from version control, or write it anew: {ForceEvaluate}.") : null;
        var methods = Enum.GetValues<PruningMethod>();
        var method = methods.FirstOrDefault(m => m.ToString().ToLowerInvariant() == word.AsString("pruning"), (PruningMethod)(-1));
        if (!methods.Contains(method)) throw word.Invalid("pruning", $"one of {string.Join(", ", methods.Select(m => m.ToString().ToLowerInvariant()))}");
        if (members.TryGetValue("pattern", out var pattern))
        {
            if (pattern.AsString("pattern").Split(':') is [var n, var m] && int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out var zeros) && int.TryParse(m, NumberStyles.None, CultureInfo.InvariantCulture, out var of) && zeros >= 1 && zeros < of && of <= 64)
                return new PruningTarget(method, (double)zeros / of, zeros, of);
            throw pattern.Invalid("pattern", "N:M, N below M");
        }
        if (!members.TryGetValue("sparsity", out var share)) throw json.Error($"a weight with 'pruning' lacks 'sparsity'. Take the file back from version control, or write it anew: {ForceEvaluate}.");
        return share.AsNumber("sparsity") is > 0 and <= 0.95 and var value ? new PruningTarget(method, value) : throw share.Invalid("sparsity", "a number above 0, up to 0.95");
    }

    private static ValueDecision Value(PositionedJson json)
    {
        var members = Members(json, "an activation", ["name", "scale", "zeroPoint"]);
        var scale = (float)members["scale"].AsNumber("scale");
        if (!float.IsFinite(scale) || !float.IsNormal(scale) || scale < 0) throw members["scale"].Invalid("scale", "a positive 32-bit float");
        return new ValueDecision(members["name"].AsString("name"), new QuantizationParameters(scale, (byte)members["zeroPoint"].AsInt("zeroPoint", 0, 255)));
    }

    private static BiasDecision Bias(PositionedJson json)
    {
        var members = Members(json, "a bias", ["weight", "steps"]);
        return new BiasDecision(members["weight"].AsString("weight"), Steps(members["steps"], Techniques.Quantization.BiasCorrection.MostSteps));
    }

    private static GainDecision Gain(PositionedJson json)
    {
        var members = Members(json, "a gain", ["weight", "steps"]);
        return new GainDecision(members["weight"].AsString("weight"), Steps(members["steps"], Techniques.Quantization.StatisticsMatching.MostSteps));
    }

    private static ScaleDecision Scale(PositionedJson json)
    {
        var members = Members(json, "a scale", ["constant", "steps"]);
        return new ScaleDecision(members["constant"].AsString("constant"), Steps(members["steps"], Techniques.Scaling.ScaleSteps.MostInAll));
    }

    private static int[] Steps(PositionedJson json, int most) => [.. json.AsString("steps").Split(' ').Select(s =>
        int.TryParse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var step) && Math.Abs((long)step) <= most ? step
            : throw json.Invalid("steps", $"a list of whole numbers from -{most} to {most}, with one space between"))];

    private static LockedResult Result(PositionedJson json)
    {
        var members = Members(json, "'result'", ["sha256", "bytes", "multiplyAdds", "metrics"], ["evaluator", "processor"]);
        return new LockedResult(Sha256("sha256"), Long("bytes"), Long("multiplyAdds"), Once(members["metrics"], "metrics", Metric, m => m.Name), members.ContainsKey("evaluator") ? Sha256("evaluator") : null,
            members.TryGetValue("processor", out var processor) ? processor.AsString("processor") : null);

        string Sha256(string key) => members[key] is { Kind: JsonTokenType.String, Text: { Length: Sha256Length } text } && text.All(char.IsAsciiHexDigitLower)
            ? text : throw members[key].Invalid(key, "64 hexadecimal digits");
        long Long(string key) => long.TryParse(members[key].Text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && members[key].Kind == JsonTokenType.Number
            ? value : throw members[key].Invalid(key, "a whole number from 0");
    }

    private static LockedMetric Metric(PositionedJson json)
    {
        var members = Members(json, "a metric", ["name", "value", "samples"]);
        return new LockedMetric(members["name"].AsString("name"), members["value"].AsNumber("value"), members["samples"].AsInt("samples", 0, MostSamples));
    }

    private static List<T> Once<T>(PositionedJson json, string key, Func<PositionedJson, T> read, Func<T, string> name)
    {
        if (json.Kind != JsonTokenType.StartArray) throw json.Invalid(key, "an array [ … ]");
        var (seen, result) = (new HashSet<string>(StringComparer.Ordinal), new List<T>(json.Items.Count));
        foreach (var item in json.Items)
        {
            result.Add(read(item));
            if (!seen.Add(name(result[^1]))) throw item.Error($"'{key}' names '{name(result[^1])}' twice. Remove one.");
        }
        return result;
    }

    private static Dictionary<string, PositionedJson> Members(PositionedJson json, string what, string[] required, string[]? optional = null)
    {
        string[] known = [.. required, .. optional ?? []];
        var members = json.AsObject(what).ToDictionary(m => m.Key.Text, m => m, StringComparer.Ordinal);
        if (members.Values.FirstOrDefault(m => !known.Contains(m.Key.Text)) is { Key: { } unknown })
            throw unknown.Error($"'{unknown.Text}' is not a key of {what}. Valid keys are {string.Join(", ", known)}. Remove it.");
        if (required.FirstOrDefault(k => !members.ContainsKey(k)) is { } missing) throw json.Error($"{what} lacks '{missing}'. Take the file back from version control, or write it anew: {ForceEvaluate}.");
        return members.ToDictionary(m => m.Key, m => m.Value.Value, StringComparer.Ordinal);
    }
}
