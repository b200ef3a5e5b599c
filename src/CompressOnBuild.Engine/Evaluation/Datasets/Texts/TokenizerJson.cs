using System.Text.Json;
using CompressOnBuild.Diagnostics;
using Microsoft.ML.Tokenizers;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>
/// <c>tokenizer.json</c> of Hugging Face's tokenizers: WordPiece models, and BPE models on bytes. What is not understood is an error: a text
/// that is cut differently than in training gives the model other ids, and no figure would show why.
/// </summary>
internal sealed class TokenizerJson
{
    private static readonly JsonKind Kind = new("the file", 128 << 20, Codes.TokenizerInvalid);

    private readonly PositionedJson root;
    private readonly PositionedJson model;
    private readonly string path;
    private readonly Dictionary<string, int> vocabulary = new(StringComparer.Ordinal);

    private TokenizerJson(PositionedJson root, string path)
    {
        (this.root, this.path) = (root, path);
        model = Get(root, "model") ?? throw root.Error("there is no 'model'. A tokenizer.json is what save_pretrained of a fast tokenizer writes. Download the file again.");
        var pieces = Get(model, "vocab") ?? throw model.Error("'model' has no 'vocab'. Download the file again.");
        if (pieces.Kind == JsonTokenType.StartArray) throw Unsupported(model, "the model 'Unigram'");
        foreach (var (piece, id) in pieces.AsObject("vocab")) vocabulary[piece.Text] = id.AsInt(piece.Text, 0, 1 << 24);
    }

    public static TextTokenizer Load(string path, TokenizerConfig config) => new TokenizerJson(PositionedJson.Load(path, Kind), path).Create(config);

    private TextTokenizer Create(TokenizerConfig config)
    {
        var normalizer = Get(root, "normalizer");
        var added = (Get(root, "added_tokens")?.Items ?? []).ConvertAll(t => Added(t, normalizer is not null));
        // Added tokens may stand outside of the model's vocabulary.
        foreach (var token in added) vocabulary.TryAdd(token.Text, token.Id);
        var type = Text(model, "type") ?? (Get(model, "merges") is null ? "WordPiece" : "BPE");
        var tokenizer = type switch
        {
            "WordPiece" => WordPieceModel(normalizer),
            "BPE" => ByteLevelBpe.Create(model, Get(root, "pre_tokenizer"), normalizer, vocabulary, Unsupported, path),
            _ => throw Unsupported(model, $"the model '{type}'"),
        };
        var (single, pair) = Templates(Get(root, "post_processor"));
        var result = new TextTokenizer(tokenizer, added, single, pair) { MaxLength = Truncation() ?? config.MaxLength };
        return Padding(result);
    }

    private AddedToken Added(PositionedJson token, bool isNormalized)
    {
        var content = Text(token, "content") ?? throw token.Error("the added token has no 'content'. Download the file again.");
        if (content.Length == 0) throw token.Error("the added token is empty. Download the file again.");
        foreach (var flag in new[] { "single_word", "lstrip", "rstrip" })
            // <mask> of RoBERTa takes the space before it; a text to classify does not hold it.
            if (Flag(token, flag) == true && !(flag == "lstrip" && content == "<mask>")) throw Unsupported(token, $"the added token '{content}' with '{flag}'");
        if (isNormalized && Flag(token, "normalized") == true) throw Unsupported(token, $"the added token '{content}' with 'normalized'");
        return new(content, (Get(token, "id") ?? throw token.Error("the added token has no 'id'. Download the file again.")).AsInt("id", 0, 1 << 24));
    }

    private Tokenizer WordPieceModel(PositionedJson? normalizer)
    {
        var words = Get(root, "pre_tokenizer") is not { } given ? throw Unsupported(root, "WordPiece without a 'pre_tokenizer'") : Text(given, "type") switch
        {
            "BertPreTokenizer" => new BertWords(punctuation: true),
            "WhitespaceSplit" => new BertWords(punctuation: false),
            var other => throw Unsupported(given, $"the pre_tokenizer '{other}' with WordPiece"),
        };
        return WordPiece.Create(vocabulary, Text(model, "unk_token") ?? "[UNK]", Text(model, "continuing_subword_prefix") ?? "##",
            Get(model, "max_input_chars_per_word")?.AsInt("max_input_chars_per_word", 1, 1 << 16) ?? 100, Normalizing(normalizer), words, path);
    }

    private BertText? Normalizing(PositionedJson? normalizer)
    {
        if (normalizer is null) return null;
        switch (Text(normalizer, "type"))
        {
            case "BertNormalizer":
                var lower = Flag(normalizer, "lowercase") ?? true;
                return new(Flag(normalizer, "clean_text") ?? true, Flag(normalizer, "handle_chinese_chars") ?? true, Flag(normalizer, "strip_accents") ?? lower, lower);
            case "Lowercase": return new(false, false, false, lowerCase: true);
            case "Sequence" when (Get(normalizer, "normalizers")?.Items ?? []).ConvertAll(n => Text(n, "type")) is ["NFD", "Lowercase", "StripAccents"] or ["Lowercase", "NFD", "StripAccents"] or ["NFD", "StripAccents", "Lowercase"]:
                return new(false, false, stripAccents: true, lowerCase: true);
            case var other: throw Unsupported(normalizer, $"the normalizer '{other}'");
        }
    }

