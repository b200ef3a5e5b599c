using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Planning;

/// <summary>Recipe file to <see cref="Recipe"/>, strictly: every unknown key, wrong type and invalid value is an error with its position.</summary>
internal static class RecipeReader
{
    public const RegexOptions PatternOptions = RegexOptions.CultureInvariant | RegexOptions.NonBacktracking;
    public static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(1);

    private static readonly JsonKind Kind = new("the recipe", 1 << 20, Codes.RecipeInvalidValue, NotJson: Codes.RecipeNotJson, TooLarge: Codes.RecipeUnreadable, Duplicate: Codes.RecipeDuplicateKey);
    private const int Version = 1;
    private const int MaxPattern = 1000;
    private static readonly string[] Forms = ["auto", "static", "dynamic", "weights", "palette", "fp16", "none"];
    private static readonly string[] StepWords = ["prune-structured", "low-rank"];
    private static readonly string[] Criteria = ["calibration", "magnitude"];
    private static readonly string[] Methods = ["auto", "minmax", "percentile", "mse"];
    private static readonly int[] BitWidths = [8];
    private static readonly int[] WeightWidths = [2, 3, 4, 5, 6, 7, 8];
    private static readonly int[] PaletteWidths = [1, .. WeightWidths];
    private const int DefaultPalette = 4;
    private static readonly string[] PruningMethods = ["magnitude", "wanda", "sparsegpt"];
    private const double MostZeros = 0.95;
    private const int MostPattern = 64;

    public static Recipe Read(byte[] bytes, string name, string file)
    {
        var root = PositionedJson.Parse(bytes, file, Kind);
        var members = Members(root, "the recipe", "$schema", "version", "description", "search", "timeBudget", "steps", "rules", "widths", "palettes", "sparsities", "calibration", "biasCorrection", "errorFeedback", "roundingDescent", "statisticsMatching", "equalization", "smoothing");
        if (!members.TryGetValue("version", out var version))
            throw root.Error(Codes.RecipeMissingKey, "'version' is missing. Valid is 1.");
        if (Integer(version, "version") != Version)
            throw version.Error($"'version' is {version.Text}. Valid values are {Version}.");
        if (members.TryGetValue("$schema", out var schema)) Text(schema, "$schema");
        var search = members.TryGetValue("search", out var s) && Boolean(s, "search");
        return new Recipe
        {
            Name = name,
            Description = members.TryGetValue("description", out var description) ? Text(description, "description") : "",
            Search = search,
            TimeBudget = members.TryGetValue("timeBudget", out var budget) ? TimeBudget(budget, search) : null,
            Widths = members.TryGetValue("widths", out var widths) ? Widths(widths, search) : [],
            Palettes = members.TryGetValue("palettes", out var palettes) ? Palettes(palettes, members.ContainsKey("widths")) : [],
            Steps = members.TryGetValue("steps", out var steps) ? [.. Array(steps, "steps").Select(Step)] : [],
            Sparsities = members.TryGetValue("sparsities", out var sparsities) ? Sparsities(sparsities, search, members.ContainsKey("widths")) : [],
            Rules = members.TryGetValue("rules", out var rules) ? [.. Array(rules, "rules").Select(r => Rule(r, search))] : [],
            Calibration = members.TryGetValue("calibration", out var calibration) ? Calibration(calibration) : new RecipeCalibration(),
            ErrorFeedback = !members.TryGetValue("errorFeedback", out var feedback) || Boolean(feedback, "errorFeedback"),
            RoundingDescent = members.TryGetValue("roundingDescent", out var descent) && Boolean(descent, "roundingDescent"),
            StatisticsMatching = members.TryGetValue("statisticsMatching", out var matching) && Boolean(matching, "statisticsMatching"),
            Equalization = members.TryGetValue("equalization", out var equalization) && Boolean(equalization, "equalization"),
            Smoothing = members.TryGetValue("smoothing", out var smoothing) && Boolean(smoothing, "smoothing"),
            BiasCorrection = !members.TryGetValue("biasCorrection", out var correction) || Boolean(correction, "biasCorrection"),
        };
    }

