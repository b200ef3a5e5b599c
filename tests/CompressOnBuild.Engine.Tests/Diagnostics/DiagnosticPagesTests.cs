using System.Reflection;
using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Engine.Tests.Diagnostics;

[TestClass]
public sealed partial class DiagnosticPagesTests
{
    private static IReadOnlyList<string> Constants { get; } =
        [.. typeof(Codes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (string)f.GetValue(null)!).Order(StringComparer.Ordinal)];

    [TestMethod]
    public void EveryCodeHasAPageAndEveryPageACode() => CollectionAssert.AreEqual(Constants.ToArray(), DiagnosticPages.All.ToArray());

    [TestMethod]
    public void CodesAreUniqueAndWellFormed()
    {
        Assert.HasCount(Constants.Distinct().Count(), Constants);
        foreach (var code in Constants) Assert.MatchesRegex(CodePattern(), code);
    }

    [TestMethod]
    public void EveryPageHasTitleCauseAndAdvice()
    {
        foreach (var code in DiagnosticPages.All)
        {
            var page = DiagnosticPages.Get(code)!;
            StringAssert.StartsWith(page, $"# {code}: ", code);
            foreach (var section in new[] { "Cause", "What to do", "Example" }) StringAssert.Contains(page, section, code);
        }
    }

    [TestMethod]
    public void FindsAPageInAnyCaseAndNoOther()
    {
        Assert.AreEqual(DiagnosticPages.Get("COB9001"), DiagnosticPages.Get("cob9001"));
        Assert.IsNull(DiagnosticPages.Get("COB"));
        Assert.IsNull(DiagnosticPages.Get("../Codes"));
    }

    [GeneratedRegex("^COB[0-9]{4}$")]
    private static partial Regex CodePattern();
}
