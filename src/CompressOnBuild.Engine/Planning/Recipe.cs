using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Operators;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Planning;

/// <summary>
/// What a rule asks for a weight. The planner resolves it by what the operator and the target can do: a form that would be slower than
/// float where a faster one exists falls back in this order: Static -> Dynamic -> Weights; each fallback is a reason in the report.
/// </summary>
public enum WeightForm
{
    /// <summary>Leave the weight alone.</summary>
    None,
    /// <summary>The planner chooses by measuring; needs <see cref="Recipe.Search"/>.</summary>
    Auto,
    /// <summary>Static QDQ: int8 weights and activations with calibrated ranges.</summary>
    Static,
    /// <summary>int8 weights, activations quantized at run time.</summary>
    Dynamic,
    /// <summary>Integer weights only (8 bits or fewer), float arithmetic.</summary>
    Weights,
    /// <summary>Indices (1 to 8 bits) into a palette fitted to the weight, float arithmetic.</summary>
    Palette,
    /// <summary>Weights stored as float16, float arithmetic.</summary>
    Fp16,
}

/// <summary>One rule: where it applies, and what it asks.</summary>
/// <param name="Operators">Types of the nodes that read the weight; empty matches all.</param>
/// <param name="NamePattern">Regular expression (without backtracking) on the weight's name; null matches all.</param>
/// <param name="Form">What it asks for.</param>
/// <param name="Bits">Bits per element of the new form; 0 for <see cref="WeightForm.None"/>.</param>
public sealed record RecipeRule(IReadOnlyList<string> Operators, string? NamePattern, WeightForm Form, int Bits)
{
    /// <summary>Inputs of a matrix product that share a scale, of the form weights; 0: all of an output's.</summary>
    public int Block { get; init; }

    /// <summary>Which elements become zero before the others take their form; null: none on purpose.</summary>
    internal PruningTarget? Pruning { get; init; }

    // Patterns come from files: a backtracking one must not hang the build, so none backtracks.
    private readonly Regex? name = NamePattern is null ? null : new Regex(NamePattern, RecipeReader.PatternOptions, RecipeReader.PatternTimeout);

    /// <summary>Whether the rule is for names like <paramref name="weight"/>, whatever reads it.</summary>
    /// <exception cref="CompressionException">COB2003: the pattern takes too long on this name.</exception>
    public bool MatchesName(string weight)
    {
        try { return name is null || name.IsMatch(weight); }
        catch (RegexMatchTimeoutException e)
        {
            throw new CompressionException(Codes.RecipeInvalidValue, $"the pattern '{NamePattern}' of a rule takes more than {RecipeReader.PatternTimeout.TotalSeconds} s "
                + $"on the name '{weight}'. Valid are patterns that are quick to match: write a simpler one.", inner: e);
        }
    }

    /// <summary>Whether the rule applies to a weight called <paramref name="weight"/> of a node of type <paramref name="operatorType"/>.</summary>
    /// <exception cref="CompressionException">COB2003: the pattern takes too long on this name.</exception>
    public bool Matches(string operatorType, string weight) => (Operators.Count == 0 || Operators.Contains(operatorType)) && MatchesName(weight);
}

/// <summary>What to do with which weight: a preset, or a file of the user's. Immutable.</summary>
public sealed record Recipe
{
    private const string PresetPrefix = "Presets/";