    private (IReadOnlyList<TemplatePart> Single, IReadOnlyList<TemplatePart>? Pair) Templates(PositionedJson? processor)
    {
        TemplatePart text = new(0, 0, 0), second = new(1, 0, 1);
        switch (processor is null ? null : Text(processor, "type"))
        {
            case null or "ByteLevel": return ([text], [text, second]);
            case "BertProcessing":
                TemplatePart begin = Token("cls"), end = Token("sep");
                return ([begin, text, end], [begin, text, end, second, end with { Type = 1 }]);
            case "RobertaProcessing":
                (begin, end) = (Token("cls"), Token("sep"));
                return ([begin, text, end], [begin, text, end, end, second with { Type = 0 }, end]);
            case "TemplateProcessing": return (Template("single") ?? throw processor!.Error("'post_processor' has no 'single'. Download the file again."), Template("pair"));
            case var other: throw Unsupported(processor!, $"the post_processor '{other}'");
        }

        TemplatePart Token(string key) => Get(processor!, key) is { Items: [_, var id] } ? new(null, id.AsInt(key, 0, 1 << 24), 0)
            : throw processor!.Error($"'post_processor' has no '{key}' of a token and its id. Download the file again.");

        List<TemplatePart>? Template(string key) => Get(processor!, key)?.Items.SelectMany(p => Part(p)).ToList();

        IEnumerable<TemplatePart> Part(PositionedJson part)
        {
            if (Get(part, "Sequence") is { } sequence) return [new(Text(sequence, "id") == "B" ? 1 : 0, 0, TypeOf(sequence))];
            if (Get(part, "SpecialToken") is not { } token) throw Unsupported(part, "a part of 'post_processor' that is neither Sequence nor SpecialToken");
            var name = Text(token, "id");
            var ids = Get(processor!, "special_tokens") is { } all && name is not null && Get(all, name) is { } special ? Get(special, "ids")?.Items : null;
            return (ids ?? throw token.Error($"'special_tokens' does not say the ids of '{name}'. Download the file again.")).Select(i => new TemplatePart(null, i.AsInt("ids", 0, 1 << 24), TypeOf(token)));
        }

        static int TypeOf(PositionedJson part) => Get(part, "type_id")?.AsInt("type_id", 0, int.MaxValue) ?? 0;
    }

    private int? Truncation()
    {
        if (Get(root, "truncation") is not { } truncation) return null;
        if (Text(truncation, "direction") is { } direction and not "Right") throw Unsupported(truncation, $"'truncation' with the direction '{direction}'");
        if (Text(truncation, "strategy") is { } strategy and not ("LongestFirst" or "longest_first")) throw Unsupported(truncation, $"'truncation' with the strategy '{strategy}'");
        return Get(truncation, "max_length")?.AsInt("max_length", 1, 1 << 20);
    }

    private TextTokenizer Padding(TextTokenizer tokenizer)
    {
        if (Get(root, "padding") is not { } padding)
        {
            foreach (var token in new[] { "[PAD]", "<pad>" })
                if (vocabulary.TryGetValue(token, out var id)) return tokenizer with { PadId = id };
            return tokenizer;
        }
        var strategy = Get(padding, "strategy");
        return tokenizer with
        {
            PadTo = strategy?.Kind == JsonTokenType.StartObject ? Get(strategy, "Fixed")?.AsInt("Fixed", 1, 1 << 20) : null,
            PadToMultiple = Get(padding, "pad_to_multiple_of")?.AsInt("pad_to_multiple_of", 1, 1 << 16) ?? 1,
            PadId = Get(padding, "pad_id")?.AsInt("pad_id", 0, 1 << 24) ?? 0,
            PadType = Get(padding, "pad_type_id")?.AsInt("pad_type_id", 0, int.MaxValue) ?? 0,
            PadLeft = Text(padding, "direction") == "Left",
        };
    }

    private static CompressionException Unsupported(PositionedJson where, string what) => where.Error(Codes.TokenizerUnsupported,
        $"the tokenizer has {what}, which is not supported; texts would be cut otherwise than in training. Supported are WordPiece with BertPreTokenizer, and byte-level BPE. Store the token ids as .npz or .jsonl instead of texts.");

    internal static PositionedJson? Get(PositionedJson json, string key)
    {
        foreach (var (name, value) in json.Members)
            if (name.Text == key) return value.Kind == JsonTokenType.Null ? null : value;
        return null;
    }

    internal static string? Text(PositionedJson json, string key) => Get(json, key)?.AsString(key);

    internal static bool? Flag(PositionedJson json, string key) => Get(json, key)?.AsBool(key);
}
