using CompressOnBuild.Reporting;

namespace CompressOnBuild.Engine.Tests.Reporting;

/// <summary>The first sentence of every report: what was measured, how sure it is, and what would make it surer.</summary>
[TestClass]
public sealed class VerdictsTests
{
    private static readonly MetricResult Agreement = new("agreement", 1, 1, 0, null, 60, null, true);

    [TestMethod]
    public void FewSamplesAreBackedUpByWhatNeedsNoLabels() => Assert.AreEqual(
        "The model is 3.7 MB instead of 14.0 MB (26.6 %), and its top1 is unchanged at 98.3 % on 60 samples, but -6.0 pt cannot be excluded with 95 % confidence where -1.0 pt is allowed: about 370 samples would decide, 310 more than these; both models decide the same on every one of them. One run: 2.1x faster.",
        Sentence(Verdict.Inconclusive, new MetricResult("top1", 0.983, 0.983, 0, 0.01, 60, new Interval(-0.06, 0.06), false) { SamplesToDecide = 370 }, Agreement));

    [TestMethod]
    public void APassSaysHowBadItMayBe()
    {
        StringAssert.Contains(Sentence(Verdict.Pass, new MetricResult("cer", 0.02, 0.021, 0.001, 0.01, 900, new Interval(-0.003, 0.004), true), Agreement with { Compressed = 0.985 }),
            "its cer went from 2.0 % to 2.1 % on 900 samples (at worst +0.4 pt with 95 % confidence, +1.0 pt is allowed); both models decide the same on 98.5 % of them.");
        StringAssert.Contains(Sentence(Verdict.Pass, new MetricResult("top1", 0.9, 0.9, 0, 0.01, 5, new Interval(0, 0), true)), "unchanged at 90.0 % on 5 samples. One run");
    }

    [TestMethod]
    public void AFailureSaysThatChanceDoesNotExplainIt() =>
        StringAssert.EndsWith(Sentence(Verdict.Fail, new MetricResult("top1", 0.91, 0.78, 0.13, 0.01, 750, new Interval(0.109, 0.153), false)),
            "but the limit for top1 is not met: its top1 went from 91.0 % to 78.0 % on 750 samples (a change of -10.9 pt at best, -1.0 pt is allowed).");

    [TestMethod]
    public void StrictModeRefusesWhatIsOpen()
    {
        var open = new MetricResult("top1", 0.9, 0.895, 0.005, 0.01, 200, new Interval(-0.01, 0.02), false) { SamplesToDecide = 2000 };
        StringAssert.EndsWith(Verdicts.Sentence(Result(Verdict.Fail, open) with { Request = SampleResult.Create().Request with { Strict = true } }), "and strict mode lets nothing pass that is not decided.");
        StringAssert.Contains(Sentence(Verdict.Inconclusive, open with { SamplesToDecide = null }), "no number of samples would decide, because the change is the limit itself");
        StringAssert.Contains(Sentence(Verdict.Inconclusive, open with { Confidence = null }), "show nothing for sure");
    }

    private static string Sentence(Verdict verdict, params MetricResult[] metrics) => Verdicts.Sentence(Result(verdict, metrics));

    private static CompressionResult Result(Verdict verdict, params MetricResult[] metrics)
    {
        var result = SampleResult.Create();
        return result with { Verdict = verdict, Measurements = result.Measurements with { Metrics = metrics } };
    }
}
