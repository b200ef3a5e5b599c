using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Engine.Tests.Diagnostics;

[TestClass]
public sealed class ConsoleTextTests
{
    [TestMethod]
    [DataRow("a\nb\r\tc", "a\\nb\\r\\tc", DisplayName = "line breaks")]
    [DataRow("\u001b[31mred\u009b0m", "\\x1b[31mred\\u009b0m", DisplayName = "ANSI, also with one-character CSI")]
    [DataRow("a\u2028b\u0085c", "a\\u2028b\\u0085c", DisplayName = "line separators")]
    [DataRow("abc\u202etxt.exe\u200b", "abc\\u202etxt.exe\\u200b", DisplayName = "bidirectional and zero-width marks")]
    [DataRow("x##vso[task.setvariable]y", "x# #vso[task.setvariable]y", DisplayName = "Azure Pipelines")]
    [DataRow("::add-mask::a", ": :add-mask: :a", DisplayName = "GitHub")]
    [DataRow("Grüße 猫 😀", "Grüße 猫 😀", DisplayName = "other languages stay")]
    public void NothingHostileGetsThrough(string text, string expected)
    {
        Assert.AreEqual(expected, ConsoleText.Line(text));
        Assert.AreEqual(expected, ConsoleText.Line(expected), "idempotent");
    }

    [TestMethod]
    public void RunsOfMarkersAreBrokenToo()
    {
        foreach (var text in new[] { "####[", "###vso[", ":::::", "::::warning::" })
        {
            var line = ConsoleText.Line(text);
            Assert.DoesNotContain("##", line);
            Assert.DoesNotContain("::", line);
        }
    }

    [TestMethod]
    public void HalfASurrogatePairIsSpelledOut() => Assert.AreEqual("lone \\ud83d half", ConsoleText.Line("lone \ud83d half"));

    [TestMethod]
    public void LongTextsAreCut() => Assert.AreEqual(ConsoleText.MaxLength + 1, ConsoleText.Line(new string('x', 1_000_000)).Length);

    [TestMethod]
    public void CanonicalFormHasPositionCodeAndOneLine()
    {
        Assert.AreEqual("models/recipe.json(3,15): error COB2003: 'bits' is 5.", DiagnosticFormat.Canonical(
            new Diagnostic(Severity.Error, Codes.RecipeInvalidValue, "'bits' is 5.", "models/recipe.json", 3, 15)));
        Assert.AreEqual("CompressOnBuild: warning COB9001: a\\nb", DiagnosticFormat.Canonical(new Diagnostic(Severity.Warning, Codes.Bug, "a\nb")));
        Assert.AreEqual("m\\n.onnx: error COB1002: x", DiagnosticFormat.Canonical(new Diagnostic(Severity.Error, Codes.ModelEmpty, "x", "m\n.onnx")));
    }
}
