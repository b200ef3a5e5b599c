using CompressOnBuild.Reporting;

namespace CompressOnBuild.Engine.Tests.Reporting;

[TestClass]
public sealed class SummaryLineTests
{
    private const string Report = "[obj/compressed/mobilenetv2/report.html]";

    [TestMethod]
    public void SaysSizeAccuracyIntervalLimitSpeedTimeAndPlace() => Assert.AreEqual(
        "CompressOnBuild: mobilenetv2.onnx 14.0 MB -> 3.7 MB (26.6 %), top1 82.8 % -> 82.5 % (-0.3 pt, 95 % interval -0.9..0.3, limit -1.0, AVX2 70.1 %), 2.1x faster, 11.2 s " + Report,
        SummaryLine.Format(SampleResult.Create(), "/work space"));

    [TestMethod]
    [DataRow("cer", 0.03, 0.034, 0.004, 0.01, "cer 3.0 % -> 3.4 % (+0.4 pt, limit +1.0)")]
    [DataRow("cosine", 1.0, 0.9987, 0.0013, 0.01, "cosine 1.0000 -> 0.9987 (-0.0013, limit -0.0100)")]
    [DataRow("auc", 0.95, 0.9501, -0.0001, 0.01, "auc 0.9500 -> 0.9501 (+0.0001, limit -0.0100)")]
    [DataRow("top1", 0.9, 0.9, 0.0, 0.0, "top1 90.0 % -> 90.0 % (0.0 pt, limit 0.0)")]
    [DataRow("top1", 0.9, 0.9, 0.0, 0.0001, "top1 90.0 % -> 90.0 % (0.0 pt, limit -0.01)", DisplayName = "a limit that is not zero does not read as zero")]
    [DataRow("top1", 0.9, 0.89999, 0.00001, 0.01, "top1 90.0 % -> 90.0 % (0.0 pt, limit -1.0)")]
    [DataRow("sqnr", double.PositiveInfinity, 31.42, double.NaN, 0.01, "sqnr 31.4 dB,")]
    public void EachMetricHasItsOwnUnitAndDirection(string name, double original, double compressed, double drop, double limit, string expected)
    {
        var result = SampleResult.Create();
        result = result with { Measurements = result.Measurements with { Metrics = [new MetricResult(name, original, compressed, drop, limit, 100, null, true)], Avx2 = null } };
        StringAssert.Contains(SummaryLine.Format(result, "/work space"), expected);
    }

    [TestMethod]
    public void WithoutDataItSaysSo()
    {
        var result = SampleResult.Create() with { Verdict = Verdict.Unmeasured, Measurements = new Measurements { Seconds = 130 } };
        Assert.AreEqual($"CompressOnBuild: mobilenetv2.onnx 14.0 MB -> 3.7 MB (26.6 %), accuracy not measured, 2 min 10 s {Report}", SummaryLine.Format(result, "/work space"));
    }

    [TestMethod]
    [DataRow(2.14, "2.1x faster")]
    [DataRow(1.02, "same speed")]
    [DataRow(0.98, "same speed")]
    [DataRow(0.9, "1.1x slower")]
    public void SpeedIsPlain(double speedup, string expected) => Assert.AreEqual(expected, Figures.Speed(speedup));

    [TestMethod]
    [DataRow(0L, "0 B")]
    [DataRow(999L, "999 B")]
    [DataRow(26_454L, "26.5 kB")]
    [DataRow(999_949L, "999.9 kB")]
    [DataRow(999_950L, "1.0 MB")]
    [DataRow(2_400_000_000L, "2.4 GB")]
    public void SizesAreDecimal(long bytes, string expected) => Assert.AreEqual(expected, Figures.Bytes(bytes));

    [TestMethod]
    public void AHostileFileNameStaysOneHarmlessLine()
    {
        var result = SampleResult.Create();
        var line = SummaryLine.Format(result with { Request = result.Request with { Model = "/m/" + SampleResult.Hostile.Replace('/', '_') } }, "/work space");
        foreach (var bad in new[] { "\n", "\r", "\u001b", "##vso[", "::add-mask::", "\u202e" }) Assert.DoesNotContain(bad, line);
    }

    [TestMethod]
    public void AReportElsewhereKeepsItsFullPath() =>
        StringAssert.EndsWith(SummaryLine.Format(SampleResult.Create(), "/elsewhere"), "[/work space/obj/compressed/mobilenetv2/report.html]");
}
