using Microsoft.ML.Tokenizers;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>A token that is found in a text before anything else happens to it.</summary>
internal sealed record AddedToken(string Text, int Id);

/// <summary>One part of what a model gets. <paramref name="Sequence"/>: 0 for the text, 1 for its pair, or null for the token <paramref name="Id"/>.</summary>
internal readonly record struct TemplatePart(int? Sequence, int Id, int Type);

/// <summary>Ids, and of the same length what is text (1) and what padding (0), and the segment of each.</summary>
internal sealed record EncodedText(long[] Ids, long[] Mask, long[] Types);

/// <summary>
/// From a text, or a pair of texts, to the ids that a model takes, in the steps of Hugging Face's tokenizers: added tokens are cut out, the
/// rest is normalized, split and looked up (<paramref name="Model"/>), the result is truncated, put into a template with special tokens and padded.
/// </summary>
internal sealed record TextTokenizer(Tokenizer Model, IReadOnlyList<AddedToken> Added, IReadOnlyList<TemplatePart> Single, IReadOnlyList<TemplatePart>? Pair)
{
    /// <summary>Longest sequence with special tokens; null: none is known.</summary>
    public int? MaxLength { get; init; }
    /// <summary>Length that shorter sequences are filled up to; null: as they are.</summary>
    public int? PadTo { get; init; }
    public int PadToMultiple { get; init; } = 1;
    /// <summary>The padding token; null where the file names none.</summary>
    public int? PadId { get; init; }
    public int PadType { get; init; }
    public bool PadLeft { get; init; }

    /// <summary>The encoded text. <paramref name="length"/>: the model's fixed sequence length, which truncates and pads; null where it is dynamic.</summary>
    public EncodedText Encode(string text, string? pair, int? length)
    {
        var template = pair is null ? Single : Pair!;
        int[] first = [.. Ids(text)], second = pair is null ? [] : [.. Ids(pair)];
        if ((length ?? MaxLength) is { } most)
        {
            var (a, b) = Truncated(first.Length, pair is null ? null : second.Length, Math.Max(0, most - template.Count(p => p.Sequence is null)));
            (first, second) = (first[..a], second[..b]);
        }
        var ids = new List<long>();
        var types = new List<long>();
        foreach (var part in template)
            foreach (var id in part.Sequence switch { 0 => first, 1 => second, _ => [part.Id] })
            {
                ids.Add(id);
                types.Add(part.Type);
            }
        var padding = Math.Max(0, (length ?? Math.Max(PadTo ?? 0, (ids.Count + PadToMultiple - 1) / PadToMultiple * PadToMultiple)) - ids.Count);
        return new(Padded(ids, PadId ?? 0), Padded(Enumerable.Repeat(1L, ids.Count), 0), Padded(types, PadType));

        long[] Padded(IEnumerable<long> values, long with) => PadLeft ? [.. Enumerable.Repeat(with, padding), .. values] : [.. values, .. Enumerable.Repeat(with, padding)];
    }

    /// <summary>
    /// Longest first: the lengths of both texts such that their sum is at most <paramref name="most"/>. Only the longer one is cut, down to the
    /// shorter one's length; then both, and an odd token goes to the longer one (to the pair where they are equal).
    /// </summary>
    internal static (int First, int Second) Truncated(int first, int? second, int most)
    {
        if (second is not { } other) return (Math.Min(first, most), 0);
        if (first + other <= most) return (first, other);
        int shorter = Math.Min(first, other), longer = Math.Max(shorter, most - shorter);
        if (shorter + longer > most) (shorter, longer) = (most / 2, most / 2 + most % 2);
        return first > other ? (longer, shorter) : (shorter, longer);
    }

    private IEnumerable<int> Ids(string text)
    {
        var begin = 0;
        var places = new int[Added.Count]; // where each added token comes next
        Array.Fill(places, -1);
        while (begin < text.Length)
        {
            // The first added token that comes; of several at one place the longest.
            AddedToken? next = null;
            var at = text.Length;
            for (var i = 0; i < places.Length; i++)
            {
                var token = Added[i];
                if (places[i] < begin && (places[i] = text.IndexOf(token.Text, begin, StringComparison.Ordinal)) < 0) places[i] = int.MaxValue;
                if (places[i] < at || places[i] == at && token.Text.Length > (next?.Text.Length ?? 0)) (next, at) = (token, places[i]);
            }
            if (at > begin)
                foreach (var id in Model.EncodeToIds(text[begin..at])) yield return id;
            if (next is null) yield break;
            yield return next.Id;
            begin = at + next.Text.Length;
        }
    }
}
