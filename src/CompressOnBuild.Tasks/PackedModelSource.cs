using System;
using System.IO;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>The decoder of packed models as the accessor carries it: the class of the engine's <c>PackedModelStream*.cs</c>, nested and private.</summary>
internal static class PackedModelSource
{
    internal const string ClassName = "PackedModelStream";
    private const string Declaration = "internal sealed partial class " + ClassName, Namespace = "\nnamespace CompressOnBuild.Transport\n{\n";
    private static readonly string[] s_files = [ClassName, ClassName + ".Hash64", ClassName + ".Rans", ClassName + ".Coding", ClassName + ".Text", ClassName + ".Records"];

    /// <summary>The class as members at <paramref name="indent"/>.</summary>
    internal static string Nested(string indent)
    {
        // The rules of a project are for its own code.
        var source = new StringBuilder(1 << 16).Append("#pragma warning disable\n");
        foreach (string name in s_files)
        {
            using var reader = new StreamReader(typeof(PackedModelSource).Assembly.GetManifestResourceStream(name + ".cs")!);
            string file = reader.ReadToEnd().Replace("\r\n", "\n");
            int begin = file.IndexOf(Namespace, StringComparison.Ordinal) + Namespace.Length, end = file.LastIndexOf('}');
            string member = file.Substring(begin, end - begin).Replace(Declaration, "private" + Declaration.Substring("internal".Length));
            foreach (string line in member.TrimEnd('\n').Split('\n'))
                source.Append(line.Length == 0 ? "" : indent + line.Substring(4)).Append('\n');
        }
        return source.Append("#pragma warning restore\n").ToString();
    }
}
