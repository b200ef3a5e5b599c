using System.Globalization;
using System.Text;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// <c>labels.csv</c> (RFC 4180, UTF-8): a header <c>file,label</c> (classes) or <c>file,text</c> (texts), then one line per file. Files
/// are relative to the folder and stay in it. Every error has its line.
/// </summary>
internal static class LabelsCsv
{
    private const long LargestFile = 256 << 20;

    public static List<(string File, Label Label)> Read(string path)
    {
        if (new FileInfo(path).Length > LargestFile) throw new CompressionException(Codes.DataTooLarge, $"the file is larger than {LargestFile} bytes. Split the data set.", path);
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var result = new List<(string, Label)>();
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        bool? texts = null;
        foreach (var (fields, line) in Records(Text(path), path))
        {
            if (texts is null)
            {
                texts = fields is ["file", "label"] ? false : fields is ["file", "text"] ? true
                    : throw Error(line, 1, $"the header is '{string.Join(',', fields)}'. Valid is 'file,label' (class numbers) or 'file,text' (texts). Correct the first line.");
                continue;
            }
            if (fields.Count != 2) throw Error(line, 1, $"the line has {fields.Count} fields. Valid are two: the file and its {(texts.Value ? "text" : "label")}; a field with a comma stands in quotes. Correct the line.");
            var (name, value) = (fields[0], fields[1]);
            var column = name.Length + 2;
            if (!seen.TryAdd(name, line)) throw Error(line, 1, $"the file '{name}' is there twice, first in line {seen[name]}. Each file has one line. Remove one.");
            var file = ContainedPath.Resolve(folder, name) ?? throw Error(line, 1, $"the file '{name}' lies outside the folder of labels.csv. Valid is a relative path into that folder. Copy the file there.");
            if (!File.Exists(file)) throw Error(line, 1, $"the file '{name}' does not exist in the folder of labels.csv. Correct the name, add the file or remove the line.");
            if (texts.Value) result.Add((name, new TextLabel(value)));
            else if (long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var id)) result.Add((name, new ClassLabel(id)));
            else throw Error(line, column, $"the label '{value}' is no class. Valid is a whole number of 0 or more, the index of the model's score; for texts the header is 'file,text'. Correct the label.");
        }
        if (texts is null) throw Error(1, 1, "the file is empty. Valid is a header 'file,label' or 'file,text' and one line per file. Fill it.");
        if (result.Count == 0) throw new CompressionException(Codes.DataEmpty, "the file lists no samples. Valid is one line per file after the header. Add them.", path);
        return result;

        CompressionException Error(int line, int column, string message) => new(Codes.LabelsInvalid, message, path, line, column);
    }

    private static string Text(string path)
    {
        try { return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)).TrimStart('\uFEFF'); }
        catch (DecoderFallbackException e)
        {
            throw new CompressionException(Codes.LabelsInvalid, "the file is no valid UTF-8. Save it as UTF-8.", path, inner: e);
        }
    }

    /// <summary>Records with the line they begin in; empty lines are skipped.</summary>
    private static IEnumerable<(List<string> Fields, int Line)> Records(string text, string path)
    {
        var at = 0;
        var line = 1;
        var field = new StringBuilder();
        while (at < text.Length)
        {
            var begin = line;
            var fields = new List<string>();
            while (true)
            {
                field.Clear();
                if (at < text.Length && text[at] == '"')
                {
                    for (at++; ; at++)
                    {
                        if (at >= text.Length) throw new CompressionException(Codes.LabelsInvalid, "a quoted field has no closing quote. Close it; a quote inside is written twice.", path, begin, 1);
                        if (text[at] == '\n') line++;
                        if (text[at] != '"') field.Append(text[at]);
                        else if (at + 1 < text.Length && text[at + 1] == '"') { field.Append('"'); at++; }
                        else break;
                    }
                    at++;
                    if (at < text.Length && text[at] is not (',' or '\r' or '\n'))
                        throw new CompressionException(Codes.LabelsInvalid, "text follows a closing quote. A comma or the end of the line is valid there; a quote inside a field is written twice. Correct the line.", path, line, 1);
                }
                else while (at < text.Length && text[at] is not (',' or '\r' or '\n')) field.Append(text[at++]);
                fields.Add(field.ToString());
                if (at >= text.Length || text[at] != ',') break;
                at++;
            }
            if (at < text.Length && text[at] == '\r') at++;
            if (at < text.Length && text[at] == '\n') at++;
            line++;
            if (fields is not [""]) yield return (fields, begin);
        }
    }
}
