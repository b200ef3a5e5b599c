using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Numerics;
using CompressOnBuild.Reporting;
using CompressOnBuild.Testing;
using CompressOnBuild.Worker;
using Markdig;
using Markdig.Extensions.Tables;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace CompressOnBuild.Engine.Tests.Worker;

/// <summary>
/// Random hostile names through every writer. Each sink is read by a parser of its own and must have the very structure that it has with plain
/// names: what is in a name stays text, whatever it holds.
/// </summary>
[TestClass]
public sealed partial class HostileSinksTests : IDisposable
{
    private const int Rounds = 150;

    private static readonly string[] Pieces =
    [
        "##vso[task.setvariable variable=PATH]", "##[error]", "##", "::add-mask::", "::error file=x::", ":", "#", "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</title>", "<!--", "-->", "</style>",
        "\nerror COB0001: forged", "\r\nm.onnx(1,1): error COB0001: forged", "\u001b[2J\u001b]0;t\u0007", "\u202e", "\u2066", "\u200f", "\u061c", "\u00ad", "\u0000", "\u0085", "\u2028", "\ufeff", "\ufffe", "\uffff", "\ud800", "\udc00", "\ud83d\ude00",
        "]]>", "<![CDATA[", "&amp;", "&#x3c;", "%0A", "%5D", "|", "\\|", "\\", "`", "``", "```\n", "~~~", "**", "_", "[a](http://x.y)", "![a](http://x.y)", "<http://x.y>", "https://x.y", "www.x.y", "@someone", "#1", "$$", "\n# ", "\n---\n", "\n| a | b |\n|---|---|\n", "- ", "1. ", "> ", "    ",
        "class", "namespace", "\"", "'", "\t", " ", "/", ".", "..", "{", "}", "{{7*7}}", "${x}", "é", "名", "a", "weight", ",", ";", "=", "@cob\terror\tCOB0001\t\t0\t0\tx",
    ];

    private readonly ScratchFolder folder = new();
    private readonly Pcg32 random = new(20260101);

    public void Dispose() => folder.Dispose();

    [TestMethod]
    public void ReportsKeepTheStructureTheyHaveWithPlainNames()
    {
        var plain = Result("plain");
        string html = Html(HtmlReport.Write(plain)), markdown = Markdown(MarkdownReport.Write(plain)), report = Json(ReportJson.Write(plain)), measurements = Json(MeasurementsJson.Write(plain));
        for (var round = 0; round < Rounds; round++)
        {
            var hostile = Result(null);
            Assert.AreEqual(html, Html(HtmlReport.Write(hostile)), "report.html");
            Assert.AreEqual(markdown, Markdown(MarkdownReport.Write(hostile)), "report.md");
            Assert.AreEqual(report, Json(ReportJson.Write(hostile)), "report.json");
            Assert.AreEqual(measurements, Json(MeasurementsJson.Write(hostile)), "measurements.json");
            OneHarmlessLine(SummaryLine.Format(hostile));
        }
    }

    [TestMethod]
    public void LogsOfABuildKeepTheStructureTheyHaveWithPlainNames()
    {
        var plain = Build("plain");
        string sarif = Json(SarifLog.Write(plain)), tests = Xml(TestLog.Write(plain)), bom = Json(BillOfMaterials.Write(plain)), summary = Markdown(StepSummary.Write(plain));
        for (var round = 0; round < Rounds; round++)
        {
            var hostile = Build(null);
            Assert.AreEqual(sarif, Json(SarifLog.Write(hostile)), "SARIF");
            Assert.AreEqual(tests, Xml(TestLog.Write(hostile)), "JUnit XML");
            Assert.AreEqual(bom, Json(BillOfMaterials.Write(hostile)), "CycloneDX");
            Assert.AreEqual(summary, Markdown(StepSummary.Write(hostile)), "the page of the build");
            if (round % 50 != 0 || !Reporting.OfficialSchemas.Exist) continue;
            Reporting.OfficialSchemas.AssertSarif(SarifLog.Write(hostile));
            Reporting.OfficialSchemas.AssertBom(BillOfMaterials.Write(hostile));
        }
    }