    private static RecipeRule Rule(PositionedJson json, bool search)
    {
        var members = Members(json, "a rule", "match", "form", "bits", "block", "sparsity", "pattern", "pruning");
        if (!members.TryGetValue("form", out var form))
            throw json.Error(Codes.RecipeMissingKey, $"'form' is missing. Valid values are {string.Join(", ", Forms)}.");
        var chosen = Choice(form, "form", Forms) switch
        {
            0 => WeightForm.Auto, 1 => WeightForm.Static, 2 => WeightForm.Dynamic, 3 => WeightForm.Weights, 4 => WeightForm.Palette, 5 => WeightForm.Fp16, _ => WeightForm.None,
        };
        if (chosen == WeightForm.Auto && !search)
            throw form.Error("'form' is 'auto' but 'search' is false. Set 'search' to true, or choose a form.");
        var bits = chosen switch { WeightForm.None => 0, WeightForm.Fp16 => 16, WeightForm.Palette => DefaultPalette, _ => 8 };
        if (members.TryGetValue("bits", out var given))
        {
            if (chosen is WeightForm.None or WeightForm.Fp16) throw given.Error($"'bits' means nothing for the form '{form.Text}'. Remove it.");
            bits = Integer(given, "bits");
            var valid = chosen switch { WeightForm.Weights => WeightWidths, WeightForm.Palette => PaletteWidths, _ => BitWidths };
            if (!valid.Contains(bits))
                throw given.Error($"'bits' is {given.Text}. Valid values are {string.Join(", ", valid)}{(chosen is WeightForm.Weights or WeightForm.Palette ? "" : " (fewer for the form 'weights')")}.");
        }
        var block = 0;
        if (members.TryGetValue("block", out var inputs))
        {
            if (chosen != WeightForm.Weights) throw inputs.Error($"'block' means nothing for the form '{form.Text}'. Remove it, or use the form 'weights'.");
            block = Integer(inputs, "block");
            if (!MatMulNBits.BlockSizes.Contains(block)) throw inputs.Error($"'block' is {inputs.Text}. Valid values are {string.Join(", ", MatMulNBits.BlockSizes)}.");
            if (!MatMulNBits.Widths.Contains(bits)) throw inputs.Error($"'block' is given, and 'bits' is {bits}. With blocks, valid values of 'bits' are {string.Join(", ", MatMulNBits.Widths)}.");
        }
        var (operators, pattern) = Match(members);
        return new RecipeRule(operators, pattern, chosen, bits) { Block = block, Pruning = Pruning(members, chosen) };
    }

    private static (string[] Operators, string? Pattern) Match(Dictionary<string, PositionedJson> members)
    {
        string[] operators = [];
        string? pattern = null;
        if (members.TryGetValue("match", out var match))
        {
            var parts = Members(match, "'match'", "operator", "name");
            if (parts.TryGetValue("operator", out var list))
            {
                var items = list.Kind == JsonTokenType.String ? [list] : Array(list, "operator", "text, or a list of texts");
                if (items.Count == 0) throw list.Error("'operator' is an empty list. Remove it to match every operator.");
                operators = [.. items.Select(i => Recipe.Operators[Choice(i, "operator", Recipe.Operators)]).Distinct()];
            }
            if (parts.TryGetValue("name", out var name)) pattern = Pattern(name);
        }
        return (operators, pattern);
    }

    private static RecipeStep Step(PositionedJson json)
    {
        var members = Members(json, "a step", "step", "match", "amount", "by");
        if (!members.TryGetValue("step", out var step))
            throw json.Error(Codes.RecipeMissingKey, $"'step' is missing. Valid values are {string.Join(", ", StepWords)}.");
        var kind = Enum.GetValues<StepKind>()[Choice(step, "step", StepWords)];
        double? amount = null;
        if (members.TryGetValue("amount", out var given))
        {
            amount = given.Number ?? throw WrongType(given, "amount", "a number");
            if (amount is not (> 0 and < 1)) throw given.Error($"'amount' is {given.Text}. Valid values are above 0 and below 1; without it, as much is taken as the accuracy limit allows.");
        }
        var by = members.TryGetValue("by", out var criterion) && Choice(criterion, "by", Criteria) == 1 ? StepCriterion.Magnitude : StepCriterion.Calibration;
        var (operators, pattern) = Match(members);
        return new RecipeStep(kind, amount, operators, pattern, by);
    }

