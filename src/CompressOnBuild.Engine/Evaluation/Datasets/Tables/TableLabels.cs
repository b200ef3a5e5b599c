using System.Globalization;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Tables;

/// <summary>
/// The labels of a table, one per row. Where evaluation.json does not say what they are: whole numbers of 0 or more (and truth values) are
/// classes, other numbers values, texts texts; with <c>decode: classes</c> and an alphabet, texts are the names of classes. In .jsonl an array
/// of whole numbers is a sequence of ids, one of other numbers values.
/// </summary>
internal static class TableLabels
{
    private readonly record struct Raw(string? Text, double? Number, long? Whole, double[]? Array);

    /// <summary>The column of the labels: what evaluation.json names, else <c>label</c> or <c>labels</c>; null where there is none.</summary>
    public static string? Column(ITable table, EvaluationConfiguration configuration)
    {
        if (configuration.AreLabelsNamed)
            return table.Has(configuration.Labels) ? configuration.Labels : throw new CompressionException(Codes.LabelsInvalid,
                $"there is no column '{configuration.Labels}', which evaluation.json names as the labels. The columns are {string.Join(", ", table.Columns.Take(20).Select(c => $"'{c}'"))}. Correct 'labels'.", table.Path, table.HeadLine, 1);
        return table.Has("label") ? "label" : table.Has("labels") ? "labels" : null;
    }

    /// <exception cref="CompressionException">COB1113 with line and column.</exception>
    public static Label[] Read(ITable table, string column, EvaluationConfiguration configuration)
    {
        var raw = new Raw[table.Count];
        for (var i = 0; i < raw.Length; i++) raw[i] = Parse(table.Row(i)[column]);
        var names = configuration.Decoding is { Decode: Decode.Classes, Alphabet: { } alphabet } ? alphabet : null;
        var kind = configuration.LabelKind ?? (names is not null && raw[0].Number is null ? LabelKind.Class : Natural(raw, Invalid));
        var labels = new Label[raw.Length];
        for (var i = 0; i < labels.Length; i++) labels[i] = Convert(raw[i], kind, names) ?? throw Invalid(i, Valid(kind, names));
        return labels;

        CompressionException Invalid(int row, string valid)
        {
            var cell = table.Row(row)[column];
            return cell.Error(Codes.LabelsInvalid, cell.Shown == "''" ? $"there is no label. Valid is {valid}. Add it, or remove the line." : $"the label is {cell.Shown}. Valid is {valid}. Correct the label, or remove the line.");
        }
    }

    private static Raw Parse(TableCell cell)
    {
        if (cell.Scalar is { } scalar)
        {
            if (bool.TryParse(scalar, out var truth)) return new(cell.Text ?? scalar, truth ? 1 : 0, truth ? 1 : 0, null);
            long? whole = long.TryParse(scalar, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id) ? id : null;
            return new(cell.Text ?? scalar, double.TryParse(scalar, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null, whole, null);
        }
        if (cell.Text is not null || cell.Json?.Kind != System.Text.Json.JsonTokenType.StartArray) return new(cell.Text, null, null, null);
        return new(null, null, null, [.. cell.Json.Items.Select(i => i.Number ?? throw i.Error(Codes.LabelsInvalid, $"an element of '{cell.Column}' is no number. Valid is an array of numbers. Correct the label."))]);
    }

    private static LabelKind Natural(Raw[] raw, Func<int, string, CompressionException> invalid)
    {
        if (raw[0].Array is not null)
        {
            var other = Array.FindIndex(raw, r => r.Array is null);
            if (other >= 0) throw invalid(other, "an array, as in the lines before it");
            return Array.TrueForAll(raw, r => Array.TrueForAll(r.Array!, v => v == Math.Floor(v))) ? LabelKind.Sequence : LabelKind.Value;
        }
        var numbers = raw[0].Number is not null;
        var odd = Array.FindIndex(raw, r => r.Array is not null || r.Number is not null != numbers || !numbers && r.Text is null);
        if (odd >= 0) throw invalid(odd, $"a {(numbers ? "number" : "text that is no number")}, as in the lines before it (\"labelKind\": \"texts\" in evaluation.json takes both as texts)");
        if (raw[0].Text is null && !numbers) throw invalid(0, "a number, a text or an array of numbers");
        return !numbers ? LabelKind.Text : Array.TrueForAll(raw, r => r.Whole is >= 0) ? LabelKind.Class : LabelKind.Value;
    }

    private static Label? Convert(Raw raw, LabelKind kind, IReadOnlyList<string>? names)
    {
        switch (kind)
        {
            case LabelKind.Class when names is not null && raw.Whole is null:
                for (var id = 0; id < names.Count; id++) if (names[id] == raw.Text) return new ClassLabel(id);
                return null;
            case LabelKind.Class:
                var known = raw.Whole ?? (raw.Number is { } real && real == Math.Floor(real) && Math.Abs(real) < 1L << 53 ? (long)real : -1);
                return known >= 0 ? new ClassLabel(known) : null;
            case LabelKind.Value:
                double[]? values = raw.Array ?? (raw.Number is { } value ? [value] : null);
                return values is { Length: > 0 } && Array.TrueForAll(values, double.IsFinite) ? new ValueLabel(values) : null;
            case LabelKind.Sequence:
                if (raw.Array is { } array) return Array.TrueForAll(array, v => v == Math.Floor(v) && Math.Abs(v) < 1L << 53) ? new SequenceLabel(Array.ConvertAll(array, v => (long)v)) : null;
                var ids = new List<long>();
                foreach (var word in (raw.Text ?? "?").Split(' ', StringSplitOptions.RemoveEmptyEntries))
                {
                    if (!long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id)) return null;
                    ids.Add(id);
                }
                return new SequenceLabel(ids);
            case LabelKind.Text: return raw.Text is { } text ? new TextLabel(text) : null;
            default: return null;
        }
    }

    private static string Valid(LabelKind kind, IReadOnlyList<string>? names) => kind switch
    {
        LabelKind.Class when names is not null => $"the name of a class ({string.Join(", ", names.Take(10).Select(n => $"'{n}'"))}{(names.Count > 10 ? ", …" : "")}) or its number",
        LabelKind.Class => "a class, a whole number of 0 or more (\"labelKind\": \"values\" in evaluation.json makes numbers values to predict)",
        LabelKind.Value => "a finite number, or in .jsonl an array of them",
        LabelKind.Sequence => "ids, whole numbers separated by spaces, or in .jsonl an array of them",
        LabelKind.Text => "a text",
        _ => "classes, values, sequences or texts; masks and boxes are labels of .npz and .npy files",
    };
}
