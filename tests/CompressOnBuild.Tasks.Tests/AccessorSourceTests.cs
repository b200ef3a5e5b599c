using System.Globalization;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public class AccessorSourceTests
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
