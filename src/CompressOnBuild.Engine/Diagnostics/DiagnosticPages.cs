namespace CompressOnBuild.Diagnostics;

/// <summary>The pages that explain the codes, embedded so that they can be read offline. Markdown; the first line is <c># COBnnnn: Title</c>.</summary>
public static class DiagnosticPages
{
    private const string Prefix = "Diagnostics/";

    /// <summary>All codes that have a page, in order.</summary>
    public static IReadOnlyList<string> All { get; } = [.. typeof(DiagnosticPages).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(".md", StringComparison.Ordinal))
        .Select(name => name[Prefix.Length..^3]).Order(StringComparer.Ordinal)];

    /// <summary>The page of <paramref name="code"/> (any case), or null when there is no such code.</summary>
    public static string? Get(string code)
    {
        var known = All.FirstOrDefault(c => string.Equals(c, code, StringComparison.OrdinalIgnoreCase));
        if (known is null) return null;
        using var stream = typeof(DiagnosticPages).Assembly.GetManifestResourceStream(Prefix + known + ".md")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
