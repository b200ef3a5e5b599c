using System.Text.Json;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>
/// What the zoo's pages say in words about one model, from <c>models.json</c>: the metrics (the first is the primary one), the
/// <c>evaluation.json</c> that spells out how its outputs are read, and for a model that the zoo has no folder for, where it comes from
/// (<see cref="Npm"/>) and whose lines of text its pages are set from (<see cref="PagesOf"/>).
/// </summary>
internal sealed record ModelSettings(string? Metrics = null, JsonElement? Evaluation = null, string? Npm = null, string? PagesOf = null)
{
    /// <summary>Settings by the name of the model's folder.</summary>
    public static IReadOnlyDictionary<string, ModelSettings> All { get; } = Load();

    private static Dictionary<string, ModelSettings> Load()
    {
        using var stream = typeof(ModelSettings).Assembly.GetManifestResourceStream("models.json")!;
        return JsonSerializer.Deserialize<Dictionary<string, ModelSettings>>(stream, JsonSerializerOptions.Web)!;
    }
}
