using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>Truth and decoded output of one sample as sequences of the same kind: Unicode code points of texts, or ids.</summary>
internal static class SequencePair
{
    /// <exception cref="CompressionException">The label is neither text nor ids, or a text has no alphabet.</exception>
    public static (long[] Truth, long[] Decoded) Of(in Outcome outcome, Decoding decoding, string metric)
    {
        var ids = Scores.Sequence(outcome.Output, decoding, metric);
        Scores.CheckOriginal(outcome, !(outcome.Output.ElementType.IsFloat() && ids.Contains(-1)), metric);
        return outcome.Label switch
        {
            TextLabel label => (Points(label.Text, decoding), Points(ids, decoding)),
            SequenceLabel label => ([.. label.Ids], [.. ids]),
            _ => throw Scores.WrongLabel(outcome, metric, "texts or sequences as labels"),
        };
    }

    /// <summary>The code points of the text that decoded ids spell.</summary>
    public static long[] Points(List<long> ids, Decoding decoding) => Points(Spell(ids, decoding), decoding);

    private static string Spell(List<long> ids, Decoding decoding)
    {
        var alphabet = decoding.Alphabet ?? throw Metric.NoAlphabet(null);
        var text = new StringBuilder();
        // U+FFFD for what has no symbol: it is an error in the output, and no label holds it.
        foreach (var id in ids) text.Append(id >= 0 && id < alphabet.Count ? alphabet[(int)id] : "\uFFFD");
        return text.ToString();
    }

    /// <summary>The code points of a text, as they are compared.</summary>
    public static long[] Points(string text, Decoding decoding) =>
        [.. text.EnumerateRunes().Select(r => (long)r.Value).Where(r => !decoding.IgnoreSpaces || r != ' ')];
}
