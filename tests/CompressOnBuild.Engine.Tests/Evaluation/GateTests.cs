using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>Who passes, who fails, who stays undecided, and what the user is told.</summary>
[TestClass]
public class GateTests
{
    private static readonly CompressionRequest Request = new() { Model = "/app/m.onnx", Output = "/app/obj", Name = "m" };

    [TestMethod]
    [DataRow(-0.01, 0.009, Verdict.Pass, DisplayName = "the whole interval is within the limit")]
    [DataRow(-0.01, 0.01, Verdict.Pass, DisplayName = "its end meets the limit")]
    [DataRow(0.011, 0.03, Verdict.Fail, DisplayName = "the whole interval is beyond the limit")]
    [DataRow(0.01, 0.03, Verdict.Inconclusive, DisplayName = "its start meets the limit")]
    [DataRow(-0.01, 0.02, Verdict.Inconclusive, DisplayName = "the limit is inside")]
    public void TheIntervalOfTheDropDecides(double low, double high, Verdict expected)
    {
        var result = Gate.Judge(Request, Input(Drop((low + high) / 2, low, high)));
        Assert.AreEqual(expected, result.Verdict);
        Assert.AreEqual(expected == Verdict.Fail, result.Errors.Any(e => e.Code == Codes.AccuracyDropped));
        Assert.AreEqual(expected == Verdict.Inconclusive, result.Warnings.Any(w => w.Code == Codes.Undecided));
    }

    [TestMethod]
    [DataRow(0.01, Verdict.Inconclusive), DataRow(0.0101, Verdict.Fail), DataRow(-0.5, Verdict.Inconclusive)]
    public void WithoutAnIntervalThePointCanOnlyFail(double drop, Verdict expected) =>
        Assert.AreEqual(expected, Gate.Judge(Request, Input(new MetricResult("top1", 0.8, 0.8 - drop, drop, 0.01, 1, null, true))).Verdict);

    [TestMethod]
    public void ARuinedOutputThatNoMetricScoresFails()
    {
        var good = Drop(0, -0.001, 0.001);
        var boxes = new OutputSimilarity("boxes:0", true, 0.31, -0.2, 900);
        var result = Gate.Judge(Request, Input(good, boxes.ToMetric(judged: true)));
        Assert.AreEqual(Verdict.Fail, result.Verdict);
        Assert.AreEqual(Codes.OtherOutputRuined, result.Errors.Single().Code);
        Contains(result.Errors.Single().Message, "'boxes:0'", "cosine similarity of 0.31", "900 samples", "at least 0.99", "evaluation.json");
        Assert.AreEqual(Verdict.Pass, Gate.Judge(Request, Input(good, boxes.ToMetric(judged: false))).Verdict);
        Contains(Gate.Judge(Request, Input(good, new OutputSimilarity("ids", false, 0.8, 0, 9).ToMetric(judged: true))).Errors.Single().Message, "'ids'", "equal elements of 0.8", "at least 0.9");
        Assert.AreEqual(Verdict.Pass, Gate.Judge(Request, Input(good, new OutputSimilarity("ids", false, 0.9, 0, 9).ToMetric(judged: true))).Verdict);
    }

    [TestMethod]
    public void ADropThatIsNoNumberNeverPasses()
    {
        Assert.AreEqual(Verdict.Fail, Gate.Judge(Request, Input(new MetricResult("sqnr", 0.8, double.NaN, double.NaN, 0.01, 9, null, true))).Verdict);
        Assert.AreNotEqual(Verdict.Pass, Gate.Judge(Request, Input(new MetricResult("sqnr", 0.8, double.NaN, double.NaN, 0.01, 9, new Interval(double.NaN, double.NaN), true))).Verdict);
    }

    [TestMethod]
    public void TheFailureTellsFigureIntervalLimitAndWhatToDo()
    {
        var error = Gate.Judge(Request, Input(new MetricResult("top1", 0.828, 0.778, 0.05, 0.01, 900, new Interval(0.031, 0.069), true))).Errors.Single();
        Assert.AreEqual(Severity.Error, error.Severity);
        Assert.AreEqual("/app/m.onnx", error.File);
        Contains(error.Message, "top1 fell from 0.828 to 0.778", "drop 0.05", "95 % interval 0.031..0.069", "limit 0.01", "900 samples", "MaxAccuracyDrop");
    }

    [TestMethod]
    public void AnErrorRateThatRoseIsSaidToRise() =>
        Contains(Gate.Judge(Request, Input(new MetricResult("cer", 0.02, 0.09, 0.07, 0.01, 900, new Interval(0.05, 0.09), true))).Errors.Single().Message, "cer rose from 0.02 to 0.09");

    [TestMethod]
    public void AnUndecidedDropSaysHowManySamplesWouldDecide()
    {
        var input = Input(new MetricResult("top1", 0.8, 0.795, 0.005, 0.01, 100, new Interval(-0.015, 0.025), true) { SamplesToDecide = 1600 }, new MetricResult("agreement", 1, 0.97, 0.03, null, 100, null, true));
        var lax = Gate.Judge(Request, input);
        Contains(lax.Warnings.Single().Message, "0.005", "-0.015..0.025", "limit 0.01", "about 1600 would decide, 1500 more than these", "decide the same on 97 % of them");
        Assert.IsEmpty(lax.Errors);
        var strict = Gate.Judge(Request with { Strict = true }, input);
        Assert.AreEqual(Verdict.Fail, strict.Verdict);
        Assert.AreEqual(Codes.Undecided, strict.Errors.Single().Code);
        Assert.IsEmpty(strict.Warnings);
        Contains(Gate.Judge(Request, Input(Drop(0.01, -0.01, 0.03))).Warnings.Single().Message, "no number of samples would decide");
    }

