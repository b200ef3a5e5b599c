namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public class WorkerLineTests
{
    [TestMethod]
    public void ReadsEveryField()
    {
        var line = WorkerLine.Parse("@cob\terror\tCOB2003\tmodels/recipe.json\t3\t15\t'bits' is 5.")!;
        Assert.AreEqual(WorkerLineKind.Error, line.Kind);
        Assert.AreEqual("COB2003", line.Code);
        Assert.AreEqual("models/recipe.json", line.File);
        Assert.AreEqual((3, 15), (line.Line, line.Column));
        Assert.AreEqual("'bits' is 5.", line.Text);
    }

    [TestMethod]
    public void UnderstandsWhatTheWorkerEscapes()
    {
        using var output = new StringWriter();
        var log = new Worker.MachineLog(output);
        log.Write(new Diagnostics.Diagnostic(Diagnostics.Severity.Warning, "COB1101", "a\tb\\n c\nd", @"C:\temp\new.onnx", 1, 2));
        log.Summary("done");
        var lines = output.ToString().TrimEnd('\n').Split('\n');
        Assert.HasCount(2, lines);
        var line = WorkerLine.Parse(lines[0])!;
        Assert.AreEqual(@"C:\temp\new.onnx", line.File);
        Assert.AreEqual(@"a b\n c d", line.Text);
        Assert.AreEqual(WorkerLineKind.Summary, WorkerLine.Parse(lines[1])!.Kind);
    }

    [TestMethod]
    [DataRow("hello")]
    [DataRow("@cob\tfatal\tCOB0001\t\t0\t0\tx")]
    [DataRow("@cob\terror\tCOB0001\t\t0\t0")]
    [DataRow("@cob\terror\tCOB0001\t\t0\t0\tx\ty")]
    [DataRow(" @cob\terror\tCOB0001\t\t0\t0\tx")]
    public void OtherLinesAreNotOurs(string line) => Assert.IsNull(WorkerLine.Parse(line));

    [TestMethod]
    public void AForgedCodeIsDropped() => Assert.AreEqual("", WorkerLine.Parse("@cob\terror\tCS0001x\t\t-1\tz\tx")!.Code);

    [TestMethod]
    [DataRow("##vso[task.setvariable]x", "# #vso[task.setvariable]x")]
    [DataRow("###[error]", "# # #[error]")]
    [DataRow("::error file=a::x", ": :error file=a: :x")]
    [DataRow("a\u001b[31mb\u0007\u009bc\u2028d\u202ee", "a[31mbcde")]
    [DataRow("two\r\nlines", "two  lines")]
    public void TextCannotSteerTheLog(string text, string clean) => Assert.AreEqual(clean, LogText.Clean(text));

    [TestMethod]
    public void EndlessTextIsCut() => Assert.IsLessThan(9000, LogText.Clean(new string('x', 1_000_000)).Length);
}