    private static PruningTarget? Pruning(Dictionary<string, PositionedJson> members, WeightForm form)
    {
        var (hasShare, hasPattern, hasMethod) = (members.TryGetValue("sparsity", out var share), members.TryGetValue("pattern", out var pattern), members.TryGetValue("pruning", out var method));
        if ((share ?? pattern ?? method) is { } any && form is not (WeightForm.Weights or WeightForm.Palette or WeightForm.Fp16))
            throw any.Error($"zeros are stored in the forms weights, palette and fp16 only. Remove '{(hasShare ? "sparsity" : hasPattern ? "pattern" : "pruning")}', or choose one of them.");
        if ((share ?? pattern) is { } zero && members.ContainsKey("block")) throw zero.Error("'block' is of products that know no zeros. Remove it, or the zeros.");
        if (hasShare && hasPattern) throw pattern!.Error("'sparsity' and 'pattern' both say how many zeros there are. Remove one of them.");
        var chosen = hasMethod ? (PruningMethod)Choice(method!, "pruning", PruningMethods) : PruningMethod.SparseGpt;
        if (hasShare)
        {
            var value = Share(share!, "sparsity");
            return value > 0 ? new PruningTarget(chosen, value) : null;
        }
        if (!hasPattern) return hasMethod ? throw method!.Error("'pruning' says how zeros are chosen, but not how many. Give 'sparsity' or 'pattern' too.") : null;
        var parts = Text(pattern!, "pattern").Split(':');
        if (parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var zeros) && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var of)
            && zeros >= 1 && zeros < of && of <= MostPattern) return new PruningTarget(chosen, (double)zeros / of, zeros, of);
        throw pattern!.Error($"'pattern' is '{pattern.Text}'. Valid are N:M, N of M neighbours being zero, with N below M and M up to {MostPattern}: \"2:4\".");
    }

    private static double Share(PositionedJson json, string key) =>
        json.Number is { } share ? share is >= 0 and <= MostZeros ? share : throw json.Error($"'{key}' is {json.Text}. Valid values are 0 to 0.95.") : throw WrongType(json, key, "a number");

    private static double[] Sparsities(PositionedJson json, bool search, bool hasWidths)
    {
        if (!search) throw json.Error("'sparsities' are what a search tries, but 'search' is false. Set 'search' to true, or give 'sparsity' in a rule.");
        if (hasWidths) throw json.Error("'sparsities' and 'widths' are two searches. Remove one of them.");
        var shares = Array(json, "sparsities").Select(v => Share(v, "sparsities")).Distinct().Order().ToArray();
        return shares.Length > 0 ? shares : throw json.Error("'sparsities' is an empty list. Remove it, or give shares from 0 to 0.95.");
    }

    private static TimeSpan TimeBudget(PositionedJson json, bool search)
    {
        if (!search) throw json.Error("'timeBudget' bounds a search, but 'search' is false. Set 'search' to true, or remove it.");
        if (json.Number is not { } seconds) throw WrongType(json, "timeBudget", "a number of seconds");
        return seconds is > 0 and <= 86_400 ? TimeSpan.FromSeconds(seconds) : throw json.Error($"'timeBudget' is {json.Text}. Valid are seconds above 0, up to 86400.");
    }

    private static int[] Widths(PositionedJson json, bool search)
    {
        if (!search) throw json.Error("'widths' are what a search chooses from, but 'search' is false. Set 'search' to true, or give 'bits' in a rule.");
        var widths = Array(json, "widths").Select(w => Integer(w, "widths") is var bits && WeightWidths.Contains(bits) ? bits
            : throw w.Error($"'widths' has {w.Text}. Valid values are {string.Join(", ", WeightWidths)}.")).Distinct().Order().ToArray();
        return widths.Length > 0 ? widths : throw json.Error("'widths' is an empty list. Remove it to search forms of 8 bits.");
    }

    private static int[] Palettes(PositionedJson json, bool chooses)
    {
        if (!chooses) throw json.Error("'palettes' are what a search for 'widths' chooses from, but there are no 'widths'. Give them, or the form 'palette' in a rule.");
        return [.. Array(json, "palettes").Select(w => Integer(w, "palettes") is var bits && PaletteWidths.Contains(bits) ? bits
            : throw w.Error($"'palettes' has {w.Text}. Valid values are {string.Join(", ", PaletteWidths)}.")).Distinct().Order()];
    }

    private static string Pattern(PositionedJson json)
    {
        var pattern = Text(json, "name");
        if (pattern.Length > MaxPattern)
            throw json.Error($"'name' has {pattern.Length} characters. Valid are regular expressions of up to {MaxPattern}.");
        try { _ = new Regex(pattern, PatternOptions, PatternTimeout); }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw json.Error($"'name' is not a valid regular expression: {e.Message} Valid are .NET expressions without lookaround and back references.");
        }
        return pattern;
    }

    private static RecipeCalibration Calibration(PositionedJson json)
    {
        var members = Members(json, "'calibration'", "method", "percentile", "samples");
        var result = new RecipeCalibration();
        if (members.TryGetValue("method", out var method))
        {
            result = result with
            {
                Method = Choice(method, "method", Methods) switch
                {
                    0 => CalibrationMethod.Auto, 1 => CalibrationMethod.MinMax, 2 => CalibrationMethod.Percentile, _ => CalibrationMethod.Mse,
                },
            };
        }
        if (members.TryGetValue("percentile", out var percentile))
        {
            if (percentile.Number is not { } share) throw WrongType(percentile, "percentile", "a number");
            if (share is not (>= 50 and <= 100))
                throw percentile.Error($"'percentile' is {percentile.Text}. Valid values are 50 to 100.");
            result = result with { Percentile = share };
        }
        if (members.TryGetValue("samples", out var samples))
        {
            var count = Integer(samples, "samples");
            if (count is < 1 or > 100_000) throw samples.Error($"'samples' is {samples.Text}. Valid values are 1 to 100000.");
            result = result with { Samples = count };
        }
        return result;
    }

    private static Dictionary<string, PositionedJson> Members(PositionedJson json, string what, params string[] keys)
    {
        if (json.Kind != JsonTokenType.StartObject)
            throw json.Error(Codes.RecipeWrongType, $"{what} is {Found(json)}. Valid is an object with {string.Join(", ", keys)}.");
        foreach (var (key, _) in json.Members)
        {
            if (keys.Contains(key.Text)) continue;
            var near = Spelling.Nearest(key.Text, keys);
            throw key.Error(Codes.RecipeUnknownKey,
                $"'{key.Text}' is not a key of {what}.{(near is null ? "" : $" Did you mean '{near}'?")} Valid keys are {string.Join(", ", keys)}.");
        }
        return json.Members.ToDictionary(m => m.Key.Text, m => m.Value);
    }

    private static string Text(PositionedJson json, string key) => json.Kind == JsonTokenType.String ? json.Text : throw WrongType(json, key, "text");

    private static bool Boolean(PositionedJson json, string key) =>
        json.Kind is JsonTokenType.True or JsonTokenType.False ? json.Kind == JsonTokenType.True : throw WrongType(json, key, "true or false");

    private static int Integer(PositionedJson json, string key)
    {
        if (json.Kind != JsonTokenType.Number) throw WrongType(json, key, "a whole number");
        return json.Whole ?? throw json.Error($"'{key}' is {json.Text}. Valid values are whole numbers.");
    }

    private static List<PositionedJson> Array(PositionedJson json, string key, string valid = "a list") =>
        json.Kind == JsonTokenType.StartArray ? json.Items : throw WrongType(json, key, valid);

    private static int Choice(PositionedJson json, string key, IReadOnlyList<string> valid)
    {
        var text = Text(json, key);
        for (var i = 0; i < valid.Count; i++) if (valid[i] == text) return i;
        var near = Spelling.Nearest(text, valid);
        throw json.Error(
            $"'{key}' is '{text}'.{(near is null ? "" : $" Did you mean '{near}'?")} Valid values are {string.Join(", ", valid)}.");
    }

    private static CompressionException WrongType(PositionedJson json, string key, string valid) =>
        json.Error(Codes.RecipeWrongType, $"'{key}' is {Found(json)}. Valid is {valid}.");

    private static string Found(PositionedJson json) => json.Kind switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "text",
        JsonTokenType.Number => "a number",
        JsonTokenType.Null => "null",
        _ => json.Text,
    };
}
