using System.Globalization;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// What both outputs of one sample decide: a class, or a sequence as the text or the ids it stands for. <paramref name="IsClass"/>: the
/// numbers are those of classes.
/// </summary>
internal sealed record SampleDecision(bool IsClass, long[] Original, long[] Compressed, long[]? Label, bool IsText)
{
    private const int MostShown = 100;

    public bool Changed => !Original.AsSpan().SequenceEqual(Compressed);
    public bool WasRight => Label is not null && Original.AsSpan().SequenceEqual(Label);
    public bool IsRight => Label is not null && Compressed.AsSpan().SequenceEqual(Label);

    /// <summary>
    /// Null where the outputs are no decision: labels of another kind, several rows of scores, an empty output. Nothing here refuses an
    /// output: that is the metrics' business.
    /// </summary>
    public static SampleDecision? Of(in Outcome outcome, Decoding decoding)
    {
        const string By = "agreement";
        var (before, after) = (outcome.Original, outcome.Output);
        switch (outcome.Label)
        {
            case TextLabel label when decoding.Alphabet is not null:
                return new(false, SequencePair.Points(Ids(before), decoding), SequencePair.Points(Ids(after), decoding), SequencePair.Points(label.Text, decoding), IsText: true);
            case SequenceLabel label:
                return new(false, [.. Ids(before)], [.. Ids(after)], [.. label.Ids], IsText: false);
            case null when decoding is { Decode: Decode.Ctc or Decode.ArgmaxSequence, Alphabet: not null }:
                return new(false, SequencePair.Points(Ids(before), decoding), SequencePair.Points(Ids(after), decoding), null, IsText: true);
            case null or TextLabel when decoding.Decode is Decode.Ctc or Decode.ArgmaxSequence:
                return new(false, [.. Ids(before)], [.. Ids(after)], null, IsText: false);
            case null or ClassLabel when before.Count > 0 && after.Count > 0 && Scores.Rows(before) == 1:
                return new(true, [Scores.Class(before, decoding, By)], [Scores.Class(after, decoding, By)], outcome.Label is ClassLabel truth ? [truth.Id] : null, IsText: false);
            default: return null;
        }

        List<long> Ids(Onnx.Tensor output) => Scores.Sequence(output, decoding, By);
    }

    /// <summary>A decision or label for people.</summary>
    public string Text(long[] decision, IReadOnlyList<string>? classNames)
    {
        if (IsClass) return ClassText(decision[0], classNames);
        if (decision.Length == 0) return "(nothing)";
        var shown = decision.Take(MostShown);
        var text = IsText ? string.Concat(shown.Select(p => char.ConvertFromUtf32((int)p))) : string.Join(' ', shown.Select(i => i.ToString(CultureInfo.InvariantCulture)));
        return decision.Length > MostShown ? text + "…" : text;
    }

    public static string ClassText(long id, IReadOnlyList<string>? names) => id < 0 ? "none"
        : names is not null && id < names.Count ? names[(int)id] : id.ToString(CultureInfo.InvariantCulture);
}
