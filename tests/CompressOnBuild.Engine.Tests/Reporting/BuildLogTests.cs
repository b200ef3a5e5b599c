using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Reporting;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Reporting;

/// <summary>The logs for those who look at a build from outside, from stored results as a build leaves them.</summary>
[TestClass]
public sealed class BuildLogTests : IDisposable
{
    private readonly ScratchFolder folder = new();

    public void Dispose() => folder.Dispose();

    [TestMethod, OfficialSchemasCondition]
    public void SarifIsValidAndShowsNoFolderOfTheMachine()
    {
        var log = Log(new Diagnostic(Severity.Error, Codes.AccuracyDropped, $"top1 fell. The reports are in '{folder["repo/app/obj"]}'.", folder["repo/app/models/a b#.onnx"], 3, 15),
            new Diagnostic(Severity.Warning, Codes.NoData, "see [text](http://x.y)"));
        var bytes = SarifLog.Write(log);
        OfficialSchemas.AssertSarif(bytes);
        Assert.DoesNotContain(folder.Path, Encoding.UTF8.GetString(bytes));
        using var sarif = JsonDocument.Parse(bytes);
        var run = sarif.RootElement.GetProperty("runs")[0];
        Assert.IsFalse(run.GetProperty("invocations")[0].GetProperty("executionSuccessful").GetBoolean());
        var rules = run.GetProperty("tool").GetProperty("driver").GetProperty("rules");
        var results = run.GetProperty("results").EnumerateArray().ToArray();
        Assert.HasCount(3, results, "an error and a warning of the model, and the project's");
        foreach (var result in results) Assert.AreEqual(result.GetProperty("ruleId").GetString(), rules[result.GetProperty("ruleIndex").GetInt32()].GetProperty("id").GetString());
        var error = results.Single(r => r.GetProperty("ruleId").GetString() == Codes.AccuracyDropped);
        var place = error.GetProperty("locations")[0].GetProperty("physicalLocation");
        Assert.AreEqual(("app/models/a%20b%23.onnx", "%SRCROOT%"), (place.GetProperty("artifactLocation").GetProperty("uri").GetString(), place.GetProperty("artifactLocation").GetProperty("uriBaseId").GetString()));
        Assert.AreEqual((3, 15), (place.GetProperty("region").GetProperty("startLine").GetInt32(), place.GetProperty("region").GetProperty("startColumn").GetInt32()));
        StringAssert.Contains(error.GetProperty("message").GetProperty("text").GetString(), "'app");
        StringAssert.Contains(rules[0].GetProperty("help").GetProperty("markdown").GetString(), "## What to do");
        Assert.DoesNotContain("](", results.Single(r => r.GetProperty("ruleId").GetString() == Codes.NoData).GetProperty("message").GetProperty("text").GetString()!, "no link");
    }

    [TestMethod, OfficialSchemasCondition]
    public void TheBillOfMaterialsIsValidAndHoldsHashesMetricsAndPedigree()
    {
        var bytes = BillOfMaterials.Write(Log());
        OfficialSchemas.AssertBom(bytes);
        CollectionAssert.AreEqual(bytes, BillOfMaterials.Write(Log()), "equal results, equal bytes");
        using var bom = JsonDocument.Parse(bytes);
        var model = bom.RootElement.GetProperty("components")[0];
        Assert.AreEqual("machine-learning-model", model.GetProperty("type").GetString());
        Assert.AreEqual(new string('b', 64), model.GetProperty("hashes")[0].GetProperty("content").GetString());
        Assert.AreEqual(new string('a', 64), model.GetProperty("pedigree").GetProperty("ancestors")[0].GetProperty("hashes")[0].GetProperty("content").GetString());
        StringAssert.Contains(model.GetProperty("pedigree").GetProperty("notes").GetString(), "folded 35 BatchNormalization into Conv");
        var metrics = model.GetProperty("modelCard").GetProperty("quantitativeAnalysis").GetProperty("performanceMetrics").EnumerateArray().ToDictionary(m => m.GetProperty("type").GetString()!);
        Assert.AreEqual("0.825", metrics["top1"].GetProperty("value").GetString());
        Assert.AreEqual("-0.003", metrics["top1 drop"].GetProperty("confidenceInterval").GetProperty("lowerBound").GetString());
        Assert.IsFalse(metrics.ContainsKey("sqnr of the original"), "what is infinite has no value");
    }

