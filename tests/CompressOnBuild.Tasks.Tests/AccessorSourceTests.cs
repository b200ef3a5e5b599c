using System.Globalization;
using System.Text.RegularExpressions;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public partial class AccessorSourceTests
{
    [TestMethod]
    public void HostileNamesStayInsideTheirLiterals()
    {
        var source = AccessorSource.Write("App", [new AccessorModel
        {
            AccessorName = "class", Embedded = true, LogicalName = "models/\"\n*/ }\u2028</summary>.onnx",
            Inputs = ["a\"; System.Environment.Exit(1); //", "a", "A", "class", "line\nbreak", new string('x', 100_000)],
        }], onnxRuntime: false);
        Assert.Contains("internal static class @class\n", source);
        Assert.Contains("""public const string ResourceName = "models/\"\u000a*/ }\u2028</summary>.onnx";""", source);
        Assert.Contains("&lt;/summary&gt;.onnx</c>.</summary>\n", source);
        Assert.Contains("""public const string A = "a";""", source);
        Assert.Contains("""public const string A_2 = "A";""", source);
        Assert.Contains("""public const string Class = "class";""", source);
        Assert.Contains("""public const string LineBreak = "line\u000abreak";""", source);
        Assert.DoesNotContain("xxxxx", source);
        Assert.IsTrue(source.All(c => c is '\n' or (>= ' ' and <= '~')), "plain ASCII in every culture: " + CultureInfo.CurrentCulture.Name);
    }

    [TestMethod]
    public void RandomNamesGiveTheCodeThatPlainNamesGive()
    {
        string[] pieces = ["\"", "\\", "\n", "\r", "\u2028", "\u0085", "\u202e", "\0", "*/", "//", "/*", "{", "}", ";", "</summary>", "<script>", "@", "$", "class", "namespace", "#if", "\n#endif", "\ud800", "é", "1", " ", "a", "##vso[x]", "::error::", "\"\"\""];
        var random = new Random(20260101);
        string Name() => string.Concat(Enumerable.Range(0, 1 + random.Next(5)).Select(_ => pieces[random.Next(pieces.Length)]));
        string Write(Func<string> name) => AccessorSource.Write("App", [new AccessorModel { AccessorName = "M", Embedded = true, HasReport = true, LogicalName = name(), Inputs = [name(), name()], Outputs = [name()] }], onnxRuntime: true);
        static string[] Shape(string source) => [.. source.Split('\n').Select(line => Identifier().Replace(Literal().Replace(Comment().Replace(line, "$1"), "\"\""), "const string X"))];

        var plain = 0;
        var shape = Shape(Write(() => "n" + plain++));
        for (var round = 0; round < 500; round++)
        {
            var source = Write(Name);
            Assert.AreEqual(string.Join('\n', shape), string.Join('\n', Shape(source)));
            // Letters may stand in identifiers, and the replacement of what is no character in a comment.
            Assert.AreEqual("", string.Concat(source.Where(c => !(c is '\n' or (>= ' ' and <= '~') || char.IsLetter(c) || c == '\ufffd')).Select(c => $"{(int)c:x4} ")));
        }
    }

    [GeneratedRegex("\"(\\\\.|[^\"\\\\])*\"")]
    private static partial Regex Literal();
    [GeneratedRegex("^( *///).*$")]
    private static partial Regex Comment();
    [GeneratedRegex("const string @?[\\p{L}_][\\p{L}\\p{N}_]*")]
    private static partial Regex Identifier();

    [TestMethod]
    public void TheDecoderIsThereOnceWhereAModelIsPacked()
    {
        static AccessorModel Model(string name, bool packed, bool embedded) => new() { AccessorName = name, Packed = packed, Embedded = embedded, LogicalName = name };
        var source = AccessorSource.Write("App", [Model("A", true, true), Model("B", true, false), Model("C", false, false)], onnxRuntime: true);
        Assert.HasCount(2, source.Split("private sealed partial class PackedModelStream : "), "once");
        Assert.Contains("return new PackedModelStream(OpenResource());", source);
        Assert.Contains("return new PackedModelStream(global::System.IO.File.OpenRead(FullPath));", source);
        Assert.AreEqual(source.Count(c => c == '{'), source.Count(c => c == '}'));
        Assert.IsTrue(source.All(c => c is '\n' or (>= ' ' and <= '~')), "plain ASCII");
        Assert.DoesNotContain("PackedModelStream", AccessorSource.Write("App", [Model("C", false, true)], onnxRuntime: true));
        Assert.IsFalse(Tasks.Identifier.IsValidAccessor("PackedModelStream"));
    }

    [TestMethod]
    public void SessionsAndReportsOnlyWhereTheyExist()
    {
        var model = new AccessorModel { AccessorName = "M", Embedded = true, LogicalName = "models/m.onnx" };
        var without = AccessorSource.Write("", [model], onnxRuntime: false);
        Assert.DoesNotContain("InferenceSession", without);
        Assert.DoesNotContain("ReportResourceName", without);
        Assert.DoesNotContain("namespace", without);
        model.HasReport = true;
        var with = AccessorSource.Write("", [model], onnxRuntime: true);
        Assert.Contains("InferenceSession(ToArray(), options)", with);
        Assert.Contains("models/m.onnx.report.json", with);
    }
}
