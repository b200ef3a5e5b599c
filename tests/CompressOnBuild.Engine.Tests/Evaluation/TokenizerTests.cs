using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Datasets.Texts;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>Texts to token ids. The vocabulary and the cases of <see cref="BertsOwnExamples"/> are those of BERT's published tokenizer tests;
/// the others are computed by hand.</summary>
[TestClass]
public sealed class TokenizerTests
{
    private const string Vocabulary = "[UNK]\n[CLS]\n[SEP]\nwant\n##want\n##ed\nwa\nun\nrunn\n##ing\n,\n[PAD]\n[MASK]\nhello\n!\nhow\nare\nyou\n?\nah\n博\n推\nzz\n한\nℝ\n";
    private static readonly DatasetContext Bert = Model(null, "input_ids", "attention_mask", "token_type_ids");

    [TestMethod]
    [DataRow("UNwant\u00E9d,running", "7 4 5 10 8 9")]
    [DataRow("unwanted running", "7 4 5 8 9")]
    [DataRow("unwantedX running", "0 8 9")]
    [DataRow(" \tHeLLo!how  \n Are yoU?  ", "13 14 15 16 17 18")]
    [DataRow("H\u00E9llo", "13")]
    [DataRow("ah\u535A\u63A8zz", "19 20 21 22")]
    [DataRow("hello\nhow\u00A0are\u0007\u200Byou", "13 15 0")] // line ends and spaces of all kinds part words, control and format characters vanish: "areyou"
    [DataRow("", "")]
    public void BertsOwnExamples(string text, string ids)
    {
        using var scratch = new ScratchFolder();
        Assert.AreEqual($"1 {ids} 2".Replace("  ", " ", StringComparison.Ordinal), Encode(scratch, Vocabulary, "", text, Bert)["input_ids"]);
    }

