using System.Text.Json;
using CompressOnBuild.Reporting;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Worker;

/// <summary>Names that command build agents, repaint terminals, run in browsers or end a line, through the whole way to every file.</summary>
[TestClass]
public sealed class HostileNamesTests : BadInput
{
    private static readonly string[] Names =
    [
        "a\nCompressOnBuild: error COB9999: fake\r\n##vso[task.setvariable variable=PATH]x",
        "\u001b[2J\u001b]0;title\u0007red", "<script>alert(1)</script>", "\"><img src=x onerror=alert(2)>", "]]><!--", "a|b`c`|", "\u202egnp.exe",
        "::add-mask::x", "class", "namespace", "tab\tx", "C:\\new\\table", "{{7*7}}", "${jndi:x}", "'; DROP TABLE weights; --",
    ];

    [TestMethod]
    public void EverySinkEscapes()
    {
        // A chain of layers: every weight, node and value has a name of its own from the list, input and output too.
        var model = new ModelBuilder().Input(Names[0], -1, 64).Output(Names[^1], -1, 64);
        for (var i = 1; i < Names.Length; i++)
            model.Weight("w" + Names[i], i, 0.1f, 64, 64).Node("MatMul", [Names[i - 1], "w" + Names[i]], [Names[i]]);
        model.Proto.Graph.Name = model.Proto.ProducerName = Names[0];
        var data = new NpzBuilder().Floats(Names[0], ModelBuilder.Random(1, 1, 60, 64).AsSpan<float>().ToArray(), 60, 64).Save(Folder["val.npz"]);

        var run = WorkerProcess.Compress(Save(model), "--evaluation-data", data, "--output", Output, "--max-accuracy-drop", "1");
        Assert.AreEqual(0, run.ExitCode, run.Output);
        Harmless(run.Output);
        foreach (var line in run.Output.Split('\n')) Assert.DoesNotStartWith("CompressOnBuild: error", line);

        var html = Read("report.html");
        Assert.DoesNotContain("<script>alert", html);
        Assert.DoesNotContain("<img", html);
        StringAssert.Contains(html, "&lt;script&gt;alert(1)&lt;/script&gt;");
        Harmless(html);
        _ = System.Xml.Linq.XElement.Parse(html[html.IndexOf("<main>", StringComparison.Ordinal)..html.IndexOf("<script>", StringComparison.Ordinal)]);

        Harmless(Read("report.md"));
        var markdown = Read("report.md").Split('\n').Where(l => l.StartsWith('|') && l.Contains("MatMul", StringComparison.Ordinal)).ToArray();
        Assert.IsGreaterThan(10, markdown.Length);

        using var json = JsonDocument.Parse(Read("report.json"));
        var weights = json.RootElement.GetProperty("weights").EnumerateArray().Concat(json.RootElement.GetProperty("skipped").EnumerateArray()).Select(w => w.GetProperty("name").GetString()).ToArray();
        CollectionAssert.IsSubsetOf(Names[1..].Select(n => "w" + n).ToArray(), weights, "data keeps the names as they are");
        Assert.DoesNotContain("\u001b", Read("report.json"));

        Assert.AreEqual($"inputs\t{DependencyFile.Escape(Names[0])}\noutputs\t{DependencyFile.Escape(Names[^1])}\n", Read("accessor.txt"));
        Assert.HasCount(3, Read("accessor.txt").Split('\n'));
    }

    [TestMethod]
    public void ErrorsEscapeTheNamesInThem()
    {
        Harmless(Refused("COB1009", Save(new ModelBuilder().Input("x", 2).Output("y", 2).Node("Add", ["x", string.Concat(Names)], ["y"]))));
        // What the runtime says about a model holds its names too.
        Harmless(Refused("COB1020", Save(new ModelBuilder().Input("x", 2).Output("y", 2).Node(Names[0], ["x"], ["y"]))));
        Harmless(Refused("COB1107", Save(Named(Names[0])), "--evaluation-data", SaveData()));
    }

    [TestMethod]
    public void TheBuildsProtocolHoldsOneLineEach()
    {
        var run = WorkerProcess.Compress(Save(Named(Names[0])), "--evaluation-data", SaveData(), "--output", Output, "--log", "msbuild");
        Assert.AreEqual(1, run.ExitCode, run.Output);
        var lines = run.Output.TrimEnd('\n').Split('\n');
        foreach (var line in lines)
        {
            Assert.HasCount(7, line.Split('\t'), line);
            StringAssert.StartsWith(line, "@cob\t");
            Harmless(line.Replace('\t', ' '));
        }
        Assert.HasCount(1, lines.Where(l => l.StartsWith("@cob\terror\tCOB1107\t", StringComparison.Ordinal)).ToArray(), run.Output);
    }

    [TestMethod]
    public void FileNamesAreHostileToo()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("Windows forbids such names.");
        Harmless(Refused("COB1003", Folder.Write("##vso[x]\u001b[31m\nm.onnx", "no model"), "--name", "m"));
    }

    [TestMethod]
    public void ClassFoldersAndDataFilesAreHostileToo()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("Windows forbids such names.");
        var sample = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "shapes");
        var names = Names.Where(n => !n.Contains('/', StringComparison.Ordinal)).Take(10).ToArray();
        for (var i = 0; i < 120; i++)
        {
            var target = Folder[Path.Combine("data", names[i % names.Length], i + names[i % 7] + ".png")];
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(Path.Combine(sample, "val", FormattableString.Invariant($"{i:0000}.png")), target);
        }
        File.Copy(Path.Combine(sample, "preprocessor_config.json"), Folder["data/preprocessor_config.json"]);
        var model = Folder[names[0] + names[1] + ".onnx"];
        File.Copy(Path.Combine(sample, "shapes.onnx"), model);
        var run = WorkerProcess.Compress(model, "--name", "m", "--evaluation-data", Folder["data"], "--recipe", "int8-weights", "--max-accuracy-drop", "1", "--output", Output,
            "--error-log", Folder["log.sarif"], "--test-log", Folder["log.xml"], "--bom", Folder["bom.json"]);
        Assert.AreEqual(0, run.ExitCode, run.Output);
        Harmless(run.Output);
        Harmless(Read("report.html"));
        Harmless(Read("report.md"));
        foreach (var file in new[] { "log.sarif", "bom.json" }) { using var json = JsonDocument.Parse(File.ReadAllText(Folder[file])); }
        Harmless(File.ReadAllText(Folder["log.xml"]));
        _ = System.Xml.Linq.XDocument.Load(Folder["log.xml"]);
        using var report = JsonDocument.Parse(Read("report.json"));
        using var measurements = JsonDocument.Parse(Read("measurements.json"));
        Assert.AreEqual(names[0] + names[1] + ".onnx", report.RootElement.GetProperty("model").GetString(), "data keeps the name as it is");
    }

    private static ModelBuilder Named(string input) => new ModelBuilder().Input(input, -1, 64).Output("y", -1, 32).Weight("w", 1, 0.1f, 64, 32).Node("MatMul", [input, "w"], ["y"]);

    private string Read(string file) => File.ReadAllText(Path.Combine(Output, file));

    private static void Harmless(string text)
    {
        Assert.DoesNotContain("##vso[", text);
        Assert.DoesNotContain("\u001b", text);
        Assert.DoesNotContain("\u202e", text);
        Assert.DoesNotContain("\r", text);
        Assert.DoesNotContain("\n::", text);
        foreach (var c in text) Assert.IsTrue(c == '\n' || !char.IsControl(c), $"control character {(int)c:x2}");
    }
}
