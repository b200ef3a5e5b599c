using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>
/// Builds HTML from interpolated strings: what is written in the source is markup, what comes through a hole is text and gets escaped.
/// There is no way to put a name in unescaped.
/// </summary>
internal sealed class HtmlWriter
{
    private readonly StringBuilder text = new();

    /// <summary>Markup with holes for text and numbers.</summary>
    public void Add([InterpolatedStringHandlerArgument("")] ref Handler markup) => markup.End();

    /// <summary>Markup of our own without holes.</summary>
    public void Add([ConstantExpected] string markup) => text.Append(markup).Append('\n');

    /// <summary>One of our own embedded files, as it is.</summary>
    public void AddAsset(string content) => text.Append(content);

    public override string ToString() => text.ToString();

    /// <summary>Text for an element or a quoted attribute, with invisible characters spelled out.</summary>
    // Build servers obey '##...[' in what is printed, and a page may be.
    public static string Escape(string? value) => WebUtility.HtmlEncode(ConsoleText.Visible(value)).Replace("##", "#&#35;", StringComparison.Ordinal);

    /// <summary>A weight's name, which may break after its separators rather than within a word.</summary>
    public readonly record struct Name(string Value);

    /// <summary>Collects the pieces of one interpolated string.</summary>
    [InterpolatedStringHandler]
    public readonly ref struct Handler
    {
        private readonly StringBuilder text;

        public Handler(int literalLength, int formattedCount, HtmlWriter writer)
        {
            text = writer.text;
            text.EnsureCapacity(text.Length + literalLength + formattedCount * 8);
        }

        public void AppendLiteral(string markup) => text.Append(markup);
        public void AppendFormatted(string? value) => text.Append(Escape(value));
        // No character reference holds a slash or a dot, so what is replaced was in the name.
        public void AppendFormatted(Name name) => text.Append(Escape(name.Value).Replace("/", "/<wbr />", StringComparison.Ordinal).Replace(".", ".<wbr />", StringComparison.Ordinal));
        /// <summary>Bytes, in base 64.</summary>
        public void AppendFormatted(ReadOnlyMemory<byte> bytes) => text.Append(Convert.ToBase64String(bytes.Span));
        public void AppendFormatted(long value) => text.Append(value.ToString(CultureInfo.InvariantCulture));
        public void AppendFormatted(double value) => text.Append(value.ToString("0.###", CultureInfo.InvariantCulture));
        internal void End() => text.Append('\n');
    }
}