    [TestMethod]
    public void PairsHaveASegmentOfTheirOwn()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("vocab.txt", Vocabulary);
        using var data = Dataset.Open(scratch.Write("d.csv", "text,text_pair,label\nhow are you?,hello,1\n"), Bert);
        var inputs = data.Read(0).Inputs;
        CollectionAssert.AreEqual(new long[] { 1, 15, 16, 17, 18, 2, 13, 2 }, inputs["input_ids"].ToLongs());
        CollectionAssert.AreEqual(new long[] { 0, 0, 0, 0, 0, 0, 1, 1 }, inputs["token_type_ids"].ToLongs());
        CollectionAssert.AreEqual(Enumerable.Repeat(1L, 8).ToArray(), inputs["attention_mask"].ToLongs());
        Assert.AreEqual(new ClassLabel(1), data.Label(0));
        Assert.IsEmpty(data.Warnings);
        CollectionAssert.Contains(data.Files.ToArray(), scratch["vocab.txt"]);
        CollectionAssert.IsSubsetOf(new[] { scratch["tokenizer.json"], scratch["tokenizer_config.json"] }, data.Absent.ToArray());
    }

    [TestMethod]
    [DataRow("how are you", "1 15 16 17 2 11", "1 1 1 1 1 0")]
    [DataRow("how are you how are you", "1 15 16 17 15 2", "1 1 1 1 1 1")]
    public void AFixedLengthTruncatesAndPads(string text, string ids, string mask)
    {
        using var scratch = new ScratchFolder();
        var encoded = Encode(scratch, Vocabulary, "", text, Model(6, "input_ids", "attention_mask"));
        Assert.AreEqual(ids, encoded["input_ids"]);
        Assert.AreEqual(mask, encoded["attention_mask"]);
    }

    [TestMethod]
    [DataRow(2L)]
    [DataRow(1L << 40)]
    public void ALengthWithoutRoomForATextIsAnError(long length)
    {
        using var scratch = new ScratchFolder();
        Assert.AreEqual(Codes.InputMismatch, Assert.ThrowsExactly<CompressionException>(() => Encode(scratch, Vocabulary, "", "how", Model(length, "input_ids"))).Diagnostic.Code);
    }

    [TestMethod]
    [DataRow("""{ "do_lower_case": false }""", "HeLLo hello", "1 0 13 2")]
    [DataRow("""{ "do_lower_case": true, "strip_accents": false }""", "HELLO h\u00E9llo", "1 13 0 2")]
    [DataRow("""{ "model_max_length": 4, "tokenize_chinese_chars": false }""", "ah\u535A how are", "1 0 15 2")]
    public void TheConfigurationOfTheTokenizerIsFollowed(string config, string text, string ids)
    {
        using var scratch = new ScratchFolder();
        Assert.AreEqual(ids, Encode(scratch, Vocabulary, config, text, Bert)["input_ids"]);
    }

    [TestMethod]
    public void SpecialTokensInATextAreCutOutFirst()
    {
        using var scratch = new ScratchFolder();
        Assert.AreEqual("1 15 12 17 2", Encode(scratch, Vocabulary, "", "how[MASK]you", Bert)["input_ids"]);
    }

    [TestMethod]
    // The jamo of a syllable are what remains of it where accents are stripped.
    [DataRow("\uD55C", "\u1112\u1161\u11AB")]
    [DataRow("\u1EC7\u0130\u212B", "eIA")]
    [DataRow("plain", "plain")]
    public void AccentsAreStrippedByCanonicalDecomposition(string text, string expected) => Assert.AreEqual(expected, Decomposition.Decompose(text, strip: true));

    [TestMethod]
    [DataRow(3, null, 5, 3, 0)]
    [DataRow(7, null, 5, 5, 0)]
    [DataRow(3, 4, 7, 3, 4)]
    [DataRow(2, 9, 7, 2, 5)]
    [DataRow(9, 2, 7, 5, 2)]
    [DataRow(9, 8, 7, 4, 3)]
    [DataRow(8, 8, 7, 3, 4)]
    public void TheLongerTextOfAPairIsCutFirst(int first, int? second, int most, int a, int b) => Assert.AreEqual((a, b), TextTokenizer.Truncated(first, second, most));

    private const string Template = """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"[CLS]":{"id":"[CLS]","ids":[1],"tokens":["[CLS]"]},"[SEP]":{"id":"[SEP]","ids":[2],"tokens":["[SEP]"]}}}""";
    private const string Pieces = """{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"un":7,"##want":4,"##ed":5,",":9,"[PAD]":30}}""";
    // Bytes 'h' 'i' and a space, spelled Ġ, with two merges; ids by hand.
    private const string Bytes = """{"type":"BPE","vocab":{"h":0,"i":1,"Ġ":2,"hi":3,"Ġhi":4,"<s>":5,"</s>":6,"<pad>":7,"Ã":8,"©":9,"!":10},"merges":["h i","Ġ hi"]}""";

    [TestMethod]
    [DataRow("UNwant\u00E9d,", """{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}""", """{"type":"BertPreTokenizer"}""", Template, "1 7 4 5 9 2")]
    [DataRow("UNwanted unwanted", """{"type":"BertNormalizer","lowercase":false}""", """{"type":"BertPreTokenizer"}""", Template, "1 0 7 4 5 2")]
    [DataRow("UNwant\u00E9d unwanted,", """{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"Lowercase"},{"type":"StripAccents"}]}""", """{"type":"WhitespaceSplit"}""", "null", "7 4 5 0")]
    public void TokenizerJsonOfWordPieceIsFollowed(string text, string normalizer, string words, string processor, string ids)
    {
        using var scratch = new ScratchFolder();
        Assert.AreEqual(ids, Encode(scratch, Json(Pieces, normalizer, words, processor), text, Bert));
    }

    [TestMethod]
    [DataRow("hi hi", false, "5 3 4 6")]
    [DataRow("hi hi", true, "5 4 4 6")]
    [DataRow("hi  hi!", false, "5 3 2 4 10 6")] // of two spaces the second belongs to the word
    [DataRow("\u00E9", false, "5 8 9 6")] // two bytes
    [DataRow("hi</s>hi", false, "5 3 6 3 6")]
    public void TokenizerJsonOfByteLevelBpeIsFollowed(string text, bool prefixSpace, string ids)
    {
        using var scratch = new ScratchFolder();
        var json = Json(Bytes, "null", $$"""{"type":"ByteLevel","add_prefix_space":{{(prefixSpace ? "true" : "false")}},"trim_offsets":true}""", """{"type":"RobertaProcessing","sep":["</s>",6],"cls":["<s>",5]}""",
            """[{"id":6,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":true}]""");
        Assert.AreEqual(ids, Encode(scratch, json, text, Bert));
    }

    [TestMethod]
    public void PaddingAndTruncationOfTokenizerJsonAreFollowed()
    {
        using var scratch = new ScratchFolder();
        var json = Json(Pieces, "null", """{"type":"BertPreTokenizer"}""", Template, "[]", """{"direction":"Right","max_length":4,"strategy":"LongestFirst","stride":0}""", """{"strategy":{"Fixed":6},"direction":"Left","pad_to_multiple_of":null,"pad_id":30,"pad_type_id":0,"pad_token":"[PAD]"}""");
        Assert.AreEqual("30 30 1 7 4 2", Encode(scratch, json, "unwanted", Bert));
    }

    [TestMethod]
    [DataRow("""{"type":"Unigram","vocab":[["a",0]]}""", "null", """{"type":"Metaspace"}""", "null", "Unigram")]
    [DataRow(Pieces, """{"type":"NFKC"}""", """{"type":"BertPreTokenizer"}""", "null", "NFKC")]
    [DataRow(Pieces, "null", """{"type":"Metaspace"}""", "null", "Metaspace")]
    [DataRow(Pieces, "null", """{"type":"BertPreTokenizer"}""", """{"type":"Sequence"}""", "Sequence")]
    [DataRow(Bytes, """{"type":"NFC"}""", """{"type":"ByteLevel"}""", "null", "NFC")]
    [DataRow(Bytes, "null", """{"type":"Split"}""", "null", "Split")]
    public void WhatATokenizerAsksForAndIsNotKnownIsAnError(string model, string normalizer, string words, string processor, string named)
    {
        using var scratch = new ScratchFolder();
        var e = Assert.ThrowsExactly<CompressionException>(() => Encode(scratch, Json(model, normalizer, words, processor), "x", Bert));
        Assert.AreEqual(Codes.TokenizerUnsupported, e.Diagnostic.Code, e.Message);
        Assert.Contains($"'{named}'", e.Message);
        Assert.IsGreaterThan(0, e.Diagnostic.Line);
    }

    [TestMethod]
    [DataRow("[UNK]\n[CLS]\nx\n", Codes.TokenizerInvalid)] // no [SEP]
    [DataRow("[UNK]\n[CLS]\n[SEP]\nx\nx\n", Codes.TokenizerInvalid)]
    [DataRow("[UNK]\n[CLS]\n[SEP]\nThe\n", Codes.TokenizerInvalid)] // cased or not?
    [DataRow(null, Codes.TokenizerMissing)]
    public void AVocabularyThatDoesNotSayEnoughIsAnError(string? vocabulary, string code)
    {
        using var scratch = new ScratchFolder();
        if (vocabulary is not null) scratch.Write("vocab.txt", vocabulary);
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(scratch.Write("d.csv", "text\nx\n"), Bert).Dispose());
        Assert.AreEqual(code, e.Diagnostic.Code, e.Message);
    }

    [TestMethod]
    public void ColumnsOfTextsMayBeNamed()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("tokenizers/vocab.txt", Vocabulary);
        scratch.Write("evaluation.json", """{ "inputs": { "input_ids": ["question", "answer"] } }""");
        using var data = Dataset.Open(scratch.Write("d.jsonl", """{ "question": "how?", "answer": "hello!" }"""), Bert with { Preprocessing = scratch["tokenizers/vocab.txt"] });
        CollectionAssert.AreEqual(new long[] { 1, 15, 18, 2, 13, 14, 2 }, data.Read(0).Inputs["input_ids"].ToLongs());
    }

    [TestMethod]
    public void IdsInATableNeedNoTokenizer()
    {
        using var scratch = new ScratchFolder();
        using var data = Dataset.Open(scratch.Write("d.jsonl", """{ "input_ids": [1, 2, 3], "attention_mask": [1, 1, 0] }"""), Model(null, "input_ids", "attention_mask"));
        CollectionAssert.AreEqual(new long[] { 1, 3 }, data.Read(0).Inputs["input_ids"].Shape.ToArray());
    }

    private static DatasetContext Model(long? length, params string[] inputs) => NpzTests.Context([.. inputs.Select(n => (n, ElementType.Int64, new long?[] { null, length }))]);

    private static string Json(string model, string normalizer, string words, string processor, string added = "[]", string truncation = "null", string padding = "null") =>
        $$"""{"version":"1.0","truncation":{{truncation}},"padding":{{padding}},"added_tokens":{{added}},"normalizer":{{normalizer}},"pre_tokenizer":{{words}},"post_processor":{{processor}},"decoder":null,"model":{{model}}}""";

    private static string Encode(ScratchFolder scratch, string tokenizer, string text, DatasetContext context)
    {
        scratch.Write("tokenizer.json", tokenizer);
        return Read(scratch, text, context)["input_ids"];
    }

    private static Dictionary<string, string> Encode(ScratchFolder scratch, string vocabulary, string config, string text, DatasetContext context)
    {
        scratch.Write("vocab.txt", vocabulary);
        if (config.Length > 0) scratch.Write("tokenizer_config.json", config);
        return Read(scratch, text, context);
    }

    private static Dictionary<string, string> Read(ScratchFolder scratch, string text, DatasetContext context)
    {
        using var data = Dataset.Open(scratch.Write("d.jsonl", System.Text.Json.JsonSerializer.Serialize(new { text })), context);
        return data.Read(0).Inputs.ToDictionary(i => i.Key, i => string.Join(' ', i.Value.ToLongs()));
    }
}
