using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>What <c>tokenizer_config.json</c> adds to a vocabulary; null where it says nothing. Other keys repeat what the tokenizer's own file says.</summary>
internal sealed record TokenizerConfig(bool? LowerCase = null, bool? StripAccents = null, bool? SpaceChinese = null, int? MaxLength = null)
{
    private static readonly JsonKind Kind = new("the file", 16 << 20, Codes.TokenizerInvalid, Lenient: true);

    public static TokenizerConfig Load(string path)
    {
        var members = PositionedJson.Load(path, Kind).AsObject("the file").Where(m => m.Value.Kind != JsonTokenType.Null).ToDictionary(m => m.Key.Text, m => m.Value, StringComparer.Ordinal);
        // A length of 10^30 stands for none.
        return new(Flag("do_lower_case"), Flag("strip_accents"), Flag("tokenize_chinese_chars"),
            members.TryGetValue("model_max_length", out var length) && length.AsNumber("model_max_length") is >= 1 and <= 1 << 20 and var most ? (int)most : null);

        bool? Flag(string key) => members.TryGetValue(key, out var value) ? value.AsBool(key) : null;
    }
}
