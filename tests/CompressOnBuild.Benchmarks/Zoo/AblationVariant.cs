using System.Text.Json;
using System.Text.Json.Nodes;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>One thing of a recipe that is switched: the technique it takes away, and how it is spelled in the file.</summary>
internal sealed record AblationVariant(string Technique, string Switched, Action<JsonObject> Apply)
{
    /// <summary>Every technique off, and every other method of calibration.</summary>
    public static IReadOnlyList<AblationVariant> All { get; } =
    [
        new("bias correction", "biasCorrection false", r => r["biasCorrection"] = false),
        new("error feedback", "errorFeedback false", r => r["errorFeedback"] = false),
        Toggle("rounding by coordinate descent", "roundingDescent"),
        Toggle("statistics matching", "statisticsMatching"),
        Toggle("cross-layer equalization", "equalization"),
        Toggle("scale migration", "smoothing"),
        new("cross-layer equalization and scale migration", "equalization and smoothing true", r => (r["equalization"], r["smoothing"]) = (true, true)),
        new("bias correction and error feedback", "both false", r => (r["biasCorrection"], r["errorFeedback"]) = (false, false)),
        .. new[] { "minmax", "percentile", "mse" }.Select(method => new AblationVariant("calibration method", $"method {method}", r =>
        {
            if (r["calibration"] is not JsonObject calibration) r["calibration"] = calibration = [];
            calibration["method"] = method;
        })),
    ];

    // On where the recipe has it off, and off where it has it on.
    private static AblationVariant Toggle(string technique, string key) => new(technique, $"{key} switched", r => r[key] = r[key]?.GetValue<bool>() != true);

    /// <summary>
    /// Writes the recipe <paramref name="text"/> with the thing switched to <paramref name="file"/>. False where the recipe is already so: there
    /// would be nothing to compare.
    /// </summary>
    public bool Write(string text, string file)
    {
        var recipe = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })!.AsObject();
        // Compared as the engine reads it: a switch that it does not see would pass for a technique that buys nothing.
        WriteText(recipe, file);
        var before = Recipe.Load(file).Sha256;
        Apply(recipe);
        WriteText(recipe, file);
        return Recipe.Load(file).Sha256 != before;
    }

    private static void WriteText(JsonObject recipe, string file) =>
        File.WriteAllText(file, recipe.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n");
}
