using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>Factors between layers in whole runs: what they buy, when they are kept, and that a lock file holds them.</summary>
[TestClass]
public class ScalerTests
{
    private static string Recipe(string key) => $$"""{ "version": 1, "{{key}}": true, "rules": [ { "form": "static" }, { "match": { "operator": "Gemm" }, "form": "none" } ] }""";

    [TestMethod]
    public void SmoothingRepairsALayerWhoseInputHasALoudChannelThatNobodyListensTo()
    {
        // Channel 0 takes all of the range of the second convolution's input.
        using var model = Case(Network.Build(activation: 60));
        var (without, with) = (Run(model, "biasCorrection"), Run(model, "smoothing"));
        Assert.IsGreaterThan(Sqnr(without) + 3, Sqnr(with));
        var step = with.Steps.Single(s => s.StartsWith("scaled channels between layers in", StringComparison.Ordinal));
        StringAssert.Contains(step, "'f' (32 channels");
        Assert.IsEmpty(without.Steps.Where(s => s.StartsWith("scaled", StringComparison.Ordinal)));
    }

    [TestMethod]
    [DataRow("smoothing"), DataRow("equalization")]
    public void ALockFileHoldsTheFactorsAndThreadsChangeNothing(string key)
    {
        using var model = Case(Network.Build(activation: 60));
        Run(model, key, r => r with { Lock = true, Threads = 2 });
        var (outputs, lockFile) = (Deterministic(model), File.ReadAllText(model.Request.LockPath));
        Run(model, key, r => r with { LockedMode = true });
        CollectionAssert.AreEqual(outputs, Deterministic(model), "followed");
        File.Delete(model.Request.LockPath);
        Run(model, key, r => r with { Lock = true, Threads = 1 });
        Assert.AreEqual(lockFile, File.ReadAllText(model.Request.LockPath), "threads change nothing");
        if (key != "smoothing") return;

        StringAssert.Contains(lockFile, "\"scales\": [\n        { \"constant\": \"f\", \"steps\": \"");
        File.WriteAllText(model.Request.LockPath, lockFile.Replace("{ \"constant\": \"f\", \"steps\": \"", "{ \"constant\": \"f\", \"steps\": \"1 ", StringComparison.Ordinal));
        var error = Assert.ThrowsExactly<CompressionException>(() => Run(model, key)).Diagnostic;
        Assert.AreEqual(Codes.LockDoesNotFit, error.Code);
        StringAssert.Contains(error.Message, "'f' makes 32 channels that can be scaled, not 33");
    }

    [TestMethod]
    public void WithoutDataChannelsStayAsTheyAre()
    {
        using var model = new ModelCase(Network.Build());
        File.WriteAllText(model["recipe.json"], Recipe("smoothing"));
        StringAssert.StartsWith(model.Run(r => r with { Recipe = model["recipe.json"] }).Steps.Single(s => s.Contains("channels between layers", StringComparison.Ordinal)), "left channels between layers as they are");
    }

    [TestMethod]
    [DataRow(30.05, false, DisplayName = "as near as before"), DataRow(29.0, false, DisplayName = "further away"), DataRow(31.0, true, DisplayName = "nearer")]
    public void FactorsAreKeptWhereTheOutputsComeNearer(double decibels, bool kept)
    {
        using var model = Case(Network.Build(activation: 60));
        var request = model.Request;
        var recipe = RecipeReader.Read(System.Text.Encoding.UTF8.GetBytes(Recipe("smoothing")), "r", "r.json");
        var run = new PairedRun(request, NullCompressionLog.Instance, default);
        run.Load();
        using var session = new Session(run.Original, run.Settings("original"));
        using var data = run.OpenData(session)!;
        var preparation = new Preparation(request, run, Capabilities.Of(Target.Cpu), NullCompressionLog.Instance, default);
        var scaler = new Scaler(request, run, data, recipe, default);
        var ranges = scaler.RangesToObserve(run.Original);
        Groundwork Lay(Model m)
        {
            var statistics = preparation.Calibrate(m, data, recipe, ranges);
            return new Groundwork(m, statistics, new Planner(m, recipe, statistics), new Transformer(m, new Dictionary<string, float[]>()));
        }
        var start = Lay(run.Original);
        var (ground, scales) = scaler.Run(start, Lay, g => g == start ? 30 : decibels);
        Assert.AreEqual(kept, ground != start);
        Assert.HasCount(kept ? 1 : 0, scales.Where(s => s.Constant == "f"));
        if (!kept) Assert.IsEmpty(scales);
    }

    private static ModelCase Case(ModelBuilder model) => new ModelCase(model).With(Network.Unlabelled(Network.Pictures(96)));

    private static CompressionResult Run(ModelCase model, string key, Func<CompressionRequest, CompressionRequest>? change = null)
    {
        File.WriteAllText(model["recipe.json"], Recipe(key));
        return model.RunWhateverTheVerdict(r => (change ?? (c => c))(r with { Recipe = model["recipe.json"], Metrics = ["sqnr"], MaxAccuracyDrop = 1000 }));
    }

    private static double Sqnr(CompressionResult result) => result.Measurements.Metrics.Single(m => m.Name == "sqnr").Compressed;

    private static string[] Deterministic(ModelCase model) => [.. model.Outputs().Where(o => o.StartsWith("m.onnx", StringComparison.Ordinal) || o.StartsWith("report.json", StringComparison.Ordinal))];
}
