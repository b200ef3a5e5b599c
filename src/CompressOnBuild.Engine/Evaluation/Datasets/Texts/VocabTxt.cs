using System.Text;
using CompressOnBuild.Diagnostics;
using Microsoft.ML.Tokenizers;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>
/// <c>vocab.txt</c> of BERT: one WordPiece per line, its number the id. <c>tokenizer_config.json</c> beside it says whether letters become lower
/// case (<c>do_lower_case</c>, default true, but required where the vocabulary has capital letters), <c>strip_accents</c> (default as
/// <c>do_lower_case</c>) and <c>tokenize_chinese_chars</c> (default true).
/// </summary>
internal static class VocabTxt
{
    private const int LargestFile = 64 << 20;
    private static readonly string[] Special = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"];

    public static TextTokenizer Load(string path, TokenizerConfig config)
    {
        if (new FileInfo(path).Length > LargestFile) throw new CompressionException(Codes.TokenizerInvalid, $"the vocabulary is larger than {LargestFile} bytes. It holds one piece a line. Check that it is the right file.", path);
        string[] lines;
        try { lines = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)).TrimStart('\uFEFF').ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'); }
        catch (DecoderFallbackException e)
        {
            throw new CompressionException(Codes.TokenizerInvalid, "the vocabulary is no valid UTF-8. Save it as UTF-8, one piece a line.", path, inner: e);
        }
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < lines.Length; i++)
            if (!ids.TryAdd(lines[i], i) && lines[i].Length > 0)
                throw new CompressionException(Codes.TokenizerInvalid, $"the piece '{lines[i]}' is there twice, first in line {ids[lines[i]] + 1}. Each piece has one line. Download the file again.", path, i + 1, 1);
        foreach (var token in new[] { "[UNK]", "[CLS]", "[SEP]" })
            if (!ids.ContainsKey(token)) throw new CompressionException(Codes.TokenizerInvalid, $"the vocabulary has no '{token}', so it is not that of a BERT tokenizer. Valid is vocab.txt with [UNK], [CLS] and [SEP], or a tokenizer.json. Give one of them.", path);
        // Of letters such as ℝ there is no small one: they are in vocabularies of small letters too.
        if (config.LowerCase is null && lines.Any(l => !l.StartsWith('[') && l != l.ToLowerInvariant()))
            throw new CompressionException(Codes.TokenizerInvalid, "the vocabulary has capital letters, and nothing says whether texts are made lower case before they are looked up. Valid is a tokenizer_config.json beside it with \"do_lower_case\". Add it, or give a tokenizer.json.", path);
        var lower = config.LowerCase ?? true;
        var model = WordPiece.Create(ids, "[UNK]", "##", 100, new BertText(true, config.SpaceChinese ?? true, config.StripAccents ?? lower, lower), new BertWords(punctuation: true), path);
        TemplatePart begin = new(null, ids["[CLS]"], 0), text = new(0, 0, 0), end = new(null, ids["[SEP]"], 0);
        return new(model, [.. Special.Where(ids.ContainsKey).Select(t => new AddedToken(t, ids[t]))], [begin, text, end], [begin, text, end, new(1, 0, 1), end with { Type = 1 }])
        {
            MaxLength = config.MaxLength, PadId = ids.TryGetValue("[PAD]", out var pad) ? pad : null,
        };
    }
}

/// <summary>The WordPiece model of the library over a vocabulary with any ids.</summary>
internal static class WordPiece
{
    private const int LargestId = 1 << 24;

    public static Tokenizer Create(IReadOnlyDictionary<string, int> vocabulary, string unknown, string prefix, int longestWord, Normalizer? normalizer, PreTokenizer words, string path)
    {
        // The library reads a vocabulary as lines whose numbers are the ids.
        var lines = new string[vocabulary.Count == 0 ? 0 : Math.Min(LargestId, vocabulary.Values.Max()) + 1];
        foreach (var (piece, id) in vocabulary)
        {
            if (id is < 0 or >= LargestId || lines[id] is not null) throw new CompressionException(Codes.TokenizerInvalid, $"the id {id} of the piece '{piece}' is below 0, above {LargestId} or given twice. Each piece has an id of its own. Download the file again.", path);
            if (piece.AsSpan().ContainsAny('\r', '\n')) throw new CompressionException(Codes.TokenizerUnsupported, $"the piece {id} holds a line end, which is not supported. Store the token ids as .npz or .jsonl instead of texts.", path);
            lines[id] = piece;
        }
        if (!vocabulary.ContainsKey(unknown)) throw new CompressionException(Codes.TokenizerInvalid, $"the unknown token '{unknown}' is not in the vocabulary. Download the file again.", path);
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines)));
        return WordPieceTokenizer.Create(stream, new WordPieceOptions { UnknownToken = unknown, ContinuingSubwordPrefix = prefix, MaxInputCharsPerWord = longestWord, Normalizer = normalizer, PreTokenizer = words });
    }
}
