using CompressOnBuild.Numerics;

namespace CompressOnBuild.Diagnostics;

/// <summary>"Did you mean": the nearest of some words.</summary>
internal static class Spelling
{
    /// <summary><c> Did you mean 'top1'?</c>, to stand behind a sentence; empty where no word is near.</summary>
    public static string Hint(string text, IEnumerable<string> words)
    {
        var all = words.ToList();
        // 'int4' is nearer to 'int8' by letters, and means 'int4-weights'.
        var near = all.FirstOrDefault(w => text.Length >= 3 && w.StartsWith(text + "-", StringComparison.OrdinalIgnoreCase)) ?? Nearest(text, all);
        return near is null ? "" : $" Did you mean '{near}'?";
    }

    /// <summary>
    /// The word of <paramref name="words"/> with the smallest Levenshtein distance to <paramref name="text"/> (case ignored; the first one of
    /// equals), or null when none is within a third of its length, where a hint would be a guess.
    /// </summary>
    public static string? Nearest(string text, IEnumerable<string> words)
    {
        if (text.Length > 100) return null;
        string? best = null;
        var bestDistance = int.MaxValue;
        foreach (var word in words)
        {
            var distance = EditDistance.Of<char>(text.ToLowerInvariant(), word.ToLowerInvariant());
            if (distance >= bestDistance || distance > Math.Max(1, Math.Max(word.Length, text.Length) / 3)) continue;
            (best, bestDistance) = (word, distance);
        }
        return best;
    }
}