    [TestMethod]
    public void ConsolesGetOneHarmlessLineForEachThing()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var diagnostic = new Diagnostic(Severity.Error, Codes.NoData, Hostile(), Hostile(), 3, 5);
            foreach (var mode in new[] { LogMode.Text, LogMode.MSBuild })
            {
                using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
                using var log = ConsoleLog.Create(mode, json: false, output, error);
                log.Stage(Hostile());
                log.Warning(diagnostic with { Severity = Severity.Warning });
                log.Error(diagnostic);
                log.Summary(Hostile());
                log.Finish(1, null);
                var lines = (output.ToString() + error).Split('\n')[..^1];
                Assert.HasCount(4, lines);
                foreach (var line in lines) OneHarmlessLine(mode == LogMode.MSBuild ? line.Replace('\t', ' ') : line);
                if (mode == LogMode.MSBuild) foreach (var line in lines) Assert.HasCount(7, line.Split('\t'));
                if (mode == LogMode.MSBuild) Assert.AreEqual(diagnostic with { Message = ConsoleText.Line(diagnostic.Message), File = ConsoleText.Line(diagnostic.File) }, MachineLog.Parse(lines[2]));
            }
            using var text = new StringWriter();
            using (var json = ConsoleLog.Create(LogMode.Text, json: true, text, text))
            {
                json.Error(diagnostic);
                json.Finish(1, null);
            }
            using var document = JsonDocument.Parse(text.ToString());
            Assert.AreEqual(Whole(diagnostic.Message), document.RootElement.GetProperty("diagnostics")[0].GetProperty("message").GetString());
            foreach (var line in text.ToString().TrimEnd('\n').Split('\n')) OneHarmlessLine(line);
        }
    }

    /// <summary>A result with a name in every place that a model, its data or its folders name; <paramref name="name"/> or a hostile one each.</summary>
    private CompressionResult Result(string? name)
    {
        string N() => name ?? Hostile();
        var result = Reporting.SampleResult.Create(folder["out"]);
        return result with
        {
            Request = result.Request with { Model = "/models/" + N().Replace('/', '_'), Output = folder["out"], Name = "m" },
            Weights = [new WeightFacts(N(), N(), [1, 2], N(), N(), 8, 0.5, 3, 100, 50, N()), new WeightFacts(N(), "Conv", [1, 2], "t", "e", 8, 0.5, 3, 200, 50, N())],
            Skipped = [new SkippedWeight(N(), N(), [3], 10, Codes.RuleLeftAlone, N())],
            Steps = [N(), N()],
            Warnings = [new Diagnostic(Severity.Warning, Codes.NoData, N(), N())],
            Errors = [new Diagnostic(Severity.Error, Codes.TooLarge, N(), N()), new Diagnostic(Severity.Error, Codes.RequirementMissed, N(), N())],
            Measurements = result.Measurements with
            {
                Metrics = [result.Measurements.Metrics[0], new MetricResult("cosine:" + N(), 1, 0.9, 0.1, 0.5, 100, null, true)],
                Candidates = [new CandidateResult(N(), 1, 0.5, 0.1, 1, true)], Processor = N(), InstructionSets = [N()],
                Changes = new OutputChanges
                {
                    Samples = 10, Equal = 1, Histogram = [new SignalToNoiseBin(0, 10, 9)], MedianSignalToNoise = 12, Decided = 10, Changed = 2, RightToWrong = 1, WrongToRight = 1,
                    Pairs = [new DecisionChange(N(), N(), 2, 1, 1)], Worst = [new SampleChange(N(), 3, N(), N(), N(), null)],
                },
            },
            InputNames = [N()], OutputNames = [N()],
        };
    }

    private BuildLog Build(string? name)
    {
        string N() => name ?? Hostile();
        Diagnostic Said(Severity severity, string code) => new(severity, code, N(), folder["repo/" + N().Replace('\0', '0')], 2, 7);
        var result = Result(name);
        var logged = new LoggedResult { Verdict = Verdict.Fail, Original = result.Original, Compressed = result.Compressed, Metrics = result.Measurements.Metrics, Latency = result.Measurements.Latency, Steps = result.Steps, Recipe = N(), ToolVersion = "1.0.0" };
        return new BuildLog(N(), null, folder.Path, [new LoggedModel(N(), folder["m.onnx"], logged, [Said(Severity.Error, Codes.AccuracyDropped), Said(Severity.Warning, Codes.NoData)]), new LoggedModel(N(), folder["n.onnx"], null, [Said(Severity.Error, Codes.ModelNotFound)])],
            [Said(Severity.Error, Codes.DuplicateModelName)]);
    }

    private string Hostile() => string.Concat(Enumerable.Range(0, 1 + random.Below(5)).Select(_ => Pieces[random.Below(Pieces.Length)]));

    private static void OneHarmlessLine(string line)
    {
        Assert.DoesNotContain("##vso[", line);
        Assert.DoesNotContain("##[", line);
        Assert.DoesNotStartWith("::", line.TrimStart());
        for (var i = 0; i < line.Length; i++)
            Assert.IsFalse(CharUnicodeInfo.GetUnicodeCategory(line, i) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.Surrogate && !char.IsLowSurrogate(line[i]), $"character {(int)line[i]:x4} in {line}");
        Assert.DoesNotMatchRegex(ForgedError(), line);
    }

    /// <summary>Names and nesting of all elements and attributes. Names of weights may break, which leaves elements without content.</summary>
    private static string Html(string html)
    {
        var document = new HtmlParser().ParseDocument(html);
        var shape = new StringBuilder();
        foreach (var element in document.All.Where(e => e.LocalName != "wbr"))
            shape.Append(element.Ancestors().Count()).Append(element.LocalName).Append(string.Join(',', element.Attributes.Select(a => a.Name))).Append('\n');
        foreach (var comment in document.Descendants<IComment>()) shape.Append("comment ").Append(comment.Data);
        foreach (var script in document.Scripts) shape.Append(script.Text);
        Assert.IsTrue(document.DocumentElement.TextContent.All(c => c is '\n' or '\t' || !char.IsControl(c)));
        return shape.ToString();
    }

    /// <summary>Blocks, and inlines that are more than text.</summary>
    private static string Markdown(string text)
    {
        var document = Markdig.Markdown.Parse(text, new MarkdownPipelineBuilder().UsePipeTables().UseAutoLinks().UseEmphasisExtras().UseTaskLists().UseMathematics().Build());
        Assert.IsFalse(text.Any(c => c != '\n' && char.IsControl(c)), "control characters");
        Assert.IsFalse(document.Descendants<LiteralInline>().Any(l => l.Content.ToString().Contains('@', StringComparison.Ordinal)), "somebody would be notified");
        return string.Join('\n', document.Descendants().Where(b => b is not LiteralInline and not HtmlEntityInline and not LineBreakInline).Select(b => $"{Depth(b)}{b.GetType().Name}{(b is TableRow row ? row.Count : 0)}"));

        static int Depth(MarkdownObject o) => o is Block { Parent: { } parent } ? 1 + Depth(parent) : 0;
    }

    private static string Json(byte[] text)
    {
        using var document = JsonDocument.Parse(text);
        Assert.IsFalse(Encoding.UTF8.GetString(text).Any(c => c != '\n' && char.IsControl(c)), "control characters");
        return Shape(document.RootElement);

        static string Shape(JsonElement element) => element.ValueKind switch
        {
            JsonValueKind.Object => "{" + string.Join(",", element.EnumerateObject().Select(p => p.Name + Shape(p.Value))) + "}",
            JsonValueKind.Array => "[" + string.Join(",", element.EnumerateArray().Select(Shape)) + "]",
            JsonValueKind.String => "s",
            _ => element.GetRawText(),
        };
    }

    private static string Xml(byte[] text)
    {
        using var reader = XmlReader.Create(new MemoryStream(text), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, CheckCharacters = true });
        var document = XDocument.Load(reader);
        Assert.IsEmpty(document.DescendantNodes().Where(n => n is XCData or XComment or XProcessingInstruction));
        Assert.IsTrue(document.Root!.Value.All(c => c is '\n' or ' ' || !char.IsControl(c)));
        return string.Join('\n', document.Descendants().Select(e => $"{e.Ancestors().Count()}{e.Name}{string.Join(',', e.Attributes().Select(a => a.Name))}"));
    }

    // JSON has no way to write half a surrogate pair.
    private static string Whole(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    [GeneratedRegex(@"^\s*(m\.onnx\(1,1\): )?error COB0001:", RegexOptions.CultureInvariant)]
    private static partial Regex ForgedError();
}
