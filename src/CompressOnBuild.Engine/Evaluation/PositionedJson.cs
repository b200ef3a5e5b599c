using System.Globalization;
using System.Text;
using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// A small JSON file whose values know their line and column (both from 1, columns in characters), so that every error can say where.
/// Comments and trailing commas are allowed, repeated keys are not.
/// </summary>
internal sealed class PositionedJson
{
    private const long LargestFile = 16 << 20;

    private readonly string file;
    private readonly string code;

    private PositionedJson(string file, string code, JsonTokenType kind, string text, int line, int column)
    {
        (this.file, this.code, Kind, Text, Line, Column) = (file, code, kind, text, line, column);
    }

    public JsonTokenType Kind { get; }
    /// <summary>The string's value, or the number as written.</summary>
    public string Text { get; }
    public int Line { get; }
    public int Column { get; }
    public List<(string Key, PositionedJson Value, int Line, int Column)> Members { get; } = [];
    public List<PositionedJson> Items { get; } = [];

    /// <summary>Parses <paramref name="path"/>; errors carry <paramref name="code"/>.</summary>
    public static PositionedJson Load(string path, string code)
    {
        var length = new FileInfo(path).Length;
        if (length > LargestFile)
            throw new CompressionException(code, $"the file has {length} bytes; at most {LargestFile} are valid. Check that it is the right file.", path);
        return Parse(File.ReadAllBytes(path), path, code);
    }

    public static PositionedJson Parse(byte[] bytes, string path, string code)
    {
        var from = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
        var reader = new Utf8JsonReader(bytes.AsSpan(from), new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 32 });
        try
        {
            reader.Read();
            var root = Value(ref reader);
            reader.Read();
            return root;
        }
        catch (JsonException e)
        {
            var line = (int)(e.LineNumber ?? 0) + 1;
            throw new CompressionException(code, $"the file is no valid JSON: {Reason(e)}. Correct it here.", path, line, (int)(e.BytePositionInLine ?? 0) + 1, e);
        }
        catch (InvalidOperationException e)
        {
            throw new CompressionException(code, "the file holds text that is no valid UTF-8. Save it as UTF-8.", path, inner: e);
        }

        PositionedJson Value(ref Utf8JsonReader reader)
        {
            var (line, column) = Place((int)reader.TokenStartIndex);
            var text = reader.TokenType switch
            {
                JsonTokenType.String => reader.GetString()!,
                JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
                _ => "",
            };
            var node = new PositionedJson(path, code, reader.TokenType, text, line, column);
            if (reader.TokenType == JsonTokenType.StartArray)
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) node.Items.Add(Value(ref reader));
            else if (reader.TokenType == JsonTokenType.StartObject)
            {
                var seen = new HashSet<string>(StringComparer.Ordinal);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    var (keyLine, keyColumn) = Place((int)reader.TokenStartIndex);
                    var key = reader.GetString()!;
                    if (!seen.Add(key)) throw new CompressionException(code, $"'{key}' is there twice. Each key is given once. Remove one.", path, keyLine, keyColumn);
                    reader.Read();
                    node.Members.Add((key, Value(ref reader), keyLine, keyColumn));
                }
            }
            return node;
        }

        (int, int) Place(int index)
        {
            var before = bytes.AsSpan(from, index);
            var lineStart = before.LastIndexOf((byte)'\n') + 1;
            return (before.Count((byte)'\n') + 1, Encoding.UTF8.GetCharCount(before[lineStart..]) + 1);
        }

        static string Reason(JsonException e)
        {
            var end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
            return (end < 0 ? e.Message : e.Message[..end]).TrimEnd('.', ' ');
        }
    }

    /// <summary>An error at this value.</summary>
    public CompressionException Error(string message) => new(code, message, file, Line, Column);

    public CompressionException Error(string key, string expected) => Error($"'{key}' is {Shown}. Valid is {expected}. Correct the value.");

    public string AsString(string key) => Kind == JsonTokenType.String ? Text : throw Error(key, "a string");

    public bool AsBool(string key) => Kind is JsonTokenType.True or JsonTokenType.False ? Kind == JsonTokenType.True : throw Error(key, "true or false");

    public double AsNumber(string key) =>
        Kind == JsonTokenType.Number && double.TryParse(Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)
            ? value : throw Error(key, "a finite number");

    public int AsInt(string key, int lowest, int highest) =>
        Kind == JsonTokenType.Number && int.TryParse(Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= lowest && value <= highest
            ? value : throw Error(key, $"a whole number from {lowest} to {highest}");

    /// <summary>The members of an object.</summary>
    public List<(string Key, PositionedJson Value, int Line, int Column)> AsObject(string key) =>
        Kind == JsonTokenType.StartObject ? Members : throw Error(key, "an object { … }");

    /// <summary>Throws for a key that is not in <paramref name="valid"/>.</summary>
    public void OnlyKeys(IReadOnlyCollection<string> valid)
    {
        foreach (var (key, _, line, column) in AsObject("the file"))
            if (!valid.Contains(key))
                throw new CompressionException(code, $"the key '{key}' is unknown. Valid keys are {string.Join(", ", valid)}. Correct or remove it.", file, line, column);
    }

    private string Shown => Kind switch
    {
        JsonTokenType.String => $"'{(Text.Length > 60 ? Text[..60] + "…" : Text)}'",
        JsonTokenType.Number => Text.Length > 60 ? Text[..60] + "…" : Text,
        JsonTokenType.True => "true", JsonTokenType.False => "false", JsonTokenType.Null => "null",
        JsonTokenType.StartArray => "an array", _ => "an object",
    };
}
