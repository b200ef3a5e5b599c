namespace CompressOnBuild.Diagnostics;

/// <summary>"Did you mean": the nearest of some words.</summary>
public static class Spelling
{
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
            var distance = Distance(text.ToLowerInvariant(), word.ToLowerInvariant());
            if (distance >= bestDistance || distance > Math.Max(1, Math.Max(word.Length, text.Length) / 3)) continue;
            (best, bestDistance) = (word, distance);
        }
        return best;
    }

    private static int Distance(string a, string b)
    {
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++) row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
