using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

[TestClass]
public class PreparationTests
{
    [TestMethod]
    [DataRow("equal", null), DataRow("other weights", "differs from the original"), DataRow("refused", "does not run (ONNX Runtime"), DataRow("fails on the data", "does not run (ONNX Runtime")]
    public void AGraphThatARewriteSpoiltIsTakenBackWithAWarning(string rewritten, string? says)
    {
        using var model = new ModelCase(Network.Build()).With(Network.Unlabelled(Network.Pictures(16)));
        var log = new WarningLog();
        var run = new PairedRun(model.Request, log, default);
        run.Load();
        using var session = new Session(run.Original, run.Settings("original"));
        using var data = run.OpenData(session);
        var prepared = run.Original.Clone();
        var weight = prepared.Graph.Initializers.First(i => i.Initializer!.Rank > 1);
        if (rewritten == "other weights") weight.SetConstant(ModelBuilder.Random(99, 1, weight.Initializer!.Shape.ToArray()));
        var first = prepared.Graph.Nodes.First();
        if (rewritten == "refused") first.SetInput(0, prepared.Graph.Insert(first, "NoSuchOperator", "spoilt", [first.Input(0)]).Output(0));
        if (rewritten == "fails on the data")
            first.SetInput(0, prepared.Graph.Insert(first, "Reshape", "spoilt", [first.Input(0), prepared.Graph.AddInitializer("shape", Tensor.Create([1L, 1, 7, -1], 4))]).Output(0));
        var verified = new Preparation(model.Request, run, Capabilities.Of(Target.Cpu), NullCompressionLog.Instance, default).Verified(session, prepared, data);
        Assert.AreEqual(says is null, verified == prepared);
        if (says is null) Assert.IsEmpty(log.Warnings);
        else StringAssert.Contains(log.Warnings.Single(w => w.Code == Codes.RewriteRejected).Message, says);
    }

    [TestMethod]
    public void ARuleThatNamesNoWeightSaysSo()
    {
        using var model = new ModelCase(new ModelBuilder().Input("x", -1, 8).Output("y", -1, 4).Weight("onnx::Gemm_7", 1, 0.5f, 8, 64).Weight("head.weight", 2, 0.5f, 64, 4).Node("MatMul", ["x", "onnx::Gemm_7"], ["h"]).Node("Relu", ["h"], ["r"]).Node("MatMul", ["r", "head.weight"], ["y"]));
        string[] Warned(string name)
        {
            File.WriteAllText(model["r.json"], $$"""{ "version": 1, "rules": [ { "form": "weights" }, { "match": { "name": "{{name}}" }, "form": "none" } ] }""");
            return [.. model.RunWhateverTheVerdict(r => r with { Recipe = model["r.json"] }).Warnings.Where(w => w.Code == Codes.RuleMatchesNothing).Select(w => w.Message)];
        }
        Assert.IsEmpty(Warned("onnx::Gemm_7"));
        Assert.IsEmpty(Warned("^head"));
        StringAssert.Contains(Warned("heads.weight").Single(), "Did you mean 'head.weight'?");
        StringAssert.Contains(Warned("onnx: :Gemm_7").Single(), "write them together");
    }

    private sealed class WarningLog : ICompressionLog
    {
        public List<Diagnostic> Warnings { get; } = [];
        public void Stage(string text) { }
        public void Progress(double fraction, string text) { }
        public void Warning(Diagnostic diagnostic) => Warnings.Add(diagnostic);
    }
}
