using System;
using System.IO;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>The decoder of packed models as the accessor carries it: the class of the engine's <c>PackedModelStream.cs</c>, nested and private.</summary>
internal static class PackedModelSource
{
    internal const string ClassName = "PackedModelStream";
    private const string Begin = "    /// <summary>The bytes of a model,", Declaration = "internal sealed class " + ClassName + " ";

    /// <summary>The class as a member at <paramref name="indent"/>.</summary>
    internal static string Nested(string indent)
    {
        using var reader = new StreamReader(typeof(PackedModelSource).Assembly.GetManifestResourceStream(ClassName + ".cs")!);
        string file = reader.ReadToEnd().Replace("\r\n", "\n");
        int begin = file.IndexOf(Begin, StringComparison.Ordinal), end = file.LastIndexOf('}');
        string member = file.Substring(begin, end - begin).Replace(Declaration, "private" + Declaration.Substring("internal".Length));
        // The rules of a project are for its own code.
        var source = new StringBuilder(member.Length + 4096).Append("#pragma warning disable\n");
        foreach (string line in member.TrimEnd('\n').Split('\n'))
            source.Append(line.Length == 0 ? "" : indent + line.Substring(4)).Append('\n');
        return source.Append("#pragma warning restore\n").ToString();
    }
}