    [TestMethod]
    [DataRow(true, 0.8, false), DataRow(true, 0.8001, true), DataRow(true, 0.7999, false), DataRow(false, 0.8, false), DataRow(false, 0.7999, true), DataRow(false, 0.8001, false)]
    public void ARequirementIsMetUpToItsFigure(bool atLeast, double value, bool broken)
    {
        var result = Gate.Judge(Request with { Require = [new Requirement("top1", atLeast, value)] }, Input(new MetricResult("top1", 0.8, 0.8, 0, 0.01, 900, new Interval(-0.001, 0.001), true)));
        Assert.AreEqual(broken ? Verdict.Fail : Verdict.Pass, result.Verdict);
        if (broken) Contains(result.Errors.Single(e => e.Code == Codes.RequirementMissed).Message, "top1 is 0.8 on 900 samples", atLeast ? "at least 0.8001" : "at most 0.7999", "the original has 0.8", "Require");
    }

    [TestMethod]
    public void ARequirementMayNameAnotherMetricThanThePrimary()
    {
        var metrics = new[] { Drop(0, -0.001, 0.001), new MetricResult("cosine", 1, 0.97, 0.03, null, 900, new Interval(0.02, 0.04), true) };
        var result = Gate.Judge(Request with { Require = [new Requirement("cosine", true, 0.99)] }, Input(metrics));
        Contains(result.Errors.Single().Message, "cosine is 0.97");
        Assert.AreEqual(Verdict.Pass, Gate.Judge(Request, Input(metrics)).Verdict, "only the primary metric has a limit on its drop");
    }

    [TestMethod]
    [DataRow(250L, null, false), DataRow(249L, null, true), DataRow(null, 0.25, false), DataRow(null, 0.24, true)]
    public void TheSizeLimitIsBytesOrAShareOfTheOriginal(long? bytes, double? share, bool broken)
    {
        var result = Gate.Judge(Request with { MaxSize = new SizeLimit(bytes, share) }, Input(Drop(0, -0.001, 0.001)));
        Assert.AreEqual(broken, result.Errors.Any(e => e.Code == Codes.TooLarge));
        if (broken) Contains(result.Errors.Single().Message, "250 bytes", "25.0 % of the original", bytes is null ? "limit is 240 bytes (24 %)" : "limit is 249 bytes", "MaxSize");
    }

    [TestMethod]
    [DataRow(0.5, false), DataRow(0.4, true)]
    public void TheLatencyLimitIsAShareOfTheOriginal(double limit, bool broken)
    {
        var result = Gate.Judge(Request with { MaxLatency = limit }, Input(Drop(0, -0.001, 0.001)));
        Assert.AreEqual(broken, result.Errors.Any(e => e.Code == Codes.TooSlow));
        if (broken) Contains(result.Errors.Single().Message, "50.0 %", "10.00 ms to 5.00 ms", "limit is 40 %", "MaxLatency");
    }

    [TestMethod]
    public void AFigureThatIsBeyondItsLimitIsNotRoundedToIt() =>
        Contains(Gate.Judge(Request with { MaxLatency = 0.4999 }, Input(Drop(0, -0.001, 0.001))).Errors.Single().Message, "takes 50.0 %", "limit is 49.99 %");

    [TestMethod]
    public void AModelThatGrewFailsUnlessNothingWasToShrink()
    {
        var input = Input(Drop(0, -0.001, 0.001)) with { Compressed = Facts(1000) };
        Contains(Gate.Judge(Request, input).Errors.Single(e => e.Code == Codes.Grew).Message, "1000 bytes", "none");
        Assert.AreEqual(Verdict.Pass, Gate.Judge(Request, input with { SmallerExpected = false }).Verdict);
    }

    [TestMethod]
    public void WithoutMeasurementsTheVerdictSaysSoAndStrictModeFails()
    {
        Assert.AreEqual(Verdict.Unmeasured, Gate.Judge(Request, Input()).Verdict);
        var strict = Gate.Judge(Request with { Strict = true }, Input());
        Assert.AreEqual(Verdict.Fail, strict.Verdict);
        Contains(strict.Errors.Single().Message, "EvaluationData", "CompressOnBuildStrict");
    }

    [TestMethod]
    public void EveryBrokenLimitIsTold()
    {
        var request = Request with { Require = [new Requirement("top1", true, 0.9), new Requirement("top1", false, 0.1)], MaxSize = new SizeLimit(10, null), MaxLatency = 0.1 };
        var result = Gate.Judge(request, Input(Drop(0.5, 0.4, 0.6)));
        CollectionAssert.AreEqual(new[] { Codes.AccuracyDropped, Codes.RequirementMissed, Codes.RequirementMissed, Codes.TooLarge, Codes.TooSlow }, result.Errors.Select(e => e.Code).ToArray());
        Assert.AreEqual(Verdict.Fail, result.Verdict);
    }

    private static MetricResult Drop(double drop, double low, double high) => new("top1", 0.8, 0.8 - drop, drop, 0.01, 900, new Interval(low, high), true);

    private static GateInput Input(params MetricResult[] metrics) => new(metrics, Facts(1000), Facts(250), new Latency(10, 5, 1.9, 2, 2.1), SmallerExpected: true);

    private static ModelFacts Facts(long bytes) => new(new string('a', 64), bytes, bytes, 100, 100, 1000);

    private static void Contains(string message, params string[] parts)
    {
        foreach (var part in parts) StringAssert.Contains(message, part, StringComparison.Ordinal);
    }
}
