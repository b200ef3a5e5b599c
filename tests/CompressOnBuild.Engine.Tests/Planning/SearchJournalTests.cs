using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

/// <summary>What a stopped search leaves to the next.</summary>
[TestClass]
public class SearchJournalTests
{
    private readonly ScratchFolder folder = new();
    private int asked;

    [TestCleanup]
    public void Clean() => folder.Dispose();

    [TestMethod]
    public void WhatWasMeasuredIsNotMeasuredAgain()
    {
        var trial = new Trial(123, 0.1 + 0.2, double.NaN, ShownWorse: false, GateHigh: double.PositiveInfinity, Changes: new DecisionChanges(3, 4, 100, 50));
        using (var first = Open()) Assert.AreEqual(trial, first.Around(Oracle(trial)).Measure(Plan(4)));
        using var second = Open();
        var oracle = second.Around(Oracle(trial));
        Assert.AreEqual(trial, oracle.Measure(Plan(4)));
        Assert.AreEqual((1, 1), (asked, second.Reused));
        oracle.Measure(Plan(5));
        oracle.Fidelity(Plan(4));
        Assert.AreEqual((3, 1), (asked, second.Reused), "another plan and another question are new");
    }

    [TestMethod]
    public void OtherInputsBeginAnew()
    {
        using (var first = Open()) first.Around(Oracle()).Measure(Plan(4));
        using (var second = Open("others")) second.Around(Oracle()).Measure(Plan(4));
        Assert.AreEqual(2, asked);
    }

    [TestMethod]
    public void ALineThatWasCutOffIsMeasuredAgain()
    {
        using (var first = Open())
        {
            first.Around(Oracle()).Measure(Plan(4));
            first.Around(Oracle()).Measure(Plan(5));
        }
        var text = File.ReadAllText(folder["search.journal"]);
        File.WriteAllText(folder["search.journal"], text[..^3]);
        using var second = Open();
        second.Around(Oracle()).Measure(Plan(4));
        Assert.AreEqual(2, asked);
        second.Around(Oracle()).Measure(Plan(5));
        Assert.AreEqual(3, asked);
    }

    [TestMethod]
    public void ASearchThatIsStoppedAndGoesOnFindsTheSamePlan()
    {
        var pictures = Network.Pictures(80);
        var network = Network.Build(activation: 2000);
        using var model = new ModelCase(network).With(Network.Labelled(network, pictures));
        var whole = model.Run(r => r with { MaxAccuracyDrop = 0.05, Output = model["whole"] });
        Assert.IsFalse(File.Exists(Path.Combine(model["whole"], "search.journal")), "a search that is complete leaves nothing");

        using var stop = new CancellationTokenSource();
        var log = new StopAfter(2, stop);
        Assert.ThrowsExactly<OperationCanceledException>(() => Compressor.Run(model.Request with { MaxAccuracyDrop = 0.05, Output = model["stopped"] }, log, stop.Token));
        Assert.IsTrue(File.Exists(Path.Combine(model["stopped"], "search.journal")));
        var resumed = model.Run(r => r with { MaxAccuracyDrop = 0.05, Output = model["stopped"] });
        Assert.AreEqual(whole.Compressed.Sha256, resumed.Compressed.Sha256);
        CollectionAssert.AreEqual(whole.Measurements.Candidates.ToArray(), resumed.Measurements.Candidates.ToArray());
    }

    private SearchJournal Open(string inputs = "these") => SearchJournal.Open(folder["search.journal"], inputs);

    private SearchOracle Oracle(Trial? trial = null) => new(_ => { asked++; return trial ?? new Trial(1, 1, 0); }, _ => { asked++; return 20; });

    private static Plan Plan(int bits) => new([new WeightDecision("w", WeightForm.Weights, "packed-mul", bits, "because")], [new ValueDecision("v", new QuantizationParameters(0.5f, 3))], true);

    /// <summary>Stops the run when it begins to measure one candidate more than <paramref name="count"/>.</summary>
    private sealed class StopAfter(int count, CancellationTokenSource stop) : ICompressionLog
    {
        private int measured;

        public void Stage(string text)
        {
            if (text.StartsWith("measuring:", StringComparison.Ordinal) && ++measured > count) stop.Cancel();
        }

        public void Progress(double fraction, string text) { }

        public void Warning(Diagnostic diagnostic) { }
    }
}
