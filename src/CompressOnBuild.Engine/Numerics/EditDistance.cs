namespace CompressOnBuild.Numerics;

/// <summary>Levenshtein's distance (1966): fewest insertions, deletions and substitutions of single elements.</summary>
internal static class EditDistance
{
    /// <summary>The distance of two sequences; time is the product of their lengths, memory the length of <paramref name="b"/>.</summary>
    public static int Of<T>(ReadOnlySpan<T> a, ReadOnlySpan<T> b) where T : IEquatable<T>
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
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1].Equals(b[j - 1]) ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