    [TestMethod]
    public void TestsAreOnePerLimitAndFailuresCarryTheCodedMessage()
    {
        static CompressionResult Broken(CompressionResult r) => r with
        {
            Verdict = Verdict.Fail, Request = r.Request with { Require = [new Requirement("top1", true, 0.8), new Requirement("top1", true, 0.9)], MaxLatency = 0.8 },
        };
        var suite = Suite(Broken, new Diagnostic(Severity.Error, Codes.RequirementMissed, "top1 is 0.825 on 900 samples, required is at least 0.9"));
        var cases = suite.Elements("testcase").ToDictionary(c => (string)c.Attribute("name")!);
        CollectionAssert.AreEquivalent(new[] { "compression", "MaxAccuracyDrop top1 0.01", "Require top1>=0.8", "Require top1>=0.9", "MaxSize 30 %", "MaxLatency 80 %" }, cases.Keys.ToArray());
        Assert.AreEqual("1 of 6", $"{suite.Elements("testcase").Count(c => c.HasElements)} of {suite.Attribute("tests")!.Value}");
        var failure = cases["Require top1>=0.9"].Element("failure")!;
        Assert.AreEqual(("COB4002", "1", "0"), ((string)failure.Attribute("type")!, (string)suite.Attribute("failures")!, (string)suite.Attribute("errors")!));
        StringAssert.Contains(failure.Value, "COB4002: top1 is 0.825");
        Assert.AreEqual("app.m.onnx", (string)cases["compression"].Attribute("classname")!);
    }

    [TestMethod]
    public void WhatTheSamplesLeaveOpenIsSkippedAndFailsOnlyWhenStrict()
    {
        static CompressionResult Open(CompressionResult r) => r with { Verdict = Verdict.Inconclusive, Measurements = r.Measurements with { Metrics = [r.Measurements.Metrics[0] with { Confidence = new Interval(-0.01, 0.02), Passed = false }] } };
        Assert.IsNotNull(Accuracy(Suite(Open, new Diagnostic(Severity.Warning, Codes.Undecided, "more samples"))).Element("skipped"));
        Assert.AreEqual("COB4006", (string)Accuracy(Suite(Open, new Diagnostic(Severity.Error, Codes.Undecided, "more samples"))).Element("failure")!.Attribute("type")!);
        var none = Suite(r => r with { Verdict = Verdict.Unmeasured, Measurements = new Measurements() });
        Assert.AreEqual("nothing was measured", (string)none.Elements("testcase").Single(c => (string)c.Attribute("name")! == "accuracy").Element("skipped")!.Attribute("message")!);

        static XElement Accuracy(XElement suite) => suite.Elements("testcase").Single(c => ((string)c.Attribute("name")!).StartsWith("MaxAccuracyDrop", StringComparison.Ordinal));
    }

    [TestMethod]
    public void ARunThatEndedBeforeItMeasuredIsAnErrorWithoutFigures()
    {
        var error = new Diagnostic(Severity.Error, Codes.ModelNotFound, "not there");
        var log = new BuildLog("app", null, folder.Path, [LoggedModel.Read(folder["m.onnx"], null, [error])], []);
        var suite = XElement.Load(new MemoryStream(TestLog.Write(log))).Element("testsuite")!;
        Assert.AreEqual("COB1001", (string)suite.Element("testcase")!.Element("error")!.Attribute("type")!);
        StringAssert.Contains(StepSummary.Write(log), "| `m.onnx` | – | not measured | – | **failed** |");
    }

    [TestMethod]
    public void TheSummaryIsAppendedOnceWhateverBuildsAgain()
    {
        File.WriteAllText(folder["summary.md"], "before");
        var files = new BuildLogFiles(AppendedSummary: folder["summary.md"]);
        Assert.IsEmpty(files.Write(Log()));
        var once = File.ReadAllText(folder["summary.md"]);
        StringAssert.StartsWith(once, "before\n\n### CompressOnBuild: app\n");
        StringAssert.Contains(once, "14.0 MB → 3.7 MB (26.6 %)");
        files.Write(Log());
        Assert.AreEqual(once, File.ReadAllText(folder["summary.md"]));
        var warning = new BuildLogFiles(AppendedSummary: folder.Path).Write(Log()).Single();
        Assert.AreEqual((Severity.Warning, Codes.SummaryNotWritten), (warning.Severity, warning.Code));
    }

