using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>Truth and decoded output of one sample as sequences of the same kind: Unicode code points of texts, or ids.</summary>
internal static class SequencePair
{
    /// <exception cref="CompressionException">The label is neither text nor ids, or a text has no alphabet.</exception>
    public static (long[] Truth, long[] Decoded) Of(in Outcome outcome, Decoding decoding, string metric)
    {
        var ids = Scores.Sequence(outcome.Output, decoding, metric);
        return outcome.Label switch
        {
            TextLabel label => (Points(label.Text, decoding), Points(Spell(ids, decoding), decoding)),
            SequenceLabel label => ([.. label.Ids], [.. ids]),
            _ => throw Scores.WrongLabel(outcome, metric, "texts or sequences as labels"),
        };
    }

    private static string Spell(List<long> ids, Decoding decoding)
    {
        var alphabet = decoding.Alphabet ?? throw Metric.NoAlphabet(null);
        var text = new StringBuilder();
        // U+FFFD for what has no symbol: it is an error in the output, and no label holds it.
        foreach (var id in ids) text.Append(id >= 0 && id < alphabet.Count ? alphabet[(int)id] : "\uFFFD");
        return text.ToString();
    }

    private static long[] Points(string text, Decoding decoding) =>
        [.. text.EnumerateRunes().Select(r => (long)r.Value).Where(r => !decoding.IgnoreSpaces || r != ' ')];

    /// <summary>Levenshtein's distance (1966): fewest insertions, deletions and substitutions of single elements.</summary>
    public static int Distance(ReadOnlySpan<long> a, ReadOnlySpan<long> b)
    {
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++) row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
