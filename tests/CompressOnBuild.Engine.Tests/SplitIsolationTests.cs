using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>What the gate measures has not been seen by anything that decided: a sample that would change every decision changes none from there.</summary>
[TestClass]
public class SplitIsolationTests
{
    private const int Samples = 60;
    private const double Limit = 0.002;

    [TestMethod]
    public void TheGateSplitDecidesNothing()
    {
        var clean = Run(poisoned: null, out _);
        var poisoned = Run(s => s.Gate, out var moved);
        Assert.AreEqual(clean.Compressed.Sha256, poisoned.Compressed.Sha256);
        Assert.AreEqual(Decisions(clean), Decisions(poisoned));
        CollectionAssert.AreEqual(clean.Measurements.Candidates.ToArray(), poisoned.Measurements.Candidates.ToArray());
        Assert.AreEqual(clean.Provenance.SelectionSha256, poisoned.Provenance.SelectionSha256);
        Assert.AreEqual(clean.Provenance.CalibrationSha256, poisoned.Provenance.CalibrationSha256);
        Assert.AreNotEqual(clean.Provenance.GateSha256, poisoned.Provenance.GateSha256);
        Assert.IsGreaterThan(clean.Measurements.Metrics[0].Drop + Limit / 2, poisoned.Measurements.Metrics[0].Drop, $"sample {moved} does no harm, so nothing is shown");
    }

    [TestMethod]
    public void TheSelectionSplitDecides()
    {
        var clean = Run(poisoned: null, out _);
        var poisoned = Run(s => s.Selection, out _);
        Assert.AreEqual(clean.Provenance.GateSha256, poisoned.Provenance.GateSha256);
        Assert.AreNotEqual(clean.Provenance.SelectionSha256, poisoned.Provenance.SelectionSha256);
        Assert.AreNotEqual(clean.Compressed.Sha256, poisoned.Compressed.Sha256);
        Assert.IsGreaterThan(clean.Measurements.Candidates.Count, poisoned.Measurements.Candidates.Count);
    }

    // A sample's place follows from its content: variants of the poison are tried until one stands where it is wanted and moves nobody else.
    private static CompressionResult Run(Func<Splits, Split>? poisoned, out int at)
    {
        var pictures = Network.Pictures(Samples);
        var places = Places(pictures);
        at = -1;
        for (var variant = 0; poisoned is not null && at < 0; variant++)
        {
            Assert.IsLessThan(60, variant, "no variant of the poison keeps the splits");
            var target = Split(places, poisoned)[0];
            var changed = pictures.ToArray();
            changed[target] = Poison(variant);
            if (Places(changed) is var found && found.Calibration.SequenceEqual(places.Calibration) && found.Selection.SequenceEqual(places.Selection)) (pictures, at) = (changed, target);
        }
        using var model = new ModelCase(Network.Build()).With(Network.Unlabelled(pictures));
        return model.RunWhateverTheVerdict(r => r with { Metrics = ["cosine"], MaxAccuracyDrop = Limit });

        static int[] Split((int[] Calibration, int[] Selection, int[] Gate) places, Func<Splits, Split> which)
        {
            var none = new Split(null!, places.Calibration, "");
            return [.. which(new Splits(none, none with { Indices = places.Selection }, none with { Indices = places.Gate }, true, [])).Indices];
        }
    }

    // Far outside of what calibration saw in one channel, where floats still read it.
    private static float[] Poison(int variant)
    {
        var values = Network.Picture(3, 500 + variant);
        var noise = ModelBuilder.Random(900 + variant, 400, Network.Side * Network.Side).ToFloats();
        for (var c = 0; c < 16; c++) noise.CopyTo(values, c * noise.Length);
        return values;
    }

    private static (int[] Calibration, int[] Selection, int[] Gate) Places(float[][] pictures)
    {
        using var model = new ModelCase(Network.Build()).With(Network.Unlabelled(pictures));
        using var session = new Session(File.ReadAllBytes(model.Model), new SessionSettings("places"));
        using var data = EvaluationData.Open(model.Request, OnnxReader.Load(model.Model), session)!;
        return ([.. data.Splits.Calibration.Indices], [.. data.Splits.Selection.Indices], [.. data.Splits.Gate.Indices]);
    }

    private static string Decisions(CompressionResult result) => string.Join("\n", result.Weights.Select(w => $"{w.Name} {w.Encoding} {w.Because}").Concat(result.Skipped.Select(s => $"{s.Name} {s.Code} {s.Because}")));
}
