using System.Globalization;

namespace CompressOnBuild.Planning;

/// <summary>
/// What a plan and its result follow from, as named texts: hashes (SHA-256, lower-case hex), versions and numbers. A part that a request does
/// not have (samples without data) is missing.
/// </summary>
internal sealed record Fingerprint(IReadOnlyDictionary<string, string> Parts)
{
    public const string Gate = "gate", Metrics = "metrics";
    private const int Shown = 8;

    /// <summary>Every part in the order of the lock file, and what messages call it.</summary>
    public static IReadOnlyList<(string Name, string Meaning)> Known { get; } =
    [
        ("model", "the model"), ("recipe", "the recipe"), ("calibration", "the calibration samples"),
        ("selection", "the evaluation samples that a search looks at"), (Gate, "the evaluation samples of the gate"), (Metrics, "Metric"),
        ("maxAccuracyDrop", "MaxAccuracyDrop"), ("maxSize", "MaxSize"), ("maxLatency", "MaxLatency"), ("seed", "Seed"), ("package", "the version of CompressOnBuild"), ("onnxRuntime", "the version of ONNX Runtime"),
        ("capabilities", "what the project's ONNX Runtime can run"),
    ];

    /// <summary>What <paramref name="provenance"/> and the metrics say. The recipe's name, goal and target are the entry's key, not parts.</summary>
    /// <param name="provenance">Hashes and versions.</param>
    /// <param name="metrics">Names of the metrics, the primary one first.</param>
    /// <param name="limits">What a search keeps in mind; null where the recipe does not search.</param>
    public static Fingerprint Of(Provenance provenance, IEnumerable<string> metrics, SearchLimits? limits)
    {
        var parts = new Dictionary<string, string>(StringComparer.Ordinal);
        Add("model", provenance.ModelSha256);
        Add("recipe", provenance.RecipeSha256);
        Add("calibration", provenance.CalibrationSha256);
        Add("selection", provenance.SelectionSha256);
        Add(Gate, provenance.GateSha256);
        Add(Metrics, string.Join(' ', metrics));
        Add("maxAccuracyDrop", limits?.Drop.ToString("R", CultureInfo.InvariantCulture));
        Add("maxSize", limits?.Bytes is { } most ? most.ToString(CultureInfo.InvariantCulture) + (limits.ArePacked ? " packed" : "") : null);
        if (limits is { HasLatency: true }) Add("maxLatency", "asked for");
        Add("seed", provenance.Seed.ToString(CultureInfo.InvariantCulture));
        Add("package", provenance.ToolVersion);
        Add("onnxRuntime", provenance.OnnxRuntimeVersion);
        Add("capabilities", provenance.Runtime?.Capabilities);
        return new Fingerprint(parts);

        void Add(string name, string? text) { if (!string.IsNullOrEmpty(text)) parts.Add(name, text); }
    }

    /// <summary>All parts in one text.</summary>
    public override string ToString() => string.Join('\n', Known.Select(p => $"{p.Name} {Parts.GetValueOrDefault(p.Name)}"));

    /// <summary>What differs in <paramref name="now"/>, in the reader's words: <c>the model (3f2a91c0 -> 77aa0b12)</c>.</summary>
    public IReadOnlyList<string> Changes(Fingerprint now) => [.. Known.Select(p => (p.Meaning, Then: Parts.GetValueOrDefault(p.Name), Now: now.Parts.GetValueOrDefault(p.Name)))
        .Where(p => p.Then != p.Now).Select(p => $"{p.Meaning} ({Short(p.Then)} -> {Short(p.Now)})")];

    private static string Short(string? text) => text is null ? "none" : text.Length == 64 ? text[..Shown] : text;
}
