using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Engine.Tests.Reporting;

[TestClass]
public sealed partial class ReportWriterTests
{
    private readonly string folder = Directory.CreateTempSubdirectory("cob-reports-").FullName;

    [TestCleanup]
    public void Clean() => Directory.Delete(folder, recursive: true);

    [TestMethod]
    public void LeavesFourWholeFilesAndNothingElse()
    {
        ReportWriter.Write(SampleResult.Create(), folder);
        ReportWriter.Write(SampleResult.Create(), folder);
        CollectionAssert.AreEquivalent(ReportWriter.Files.ToArray(), Directory.GetFiles(folder).Select(Path.GetFileName).ToArray());
        foreach (var file in ReportWriter.Files)
        {
            var text = File.ReadAllText(Path.Combine(folder, file));
            Assert.DoesNotContain("\r", text, file);
            StringAssert.EndsWith(text, "\n", file);
        }
    }

    [TestMethod]
    public void AFolderThatCannotBeWrittenIsACodedError()
    {
        var file = Path.Combine(folder, "not-a-folder");
        File.WriteAllText(file, "x");
        var error = Assert.ThrowsExactly<CompressionException>(() => ReportWriter.Write(SampleResult.Create(), file)).Diagnostic;
        Assert.AreEqual(Codes.OutputNotWritable, error.Code);
        Assert.AreEqual("x", File.ReadAllText(file));
    }

    [TestMethod]
    public void AFailedWriteLeavesTheOldFileAndNoHalfOne()
    {
        var path = Path.Combine(folder, "report.json");
        OutputFile.WriteText(path, "old");
        Assert.ThrowsExactly<CompressionException>(() => OutputFile.Write(path, s => { s.Write("half"u8); throw new IOException("No space left on device"); }));
        Assert.AreEqual("old", File.ReadAllText(path));
        Assert.HasCount(1, Directory.GetFiles(folder));
    }

    [TestMethod]
    public void FilesOfABatchReplaceTheOldOnesTogetherOrNotAtAll()
    {
        var (first, second) = (Path.Combine(folder, "m.onnx"), Path.Combine(folder, "report.json"));
        OutputFile.WriteText(first, "old model");
        OutputFile.WriteText(second, "old report");
        using (var batch = new OutputBatch())
        {
            batch.Add(first, s => s.Write("new model"u8));
            Assert.ThrowsExactly<CompressionException>(() => batch.Add(second, _ => throw new IOException("No space left on device")));
        }
        Assert.AreEqual("old model, old report", $"{File.ReadAllText(first)}, {File.ReadAllText(second)}");
        Assert.HasCount(2, Directory.GetFiles(folder));
        using (var batch = new OutputBatch())
        {
            batch.Add(first, s => s.Write("new model"u8));
            batch.Add(second, s => s.Write("new report"u8));
            batch.Commit();
        }
        Assert.AreEqual("new model, new report", $"{File.ReadAllText(first)}, {File.ReadAllText(second)}");
        Assert.HasCount(2, Directory.GetFiles(folder));
    }

    [TestMethod]
    public void HtmlNeedsNothingElse()
    {
        var html = HtmlReport.Write(SampleResult.Create());
        Assert.DoesNotMatchRegex(Outside(), html);
        StringAssert.Contains(html, "default-src 'none'");
        StringAssert.Contains(html, "The model is 3.7 MB instead of 14.0 MB (26.6 %), and its top1 went from 82.8 % to 82.5 % on 900 samples (at worst -0.9 pt with 95 % confidence, -1.0 pt is allowed). One run: 2.1x faster.");
    }

    [TestMethod]
    public void HtmlIsWellFormedWithHostileNames()
    {
        var html = HtmlReport.Write(SampleResult.Create(name: SampleResult.Hostile));
        Assert.DoesNotContain("<script>alert", html);
        Assert.DoesNotContain("\u001b", html);
        Assert.DoesNotContain("\u202e", html);
        StringAssert.Contains(html, "&lt;script&gt;alert(1)&lt;/script&gt;");
        // Everything we write closes its elements, so the page parses as XML: a name that got through would break it.
        var main = System.Xml.Linq.XElement.Parse(html[html.IndexOf("<main>", StringComparison.Ordinal)..html.IndexOf("<script>", StringComparison.Ordinal)]);
        Assert.IsTrue(main.Descendants("code").Any(c => c.Value == ConsoleText.Visible(SampleResult.Hostile)));
    }