    /// <summary>The preset's name, or the file's name without folder and extension.</summary>
    public required string Name { get; init; }
    /// <summary>What it is for, in the author's words; may be empty.</summary>
    public string Description { get; init; } = "";
    /// <summary>Whether the planner may try several plans on the selection split and keep the best.</summary>
    public bool Search { get; init; }
    /// <summary>The rules in file order; the last one that matches a weight decides.</summary>
    public IReadOnlyList<RecipeRule> Rules { get; init; } = [];
    /// <summary>Widths in bits (2 to 8, ascending) among which a search chooses for each weight, activations staying floats; empty: 8 only, and forms are searched instead.</summary>
    public IReadOnlyList<int> Widths { get; init; } = [];
    /// <summary>Wall time that the search may take where the request names none; null: no bound.</summary>
    public TimeSpan? TimeBudget { get; init; }
    /// <summary>Those of 1 to 8 bits in which a search over <see cref="Widths"/> may give a weight a palette instead of integers; empty: none.</summary>
    public IReadOnlyList<int> Palettes { get; init; } = [];
    /// <summary>Shares of zeros (ascending) that a search tries in rounds, one after the other, until one loses too much; empty: none.</summary>
    public IReadOnlyList<double> Sparsities { get; init; } = [];
    /// <summary>How activation ranges are found.</summary>
    public RecipeCalibration Calibration { get; init; } = new();
    /// <summary>Whether the mean error of quantized weights is added to the bias.</summary>
    public bool BiasCorrection { get; init; } = true;
    /// <summary>Whether calibration data repair the rounding of weights (<see cref="Techniques.Quantization.ErrorFeedback"/>).</summary>
    public bool ErrorFeedback { get; init; } = true;
    /// <summary>Whether channels between layers are scaled so that the weights on both sides have equal ranges (<see cref="Techniques.Scaling.CrossLayerEqualization"/>).</summary>
    public bool Equalization { get; init; }
    /// <summary>Whether channels of quantized activations are scaled towards equal ranges (<see cref="Techniques.Scaling.ScaleMigration"/>).</summary>
    public bool Smoothing { get; init; }
    internal bool ScalesChannels => Equalization || Smoothing;
    /// <summary>What changes the graph before weights are quantized, in order.</summary>
    public IReadOnlyList<RecipeStep> Steps { get; init; } = [];
    /// <summary>Whether how much a step takes away is found by measuring.</summary>
    internal bool SearchesAmounts => Steps.Any(s => s.Amount is null);
    /// <summary>Whether codes are moved to where no single one can be changed for the better (<see cref="Techniques.Quantization.RoundingDescent"/>).</summary>
    public bool RoundingDescent { get; init; }
    internal RoundingRepair Rounding => (ErrorFeedback ? RoundingRepair.ErrorFeedback : 0) | (RoundingDescent ? RoundingRepair.Descent : 0);
    /// <summary>Whether each layer of the quantized model is matched to the float model's on calibration data (<see cref="Techniques.Quantization.StatisticsMatching"/>), instead of correcting biases by means alone.</summary>
    public bool StatisticsMatching { get; init; }
    /// <summary>Whether it quantizes activations statically, with ranges that are to be chosen by measuring.</summary>
    internal bool ChoosesRanges => Calibration.Method == CalibrationMethod.Auto && Widths.Count == 0 && Sparsities.Count == 0 && Rules.Any(r => r.Form is WeightForm.Static or WeightForm.Auto);
    /// <summary>Whether it rounds weights by what calibration sees.</summary>
    internal bool RoundsByCalibration => Rounding != RoundingRepair.None && (Search || Rules.Any(r => r.Form is not (WeightForm.None or WeightForm.Fp16)));

    /// <summary>The operators a rule can name.</summary>
    public static IReadOnlyList<string> Operators { get; } = [.. OperatorTable.Rows.Select(r => r.OpType).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Names of the presets that ship inside.</summary>
    public static IReadOnlyList<string> Presets { get; } = [.. typeof(Recipe).Assembly.GetManifestResourceNames()
        .Where(n => n.StartsWith(PresetPrefix, StringComparison.Ordinal)).Select(n => n[PresetPrefix.Length..^".json".Length]).Order(StringComparer.Ordinal)];

    /// <summary>The text of a preset, or null when there is none of that name.</summary>
    public static string? PresetText(string name) => Presets.Contains(name) ? Resource(PresetPrefix + name + ".json") : null;

    /// <summary>The JSON schema of recipe files.</summary>
    public static string Schema => Resource("recipe.schema.json");

    /// <summary>
    /// The preset called <paramref name="nameOrPath"/>, else the recipe file of that path.
    /// </summary>
    /// <exception cref="CompressionException">COB2001 to COB2008, with line and column where there is one.</exception>
    public static Recipe Load(string nameOrPath)
    {
        if (PresetText(nameOrPath) is { } preset) return RecipeReader.Read(Encoding.UTF8.GetBytes(preset), nameOrPath, nameOrPath);
        if (!File.Exists(nameOrPath))
            throw new CompressionException(Codes.RecipeNotFound,
                $"there is no recipe '{nameOrPath}'.{Spelling.Hint(nameOrPath, Presets)} Presets are {string.Join(", ", Presets)}. Use one of them, or the path of an existing recipe file (*.json).");
        byte[] bytes;
        try { bytes = File.ReadAllBytes(nameOrPath); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.RecipeUnreadable, $"the recipe cannot be read: {e.Message} Check the path and its permissions.", nameOrPath, inner: e);
        }
        return RecipeReader.Read(bytes, Path.GetFileNameWithoutExtension(nameOrPath), nameOrPath);
    }

