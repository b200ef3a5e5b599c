using System.Globalization;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Images;
using CompressOnBuild.Evaluation.Datasets.Tables;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>A label, or the file that holds it: masks are as large as pictures and are read when they are asked for. One of both is null.</summary>
internal sealed record ListedLabel(LabelKind Kind, Label? Known, string? Mask)
{
    public Label Read() => Known ?? DataFiles.Reading(Mask!, () => MaskPng.Read(Mask!));
}

/// <summary>
/// <c>labels.csv</c> (RFC 4180, UTF-8): a header <c>file,label</c> (classes), <c>file,value</c> (numbers to predict),
/// <c>file,text</c> or <c>file,mask</c> (PNG files), then one line per file. Files are relative to the folder and stay in it. Every error has its line.
/// </summary>
internal static class LabelsCsv
{
    public static List<(string File, ListedLabel Label)> Read(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        using var table = new CsvTable(path, Codes.LabelsInvalid);
        if (table.Columns is not ["file", "label" or "value" or "text" or "mask"])
            throw new CompressionException(Codes.LabelsInvalid, $"the header is '{string.Join(',', table.Columns)}'. Valid is 'file,label' (class numbers), 'file,value' (numbers to predict), 'file,text' (texts) or 'file,mask' (PNG files whose values are class numbers). Correct the first line.", path, table.HeadLine, 1);
        if (table.Count == 0) throw new CompressionException(Codes.DataEmpty, "the file lists no samples. Valid is one line per file after the header. Add them.", path);
        var result = new List<(string, ListedLabel)>(table.Count);
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var row = 0; row < table.Count; row++)
        {
            var fields = table.Row(row).Fields;
            var (name, value) = (fields[0], fields[1]);
            if (!seen.TryAdd(name, row)) throw Error(0, $"the file '{name}' is there twice, first in line {table.Line(seen[name])}. Each file has one line. Remove one.");
            var file = ContainedPath.Resolve(folder, name) ?? throw Error(0, $"the file '{name}' lies outside the folder of labels.csv. Valid is a relative path into that folder. Copy the file there.");
            if (!File.Exists(file)) throw Error(0, $"the file '{name}' does not exist in the folder of labels.csv. Correct the name, add the file or remove the line.");
            if (table.Columns[1] == "mask")
            {
                var mask = ContainedPath.Resolve(folder, value) ?? throw Error(1, $"the mask '{value}' lies outside the folder of labels.csv. Valid is a relative path into that folder. Copy the file there.");
                if (!File.Exists(mask)) throw Error(1, $"the mask '{value}' does not exist in the folder of labels.csv. Correct the name, add the file or remove the line.");
                result.Add((name, new(LabelKind.Mask, null, mask)));
                continue;
            }
            Label label = table.Columns[1] switch
            {
                "text" => new TextLabel(value),
                "value" => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? new ValueLabel([number])
                    : throw Error(1, $"the value '{value}' is no finite number. Valid is a number with a point. Correct the value."),
                _ => long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? new ClassLabel(id)
                    : throw Error(1, $"the label '{value}' is no class. Valid is a whole number of 0 or more, the index of the model's score; for numbers to predict the header is 'file,value', for texts 'file,text'. Correct the label."),
            };
            result.Add((name, new(label.Kind, label, null)));

            CompressionException Error(int field, string message) => table.Error(row, field, Codes.LabelsInvalid, message);
        }
        return result;
    }
}
