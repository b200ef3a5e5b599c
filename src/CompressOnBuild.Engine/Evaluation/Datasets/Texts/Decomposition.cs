using System.Globalization;
using System.Text;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>
/// Unicode's canonical decomposition (Unicode 14, UAX 15) without reordering of marks. The runtime's own needs ICU, which is not everywhere;
/// <c>decompositions.txt</c> has a line for each character that has one: it, then its full decomposition. Hangul syllables are computed
/// (Unicode Standard 3.12).
/// </summary>
internal static class Decomposition
{
    private static readonly Lazy<Dictionary<int, string>> Table = new(() =>
    {
        using var stream = typeof(Decomposition).Assembly.GetManifestResourceStream("Texts/decompositions.txt")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var table = new Dictionary<int, string>();
        while (reader.ReadLine() is { } line)
        {
            var rune = Rune.GetRuneAt(line, 0);
            table[rune.Value] = line[rune.Utf16SequenceLength..];
        }
        return table;
    });

    /// <summary>The text with every character decomposed, and without nonspacing marks where <paramref name="strip"/>.</summary>
    public static string Decompose(string text, bool strip)
    {
        if (Ascii.IsValid(text)) return text;
        var result = new StringBuilder(text.Length + 8);
        foreach (var rune in text.EnumerateRunes())
        {
            const int first = 0xAC00, leading = 0x1100, vowels = 0x1161, trailing = 0x11A7, vowelCount = 21, trailingCount = 28;
            var syllable = rune.Value - first;
            if (syllable is >= 0 and < 11172)
            {
                result.Append((char)(leading + syllable / (vowelCount * trailingCount))).Append((char)(vowels + syllable % (vowelCount * trailingCount) / trailingCount));
                if (syllable % trailingCount is > 0 and var last) result.Append((char)(trailing + last));
            }
            else if (Table.Value.TryGetValue(rune.Value, out var parts))
            {
                foreach (var part in parts.EnumerateRunes()) Append(part);
            }
            else Append(rune);
        }
        return result.ToString();

        void Append(Rune rune)
        {
            if (!strip || Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark) result.Append(rune.ToString());
        }
    }
}