    /// <summary>Whether no weight can be changed: the model is only measured.</summary>
    public bool LeavesEverything => !Search && Steps.Count == 0 && Rules.All(r => r.Form == WeightForm.None);

    /// <summary>The form and bits for a weight: the last rule that matches decides; without one the weight is left alone.</summary>
    public (WeightForm Form, int Bits) For(string operatorType, string weight)
    {
        for (var i = Rules.Count - 1; i >= 0; i--)
            if (Rules[i].Matches(operatorType, weight)) return (Rules[i].Form, Rules[i].Bits);
        return (WeightForm.None, 0);
    }

    /// <summary>As <see cref="RecipeRule.Block"/> of the rule that decides.</summary>
    public int BlockFor(string operatorType, string weight) => Rules.LastOrDefault(r => r.Matches(operatorType, weight))?.Block ?? 0;

    /// <summary>The zeros that the deciding rule asks for.</summary>
    internal PruningTarget? PruningFor(string operatorType, string weight) => Rules.LastOrDefault(r => r.Matches(operatorType, weight))?.Pruning;

    /// <summary>SHA-256 (lower-case hex) of what the recipe asks: equal for equal meaning, whatever the file's layout, name and description.</summary>
    public string Sha256
    {
        get
        {
            var text = new StringBuilder("recipe 1\n");
            text.Append(CultureInfo.InvariantCulture, $"search {Search}\nbiasCorrection {BiasCorrection}\nerrorFeedback {ErrorFeedback}\n");
            if (TimeBudget is { } budget) text.Append(CultureInfo.InvariantCulture, $"timeBudget {budget.TotalSeconds:R}\n");
            if (RoundingDescent) text.Append("roundingDescent\n");
            if (StatisticsMatching) text.Append("statisticsMatching\n");
            if (Equalization) text.Append("equalization\n");
            if (Smoothing) text.Append("smoothing\n");
            if (Widths.Count > 0) text.Append(CultureInfo.InvariantCulture, $"widths {string.Join(",", Widths)}\n");
            if (Palettes.Count > 0) text.Append(CultureInfo.InvariantCulture, $"palettes {string.Join(",", Palettes)}\n");
            if (Sparsities.Count > 0) text.Append(CultureInfo.InvariantCulture, $"sparsities {string.Join(",", Sparsities.Select(v => v.ToString("R", CultureInfo.InvariantCulture)))}\n");
            text.Append(CultureInfo.InvariantCulture, $"calibration {Calibration.Method} {Calibration.Percentile:R} {Calibration.Samples}\n");
            foreach (var step in Steps)
            {
                text.Append(CultureInfo.InvariantCulture, $"step {step.Kind} {step.By} {step.Amount?.ToString("R", CultureInfo.InvariantCulture) ?? "searched"} {string.Join(",", step.Operators.Order(StringComparer.Ordinal))} ");
                text.Append(CultureInfo.InvariantCulture, $"{step.NamePattern?.Length ?? -1} {step.NamePattern}\n");
            }
            foreach (var rule in Rules)
            {
                // Lengths before texts: no pattern can imitate another rule.
                text.Append(CultureInfo.InvariantCulture, $"rule {rule.Form} {rule.Bits} {string.Join(",", rule.Operators.Order(StringComparer.Ordinal))} ");
                text.Append(CultureInfo.InvariantCulture, $"{rule.NamePattern?.Length ?? -1} {rule.NamePattern}\n");
                if (rule.Block > 0) text.Append(CultureInfo.InvariantCulture, $"block {rule.Block}\n");
                if (rule.Pruning is { } zeros) text.Append(CultureInfo.InvariantCulture, $"pruning {zeros.Method} {zeros.Share:R} {zeros.Zeros}:{zeros.Of}\n");
            }
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
        }
    }

    private static string Resource(string name)
    {
        using var stream = typeof(Recipe).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
