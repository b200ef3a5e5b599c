using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>
/// What BERT's tokenizers do to a text before it is split, in this order: control characters dropped and white space made spaces, spaces put
/// around Chinese characters, accents stripped, letters made lower case. The library's own normalizer drops line ends and tabs instead of
/// making them spaces, so words would grow together.
/// </summary>
internal sealed class BertText(bool clean, bool spaceChinese, bool stripAccents, bool lowerCase) : Normalizer
{
    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());

    public override string Normalize(string original)
    {
        var text = original;
        if (clean || spaceChinese)
        {
            var result = new StringBuilder(text.Length + 8);
            foreach (var rune in text.EnumerateRunes())
            {
                if (clean && (rune.Value is 0 or 0xFFFD || IsControl(rune))) continue;
                if (clean && Rune.IsWhiteSpace(rune)) result.Append(' ');
                else if (spaceChinese && IsChinese(rune.Value)) result.Append(' ').Append(rune.ToString()).Append(' ');
                else result.Append(rune.ToString());
            }
            text = result.ToString();
        }
        if (stripAccents) text = Decomposition.Decompose(text, strip: true);
        return lowerCase ? text.ToLowerInvariant() : text;
    }

    private static bool IsControl(Rune rune) => rune.Value is not ('\t' or '\n' or '\r') && Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate;

    private static bool IsChinese(int c) => c is >= 0x4E00 and <= 0x9FFF or >= 0x3400 and <= 0x4DBF or >= 0x20000 and <= 0x2A6DF or >= 0x2A700 and <= 0x2B73F
        or >= 0x2B740 and <= 0x2B81F or >= 0x2B820 and <= 0x2CEAF or >= 0xF900 and <= 0xFAFF or >= 0x2F800 and <= 0x2FA1F;
}

/// <summary>Splits at white space, which is dropped, and where <paramref name="punctuation"/> around each punctuation character as well:
/// that of Unicode and every ASCII character that is neither letter, digit, space nor control.</summary>
internal sealed class BertWords(bool punctuation) : PreTokenizer
{
    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());

    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text)
    {
        int begin = 0, at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            var alone = punctuation && IsPunctuation(rune);
            if (alone || Rune.IsWhiteSpace(rune))
            {
                if (at > begin) yield return (begin, at - begin);
                if (alone) yield return (at, rune.Utf16SequenceLength);
                begin = at + rune.Utf16SequenceLength;
            }
            at += rune.Utf16SequenceLength;
        }
        if (at > begin) yield return (begin, at - begin);
    }

    private static bool IsPunctuation(Rune rune) => rune.IsAscii ? rune.Value is > ' ' and < 127 && !char.IsAsciiLetterOrDigit((char)rune.Value) : Rune.IsPunctuation(rune);
}