    [TestMethod]
    public void ChartsHoldNamesThatXmlCannot()
    {
        var result = SampleResult.Create();
        var names = new[] { "\ufffe", "\ud83d\ude42", "\ud83d", "\0", "<b>" };
        var html = HtmlReport.Write(result with { Weights = [.. names.Select(n => result.Weights[0] with { Name = n })] });
        var titles = TitleOfAPoint().Matches(html).Select(m => m.Groups[1].Value).ToArray();
        CollectionAssert.AreEqual((string[])["\\ufffe: 38.3 dB", "\ud83d\ude42: 38.3 dB", "\\ud83d: 38.3 dB", "\\x00: 38.3 dB", "&lt;b&gt;: 38.3 dB"], titles[^5..]);
    }

    [TestMethod]
    public void MarkdownKeepsHostileNamesInTheirCell()
    {
        var result = SampleResult.Create(name: SampleResult.Hostile);
        var line = MarkdownReport.Write(result with { Steps = [SampleResult.Hostile] }).Split('\n').Single(l => l.Contains("32×3×3×3", StringComparison.Ordinal));
        Assert.HasCount(10, Pipe().Split(line), line);
        StringAssert.StartsWith(line, "| ``a\\n");
        var pair = MarkdownReport.Write(result).Split('\n').Single(l => l.StartsWith("| cat |", StringComparison.Ordinal));
        Assert.HasCount(7, Pipe().Split(pair), pair);
        var step = MarkdownReport.Write(result with { Steps = [SampleResult.Hostile] }).Split('\n').Single(l => l.StartsWith("1. ", StringComparison.Ordinal));
        StringAssert.Contains(step, @"\<script\>");
        StringAssert.Contains(step, @"\`code\`\[link\](http\://x.y)");
        StringAssert.Contains(step, "&#64;all");
    }

    [TestMethod]
    [DataRow("plain", "`plain`")]
    [DataRow("a`b", "``a`b``")]
    [DataRow("``", "``` `` ```")]
    [DataRow("a|b", @"`a\|b`")]
    [DataRow("", "(no name)")]
    public void CodeSpansHoldAnyName(string name, string expected) => Assert.AreEqual(expected, MarkdownText.Code(name));

    [TestMethod]
    public void ManyLayersEndInOneRow()
    {
        var result = SampleResult.Create();
        var many = Enumerable.Range(0, 300).Select(i => result.Weights[0] with { Name = $"layer{i}", BytesBefore = 1000 - i, BytesAfter = 250 }).ToList();
        var html = HtmlReport.Write(result with { Weights = many, Skipped = [] });
        StringAssert.Contains(html, "284 smaller weights");
        StringAssert.Contains(MarkdownReport.Write(result with { Weights = many }), "and 260 smaller ones");
    }

    [TestMethod]
    public void DependencyFileListsWhatWasReadAndLeft()
    {
        ReportWriter.Write(SampleResult.Create(), folder);
        var input = Path.Combine(folder, "in put.csv");
        File.WriteAllText(input, "abc");
        var result = SampleResult.Create(folder) with { InputFiles = [InputFile.Of(input)], AbsentFiles = ["/data/evaluation.json"], InputFolders = ["/data/val"] };
        File.WriteAllText(result.OutputModel, "model");
        DependencyFile.Write(result, folder, null);
        var lines = File.ReadAllText(Path.Combine(folder, DependencyFile.Inputs)).TrimEnd('\n').Split('\n');
        var ticks = File.GetLastWriteTimeUtc(input).Ticks;
        Assert.AreEqual("cob-inputs 1 none", lines[0]);
        Assert.AreEqual($"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3 {ticks} {input}", lines[1]);
        Assert.AreEqual("absent /data/evaluation.json", lines[2]);
        Assert.AreEqual("dir /data/val", lines[3]);
        Assert.HasCount(10, lines);
        foreach (var line in lines[4..]) Assert.MatchesRegex(OutLine(), line);
        Assert.AreEqual("inputs\tinput\noutputs\toutput\ttab\\tand\\nline\\\\\n", File.ReadAllText(Path.Combine(folder, DependencyFile.Accessor)));
        DependencyFile.Write(result, folder, "cafe");
        StringAssert.StartsWith(File.ReadAllText(Path.Combine(folder, DependencyFile.Inputs)), "cob-inputs 1 cafe\n");
    }

    [GeneratedRegex("( src=(?!\"data:image/png;base64,)| href=|url\\(|@import|https?:)", RegexOptions.IgnoreCase)]
    private static partial Regex Outside();
    [GeneratedRegex("<ellipse[^>]*><title>([^<]*)</title>")]
    private static partial Regex TitleOfAPoint();
    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex Pipe();
    [GeneratedRegex("^out [0-9a-f]{64} [0-9]+ [0-9]+ /.+$")]
    private static partial Regex OutLine();
}