    [TestMethod]
    public void AFailedBuildTakesTheBillOfMaterialsOfTheLastOneAway()
    {
        var files = new BuildLogFiles(Bom: folder["bom.json"]);
        files.Write(Log());
        Assert.IsTrue(File.Exists(folder["bom.json"]));
        var failed = Log(new Diagnostic(Severity.Error, Codes.TooLarge, "too large"));
        files.Write(failed);
        Assert.IsFalse(File.Exists(folder["bom.json"]), "it lists what this build did not make");
        files.Write(failed);
    }

    [TestMethod]
    public void AnItemWithErrorsIsItsModelsCaseUnderTheNameThatPassedBefore()
    {
        string[] Names(BuildLog log) => [.. XElement.Load(new MemoryStream(TestLog.Write(log))).Descendants("testcase").Select(c => $"{(string)c.Attribute("classname")!} {(string)c.Attribute("name")!} {c.Elements().FirstOrDefault()?.Name}")];
        BuildLog Of(params Diagnostic[] said) => new("app", null, folder.Path, [LoggedModel.Read(folder["m.onnx"], null, said)], []);
        CollectionAssert.AreEqual((string[])["app.m.onnx compression error"], Names(Of(new Diagnostic(Severity.Error, "COB0001", "Goal is 'x'."), new Diagnostic(Severity.Error, "COB0004", "no folder"))));
        // An item that is there twice has the result of the first.
        var twice = Names(Log(new Diagnostic(Severity.Error, Codes.DuplicateModelName, "both have the LogicalName")));
        CollectionAssert.IsSubsetOf(Names(Log()).Select(n => n.Trim()).Where(n => !n.Contains(" compression", StringComparison.Ordinal)).ToArray(), twice.Select(n => n.Trim()).ToArray());
        CollectionAssert.Contains(twice, "app.m.onnx compression error");
        // Several errors of the project are one case.
        var project = new BuildLog("app", null, folder.Path, [], [new Diagnostic(Severity.Error, "COB0006", "one."), new Diagnostic(Severity.Error, "COB0006", "two.")]);
        CollectionAssert.AreEqual((string[])["app.app project error"], Names(project));
        StringAssert.Contains(XElement.Load(new MemoryStream(TestLog.Write(project))).Value, "COB0006: one. two.");
    }

    [TestMethod]
    public void ADamagedResultIsACodedError()
    {
        Log();
        foreach (var text in new[] { "{", "{}", "[]", "{\"limits\":3}" })
        {
            File.WriteAllText(folder["repo/app/obj/m/report.json"], text);
            Assert.AreEqual(Codes.StoredResultUnreadable, Assert.ThrowsExactly<CompressionException>(() => LoggedResult.Read(folder["repo/app/obj/m"])).Diagnostic.Code, text);
        }
    }

    private XElement Suite(Func<CompressionResult, CompressionResult> change, params Diagnostic[] said) =>
        XElement.Load(new MemoryStream(TestLog.Write(Log(change, said)))).Element("testsuite")!;

    private BuildLog Log(params Diagnostic[] said) => Log(r => r, said);

    private BuildLog Log(Func<CompressionResult, CompressionResult> change, params Diagnostic[] said)
    {
        Directory.CreateDirectory(folder["repo/.git"]);
        ReportWriter.Write(change(SampleResult.Create(folder["repo/app/obj/m"])), folder["repo/app/obj/m"]);
        return new BuildLog("app", folder["repo/app/app.csproj"], folder["repo/app"], [LoggedModel.Read(folder["repo/app/m.onnx"], folder["repo/app/obj/m"], said)],
            [new Diagnostic(Severity.Warning, Codes.UnknownMetadata, "a metadata is misspelt", folder["repo/app/app.csproj"])]);
    }
}
