using System;
using System.Collections.Generic;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Which of our metadata a name may stand for that is none of ours: some letters are wrong (<c>Recipie</c>), or words are missing or others
/// (<c>AccuracyDrop</c>, <c>CalibrationSet</c>). Items carry metadata of their owners and of MSBuild, too, so anything further away is theirs.
/// (The engine's list of near words is not used: nothing of the engine is loaded into the build.)
/// </summary>
internal static class MetadataSpelling
{
    /// <summary>What MSBuild and the SDK put on items, or read from them.</summary>
    private static readonly HashSet<string> s_wellKnown = new(StringComparer.OrdinalIgnoreCase)
    {
        "FullPath", "RootDir", "Filename", "Extension", "RelativeDir", "Directory", "RecursiveDir", "Identity", "ModifiedTime", "CreatedTime", "AccessedTime",
        "OriginalItemSpec", "MSBuildSourceProjectFile", "MSBuildSourceTargetName", "Link", "LinkBase", "Visible", "Pack", "PackagePath", "PackageCopyToOutput", "TargetPath",
        "CopyToOutputDirectory", "CopyToPublishDirectory", "BuildAction", "Generator", "LastGenOutput", "CustomToolNamespace", "DependentUpon", "SubType", "Culture", "WithCulture", "ExcludeFromSingleFile",
    };
    private static readonly Dictionary<string, string> s_synonyms = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Set"] = "Data", ["Dataset"] = "Data", ["Path"] = "Data", ["File"] = "Data", ["Files"] = "Data", ["Folder"] = "Data", ["Dir"] = "Data", ["Directory"] = "Data", ["Samples"] = "Data", ["Images"] = "Data",
        ["Loss"] = "Drop",
    };
    /// <summary>A word that alone says which metadata is meant; <c>Name</c>, <c>Size</c> and <c>Data</c> are anybody's.</summary>
    private const int TellingWord = 7;
    private const int ShortestStart = 3;

    /// <summary>The first of <paramref name="known"/> that <paramref name="name"/> may stand for; null where it is one of them, or nobody's error.</summary>
    internal static string? Meant(string name, string[] known)
    {
        if (name.Length <= ShortestStart || s_wellKnown.Contains(name) || name.StartsWith("DefiningProject", StringComparison.OrdinalIgnoreCase)
            || Array.Exists(known, k => string.Equals(k, name, StringComparison.OrdinalIgnoreCase)))
            return null;
        int most = name.Length < 6 ? 1 : 2;
        List<string> words = Words(name);
        // 'Evaluation' is nearer to 'Evaluator' by letters, and means 'EvaluationData'.
        return (name.Length >= TellingWord ? Array.Find(known, k => k.StartsWith(name, StringComparison.OrdinalIgnoreCase)) : null)
            ?? Array.Find(known, k => Math.Abs(k.Length - name.Length) <= most && Distance(name, k) <= most)
            ?? Array.Find(known, k => LacksWords(words, Words(k)));
    }

    /// <summary>Whether all words of a name are among those of another, in their order.</summary>
    private static bool LacksWords(List<string> words, List<string> known)
    {
        if (words.Count == 1 && (words[0].Length < TellingWord || s_synonyms.ContainsKey(words[0])))
            return false;
        int at = 0;
        foreach (string word in words)
        {
            while (at < known.Count && !IsSameWord(word, known[at]))
                at++;
            if (at++ == known.Count)
                return false;
        }
        return true;
    }

    // 'Eval' is short for 'Evaluation', 'Maximum' long for 'Max'.
    private static bool IsSameWord(string a, string b) =>
        (Math.Min(a.Length, b.Length) >= ShortestStart && (a.StartsWith(b, StringComparison.OrdinalIgnoreCase) || b.StartsWith(a, StringComparison.OrdinalIgnoreCase)))
        || (s_synonyms.TryGetValue(a, out string? word) && word == b);

    private static List<string> Words(string name)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        foreach (char c in name)
        {
            if ((char.IsUpper(c) || !char.IsLetterOrDigit(c)) && word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }
            if (char.IsLetterOrDigit(c))
                word.Append(c);
        }
        if (word.Length > 0)
            words.Add(word.ToString());
        return words;
    }

    /// <summary>Edits (insert, delete, replace, swap of neighbours) between two names, ignoring case.</summary>
    private static int Distance(string a, string b)
    {
        var rows = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            rows[i, 0] = i;
        for (int j = 0; j <= b.Length; j++)
            rows[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int cost = char.ToUpperInvariant(a[i - 1]) == char.ToUpperInvariant(b[j - 1]) ? 0 : 1;
                int best = Math.Min(Math.Min(rows[i - 1, j] + 1, rows[i, j - 1] + 1), rows[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && char.ToUpperInvariant(a[i - 1]) == char.ToUpperInvariant(b[j - 2]) && char.ToUpperInvariant(a[i - 2]) == char.ToUpperInvariant(b[j - 1]))
                    best = Math.Min(best, rows[i - 2, j - 2] + 1);
                rows[i, j] = best;
            }
        }
        return rows[a.Length, b.Length];
    }
}
