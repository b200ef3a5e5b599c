using System.Globalization;
using System.Text;
using System.Text.Json;

namespace CompressOnBuild.Diagnostics;

/// <summary>
/// One kind of JSON file: what messages call it, how large it may be, and its codes. <paramref name="Code"/> is that of a wrong value and, where
/// no other is given, of everything else. <paramref name="Lenient"/>: comments and trailing commas are allowed.
/// </summary>
internal sealed record JsonKind(string What, int MaxBytes, string Code, string? NotJson = null, string? TooLarge = null, string? Duplicate = null, bool Lenient = false);

/// <summary>
/// A JSON value that knows where it stands, so that an error can say line and column (both from 1, columns in characters).
/// Objects keep their members in the file's order; a key given twice is an error.
/// </summary>
internal sealed class PositionedJson
{
    private readonly Source source;
    private readonly int start;

    // Never added to: most values of a large file are numbers.
    private static readonly List<PositionedJson> NoItems = [];
    private static readonly List<(PositionedJson, PositionedJson)> NoMembers = [];

    private PositionedJson(Source source, JsonTokenType kind, string text, long start)
    {
        (this.source, Kind, Text, this.start) = (source, kind, text, (int)start);
        Items = kind == JsonTokenType.StartArray ? [] : NoItems;
        Members = kind == JsonTokenType.StartObject ? [] : NoMembers;
    }

    public JsonTokenType Kind { get; }
    /// <summary>The string's value, or the number as written.</summary>
    public string Text { get; }
    public List<PositionedJson> Items { get; }
    public List<(PositionedJson Key, PositionedJson Value)> Members { get; }

    /// <summary>Reads and parses a file.</summary>
    /// <exception cref="CompressionException">The codes of <paramref name="kind"/>.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static PositionedJson Load(string path, JsonKind kind)
    {
        using var stream = File.OpenRead(path);
        if (stream.Length > kind.MaxBytes) throw TooLarge(stream.Length, path, kind);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return Parse(bytes, path, kind);
    }

    /// <summary>Parses UTF-8 text. <paramref name="file"/> is what errors name; <paramref name="firstLine"/>: where the text begins in it,
    /// asked for only by an error.</summary>
    /// <exception cref="CompressionException">The codes of <paramref name="kind"/>.</exception>
    public static PositionedJson Parse(byte[] bytes, string file, JsonKind kind, Func<int>? firstLine = null)
    {
        if (bytes.Length > kind.MaxBytes) throw TooLarge(bytes.Length, file, kind);
        var source = new Source(file, kind, bytes.AsMemory(bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0), firstLine);
        var notJson = kind.NotJson ?? kind.Code;
        if (!System.Text.Unicode.Utf8.IsValid(source.Text.Span))
            throw new CompressionException(notJson, $"{kind.What} is not UTF-8 text. Save it as UTF-8.", file, firstLine?.Invoke() ?? 0, firstLine is null ? 0 : 1);
        var reader = new Utf8JsonReader(source.Text.Span, new JsonReaderOptions
        {
            CommentHandling = kind.Lenient ? JsonCommentHandling.Skip : JsonCommentHandling.Disallow, AllowTrailingCommas = kind.Lenient, MaxDepth = 32,
        });
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
            // What the parser says to whoever programs it is no advice for who writes the file.
            var why = e.Message.Split(" LineNumber:", 2)[0].Replace(" Change the reader options", "", StringComparison.Ordinal).TrimEnd('.', ' ');
            var (line, column) = source.Position(source.LineStart((int)(e.LineNumber ?? 0)) + (int)(e.BytePositionInLine ?? 0));
            throw new CompressionException(notJson, $"{kind.What} is not valid JSON: {why}. Correct it here.", file, line, column, e);
        }
        catch (InvalidOperationException e)
        {
            // A string whose escapes are half a surrogate pair.
            throw new CompressionException(notJson, $"{kind.What} holds a text that is no valid Unicode. Correct its \\u escapes.", file, firstLine?.Invoke() ?? 0, firstLine is null ? 0 : 1, e);
        }
    }

    /// <summary>An error at this value, with the code of the file's kind.</summary>
    public CompressionException Error(string message) => Error(source.Kind.Code, message);

    /// <summary>An error at this value.</summary>
    public CompressionException Error(string code, string message)
    {
        var (line, column) = source.Position(start);
        return new CompressionException(code, message, source.File, line, column);
    }

    /// <summary>The error that the value of <paramref name="key"/> is something else than <paramref name="expected"/>.</summary>
    public CompressionException Invalid(string key, string expected) => Error($"'{key}' is {Shown}. Valid is {expected}. Correct the value.");

    public string AsString(string key) => Kind == JsonTokenType.String ? Text : throw Invalid(key, "a string");

    public bool AsBool(string key) => Kind is JsonTokenType.True or JsonTokenType.False ? Kind == JsonTokenType.True : throw Invalid(key, "true or false");

    public double AsNumber(string key) => Number is { } value && double.IsFinite(value) ? value : throw Invalid(key, "a finite number");

    public int AsInt(string key, int lowest, int highest) =>
        Whole is { } value && value >= lowest && value <= highest ? value : throw Invalid(key, $"a whole number from {lowest} to {highest}");

    /// <summary>The members of an object.</summary>
    public List<(PositionedJson Key, PositionedJson Value)> AsObject(string key) => Kind == JsonTokenType.StartObject ? Members : throw Invalid(key, "an object { … }");

    /// <summary>The value of a number, infinite beyond the range of a double; null for anything else.</summary>
    public double? Number => Kind == JsonTokenType.Number ? double.Parse(Text, NumberStyles.Float, CultureInfo.InvariantCulture) : null;

    /// <summary>The value of a whole number in the range of an int, as written without point and exponent; null for anything else.</summary>
    public int? Whole => Kind == JsonTokenType.Number && int.TryParse(Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;

    private string Shown => Kind switch
    {
        JsonTokenType.String => $"'{(Text.Length > 60 ? Text[..60] + "…" : Text)}'",
        JsonTokenType.Number => Text.Length > 60 ? Text[..60] + "…" : Text,
        JsonTokenType.StartArray => "an array",
        JsonTokenType.StartObject => "an object",
        _ => Text,
    };

    private static CompressionException TooLarge(long length, string file, JsonKind kind) => new(kind.TooLarge ?? kind.Code,
        $"{kind.What} has {length} bytes; at most {kind.MaxBytes} are valid. Check that it is the right file.", file);

    private static PositionedJson ReadValue(ref Utf8JsonReader reader, Source source)
    {
        var text = reader.TokenType switch
        {
            JsonTokenType.String or JsonTokenType.PropertyName => reader.GetString()!,
            JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null => Encoding.UTF8.GetString(reader.ValueSpan),
            _ => "",
        };
        var value = new PositionedJson(source, reader.TokenType, text, reader.TokenStartIndex);
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            var keys = new Dictionary<string, PositionedJson>(StringComparer.Ordinal);
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var key = ReadValue(ref reader, source);
                if (!keys.TryAdd(key.Text, key))
                    throw key.Error(source.Kind.Duplicate ?? source.Kind.Code, $"'{key.Text}' is given twice, first in line {source.Position(keys[key.Text].start).Line}. Remove one.");
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
    private sealed record Source(string File, JsonKind Kind, ReadOnlyMemory<byte> Text, Func<int>? FirstLine)
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
            return (before.Count((byte)'\n') + (FirstLine?.Invoke() ?? 1), Encoding.UTF8.GetCharCount(before[lineStart..]) + 1);
        }
    }
}
