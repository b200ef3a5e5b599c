using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public class RegressionTests
{
    [TestMethod]
    [DataRow("top1", true, 0.99, 0.98, 0.005, 0.01)]
    [DataRow("cer", false, 0.02, 0.03, 0.005, 0.01)]
    [DataRow("top1", true, 0.99, 0.98, 0.0099, 0.01)]
    public void WorseByMoreThanTheLimitIsRefusedInTheMetricsDirection(string name, bool higher, double accepted, double now, double limit, double worse)
    {
        var text = Regression.Judge(Metric(name, now), new AcceptedResult(accepted, higher), limit);
        StringAssert.Contains(text, FormattableString.Invariant($"{name} of the compressed model is {now}; the accepted result of the lock file is {accepted} on the same 200 samples (worse by {worse}, MaxRegression {limit})."));
        StringAssert.Contains(text, "dotnet build -p:CompressOnBuildForceEvaluate=true");
    }

    [TestMethod]
    [DataRow(true, 0.99, 0.995, 0.0), DataRow(true, 0.99, 0.985, 0.005), DataRow(false, 0.02, 0.01, 0.0), DataRow(false, 0.02, 0.025, 0.005)]
    [DataRow(true, 0.333333, 1.0 / 3, 0.0, DisplayName = "six decimals of a third are no regression")]
    public void BetterAndJustAsMuchAsAllowedPass(bool higher, double accepted, double now, double limit) =>
        Assert.IsNull(Regression.Judge(Metric("m", now), new AcceptedResult(accepted, higher), limit));

    [TestMethod]
    public void TheGateFailsByItThoughTheOriginalIsNoBetter()
    {
        var facts = new ModelFacts("", 100, 100, 1, 1, 1);
        var request = new CompressionRequest { Model = "m.onnx", Output = "out", Name = "m" };
        var input = new GateInput([Metric("top1", 0.9)], facts, facts with { Bytes = 50, ShippedBytes = 50 }, null, true);
        Assert.AreEqual(Verdict.Pass, Gate.Judge(request, input).Verdict);
        var regressed = Gate.Judge(request, input with { Accepted = new AcceptedResult(0.91, true) });
        Assert.AreEqual(Codes.Regressed, regressed.Errors.Single().Code);
        Assert.AreEqual(Verdict.Pass, Gate.Judge(request with { MaxRegression = 0.02 }, input with { Accepted = new AcceptedResult(0.91, true) }).Verdict);
    }

    private static MetricResult Metric(string name, double value) => new(name, value, value, 0, 0.01, 200, new Interval(-0.001, 0.001), true);
}
