using System.Text;
using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>The symbols that ids stand for: an array in evaluation.json, or a file of one symbol a line.</summary>
internal static class Alphabet
{
    private const long LargestFile = 16 << 20;

    /// <summary>Reads the value of the key <c>alphabet</c>; a file's path is added to <paramref name="files"/>.</summary>
    public static List<string> Read(PositionedJson value, string configuration, List<string> files)
    {
        if (value.Kind == JsonTokenType.StartArray) return [.. value.Items.Select(i => i.AsString("alphabet"))];
        if (value.Kind != JsonTokenType.String) throw value.Invalid("alphabet", "a file's path or an array of strings");
        var folder = Path.GetDirectoryName(Path.GetFullPath(configuration))!;
        var path = ContainedPath.Resolve(folder, value.Text)
            ?? throw value.Error($"the alphabet '{value.Text}' lies outside the folder of evaluation.json. Valid is a relative path into that folder. Copy the file there.");
        if (!File.Exists(path)) throw value.Error($"the alphabet '{value.Text}' does not exist. It is a UTF-8 file of one symbol a line, relative to evaluation.json. Correct the path.");
        if (new FileInfo(path).Length > LargestFile) throw value.Error($"the alphabet '{value.Text}' is larger than {LargestFile} bytes. It holds one symbol a line. Check that it is the right file.");
        files.Add(path);
        string text;
        try { text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)); }
        catch (DecoderFallbackException e)
        {
            throw new CompressionException(Codes.EvaluationConfigurationInvalid, "the alphabet is no valid UTF-8. Save it as UTF-8, one symbol a line.", path, inner: e);
        }
        var lines = text.TrimStart('\uFEFF').Split('\n').Select(l => l.TrimEnd('\r')).ToList();
        if (lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1); // the end of the last line, not a symbol
        return lines;
    }
}
