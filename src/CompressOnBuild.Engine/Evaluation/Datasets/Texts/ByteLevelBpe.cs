using System.Text.Json;
using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;
using Microsoft.ML.Tokenizers;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>The library's byte pair encoding on bytes, as GPT-2 and RoBERTa use it: words by GPT-2's pattern, each with the space before it.</summary>
internal static partial class ByteLevelBpe
{
    public static Tokenizer Create(PositionedJson model, PositionedJson? words, PositionedJson? normalizer, IReadOnlyDictionary<string, int> vocabulary, Func<PositionedJson, string, CompressionException> unsupported, string path)
    {
        if (normalizer is not null) throw unsupported(normalizer, $"the normalizer '{TokenizerJson.Text(normalizer, "type")}' with BPE");
        if (words is null || TokenizerJson.Text(words, "type") != "ByteLevel") throw unsupported(words ?? model, $"BPE {(words is null ? "without a pre_tokenizer" : $"with the pre_tokenizer '{TokenizerJson.Text(words, "type")}'")}");
        if (TokenizerJson.Flag(words, "use_regex") == false) throw unsupported(words, "'use_regex' false");
        foreach (var key in new[] { "dropout", "continuing_subword_prefix", "end_of_word_suffix" })
            if (TokenizerJson.Get(model, key) is { } value && !(value.Kind == JsonTokenType.String && value.Text.Length == 0)) throw unsupported(value, $"BPE with '{key}'");
        foreach (var flag in new[] { "byte_fallback", "ignore_merges" })
            if (TokenizerJson.Flag(model, flag) == true) throw unsupported(model, $"BPE with '{flag}'");
        var merges = TokenizerJson.Get(model, "merges") ?? throw model.Error("'model' has no 'merges'. Download the file again.");
        try
        {
            return BpeTokenizer.Create(new BpeOptions(vocabulary)
            {
                // Older files join both pieces by a space, newer ones give two strings.
                Merges = merges.Items.ConvertAll(m => m.Kind == JsonTokenType.StartArray && m.Items.Count == 2 ? $"{m.Items[0].AsString("merges")} {m.Items[1].AsString("merges")}" : m.AsString("merges")),
                ByteLevel = true,
                PreTokenizer = new RegexPreTokenizer(Words(), null),
                Normalizer = TokenizerJson.Flag(words, "add_prefix_space") == true ? new PrefixSpace() : null,
            });
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or KeyNotFoundException)
        {
            throw new CompressionException(Codes.TokenizerInvalid, $"the tokenizer's merges and vocabulary do not fit together: {e.Message} Download the file again.", path, inner: e);
        }
    }

    /// <summary>Letters and numbers beyond the basic plane, which .NET's patterns do not see as such.</summary>
    public static bool IsUnsupported(string text)
    {
        foreach (var rune in text.EnumerateRunes())
            if (!rune.IsBmp && (System.Text.Rune.IsLetter(rune) || System.Text.Rune.IsNumber(rune))) return true;
        return false;
    }

    // GPT-2's pattern (Radford et al. 2019, encoder.py). Repetition of single classes only: no backtracking to speak of.
    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Words();

    private sealed class PrefixSpace : Normalizer
    {
        public override string Normalize(string original) => original.StartsWith(' ') ? original : " " + original;
        public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());
    }
}
