using System.Security.Cryptography;
using System.Text;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Worker;

/// <summary>
/// <c>@file</c> on the command line: one argument a line, verbatim, so that spaces, quotes, accents, <c>@</c> and <c>#</c> survive. Expanded
/// here and not by the parser, which would take a line that starts with <c>@</c> for a file again.
/// </summary>
internal sealed record ResponseFile(string Path, string Sha256)
{
    /// <summary>The arguments with each <c>@file</c> replaced, and the first such file.</summary>
    /// <exception cref="CompressionException">COB0036.</exception>
    public static (IReadOnlyList<string> Tokens, ResponseFile? First) Expand(IReadOnlyList<string> args)
    {
        var tokens = new List<string>();
        ResponseFile? first = null;
        foreach (var arg in args)
        {
            if (arg.Length < 2 || arg[0] != '@')
            {
                tokens.Add(arg);
                continue;
            }
            byte[] bytes;
            try { bytes = File.ReadAllBytes(arg[1..]); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                throw new CompressionException(Codes.ResponseFileUnreadable,
                    $"the response file '{arg[1..]}' cannot be read: {e.Message} Valid is a file with one argument a line; a model whose name starts with @ is written './@name.onnx'.", inner: e);
            }
            first ??= new ResponseFile(arg[1..], Convert.ToHexStringLower(SHA256.HashData(bytes)));
            var text = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? bytes.AsSpan(Encoding.UTF8.Preamble.Length) : bytes;
            tokens.AddRange(Encoding.UTF8.GetString(text).Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.Length > 0));
        }
        return (tokens, first);
    }
}
