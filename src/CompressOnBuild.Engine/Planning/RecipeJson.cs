using System.Text;
using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Planning;

/// <summary>
/// A JSON value that knows where it stands, so that an error can say line and column (both from 1, in characters).
/// Objects keep their members in the file's order; a key given twice is an error.
/// </summary>
internal sealed class RecipeJson
{
    private const int MaxBytes = 1 << 20;
    private readonly Source source;
    private readonly int start;

    private RecipeJson(Source source, JsonTokenType kind, long start) => (this.source, Kind, this.start) = (source, kind, (int)start);

    public JsonTokenType Kind { get; }
    public string Text { get; private init; } = "";
    public double Number { get; private init; }
    public List<RecipeJson> Items { get; } = [];
    public List<(RecipeJson Key, RecipeJson Value)> Members { get; } = [];

    /// <summary>An error at this value.</summary>
    public CompressionException Error(string code, string message)
    {
        var (line, column) = source.Position(start);
        return new CompressionException(code, message, source.File, line, column);
    }

    /// <summary>Parses UTF-8 text. <paramref name="file"/> is what errors name.</summary>
    public static RecipeJson Parse(byte[] bytes, string file)
    {
        if (bytes.Length > MaxBytes)
            throw new CompressionException(Codes.RecipeUnreadable, $"the recipe has {bytes.Length} bytes; at most {MaxBytes} are read. Check that the path names a recipe.", file);
        var source = new Source(file, bytes.AsMemory(bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0));
        if (!System.Text.Unicode.Utf8.IsValid(source.Text.Span))
            throw new CompressionException(Codes.RecipeNotJson, "the recipe is not UTF-8 text. Save it as UTF-8.", file);
        var reader = new Utf8JsonReader(source.Text.Span);
        try
        {
            reader.Read();
            var root = ReadValue(ref reader, source);
            reader.Read(); // throws on anything after the end
            return root;
        }
        catch (JsonException e)
        {
            // The runtime's message ends with a position of its own, which counts from 0.
            var why = e.Message.Split(" LineNumber:", 2)[0].TrimEnd('.');
            var (line, column) = source.Position(source.LineStart((int)(e.LineNumber ?? 0)) + (int)(e.BytePositionInLine ?? 0));
            throw new CompressionException(Codes.RecipeNotJson, $"the recipe is not valid JSON: {why}.", file, line, column, e);
        }
    }

    private static RecipeJson ReadValue(ref Utf8JsonReader reader, Source source)
    {
        var value = new RecipeJson(source, reader.TokenType, reader.TokenStartIndex)
        {
            Text = reader.TokenType switch
            {
                JsonTokenType.String or JsonTokenType.PropertyName => reader.GetString()!,
                JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null => Encoding.UTF8.GetString(reader.ValueSpan),
                _ => "",
            },
            Number = reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var number) ? number : double.NaN,
        };
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            var keys = new Dictionary<string, RecipeJson>();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var key = ReadValue(ref reader, source);
                if (!keys.TryAdd(key.Text, key))
                    throw key.Error(Codes.RecipeDuplicateKey, $"'{key.Text}' is given twice, first in line {source.Position(keys[key.Text].start).Line}. Remove one.");
                reader.Read();
                value.Members.Add((key, ReadValue(ref reader, source)));
            }
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) value.Items.Add(ReadValue(ref reader, source));
        }
        return value;
    }

    // Positions are worked out only when an error needs one: counting for each token of a hostile file would take quadratic time.
    private sealed record Source(string File, ReadOnlyMemory<byte> Text)
    {
        public int LineStart(int line)
        {
            var start = 0;
            for (var i = 0; i < line; i++) start += Text.Span[start..].IndexOf((byte)'\n') + 1;
            return start;
        }

        public (int Line, int Column) Position(int index)
        {
            var before = Text.Span[..Math.Min(index, Text.Length)];
            var lineStart = before.LastIndexOf((byte)'\n') + 1;
            return (before.Count((byte)'\n') + 1, Encoding.UTF8.GetCharCount(before[lineStart..]) + 1);
        }
    }
}
