using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public class DecisionMarginTests
{
    [TestMethod]
    public void AMarginIsTheDistanceToTheNextBestInNats()
    {
        var logits = Margin([1f, 4f, 2.5f], label: 1)!;
        Assert.AreEqual(1.5, logits.Nats, 1e-6);
        Assert.IsTrue(logits.IsRight);
        Assert.IsFalse(logits.NextIsRight);
        var probabilities = Margin([0.2f, 0.1f, 0.7f], label: 0, given: true)!;
        Assert.AreEqual(Math.Log(0.7 / 0.2), probabilities.Nats, 1e-6);
        Assert.IsFalse(probabilities.IsRight);
        Assert.IsTrue(probabilities.NextIsRight);
    }

    [TestMethod]
    public void UnderAnotherModelAnyClassMayOvertake()
    {
        var margin = Margin([1f, 4f, 2.5f], label: 1)!;
        Assert.AreEqual(-0.5, margin.Under(Tensor.Create([4f, 3.5f, 1f], 1, 3)), 1e-6);
        Assert.IsTrue(double.IsNegativeInfinity(margin.Under(Tensor.Create([float.NaN, 3.5f, 1f], 1, 3))));
    }

    [TestMethod]
    public void ASequenceHasNone()
    {
        var output = Tensor.Create([0f, 4f, 2f, 3f, 1f, 2.5f], 1, 2, 3);
        Assert.IsNull(((IMetric)new Exact(new Decoding { Decode = Decode.Ctc })).Margin(new Outcome("s", new SequenceLabel([1]), output, output)));
    }

    [TestMethod]
    public void WhatIsExpectedIsTheMeanOverAllPairsOfMarginAndNoise()
    {
        var random = new Pcg32(1);
        // Margins 0.05, 0.10, ... 2; of every fourth the next best is right, of every fifth neither.
        DecisionMargin[] margins = [.. Enumerable.Range(0, 40).Select(i => Margin([-1f, 0.05f * (i + 1) - 1, -9], label: i % 5 == 0 ? 2 : i % 4 == 0 ? 0 : 1)!)];
        double[] noise = [.. margins.Select((_, i) => i % 2 == 0 ? random.NextDouble() - 0.5 : -1.5)];
        double[] after = [.. margins.Select((m, i) => m.Nats + noise[i])];
        double changed = 0, lost = 0;
        double near = Enumerable.Range(0, 10).Count(i => i % 5 != 0) / 10.0, nearLost = Enumerable.Range(0, 10).Sum(i => i % 5 == 0 ? 0 : i % 4 == 0 ? -1 : 1) / 10.0;
        for (var j = 0; j < 20; j++) // the closer half
        {
            if (noise[j] >= 0) continue;
            if (-noise[j] < margins[9].Nats)
            {
                // Below the tenth margin, which is 0.5, a line up to a quarter of the samples.
                changed += -noise[j] / margins[9].Nats * 0.25 * near / 20;
                lost += -noise[j] / margins[9].Nats * 0.25 * nearLost / 20;
                continue;
            }
            for (var i = 0; i < 40; i++)
            {
                if (i % 5 == 0 || !(margins[i].Nats < -(after[j] - margins[j].Nats))) continue;
                changed += 1.0 / 40 / 20;
                lost += (i % 4 == 0 ? -1.0 : 1.0) / 40 / 20;
            }
        }
        var found = ExpectedChanges.Of(margins, after)!;
        Assert.AreEqual(changed, found.Changed, 1e-6);
        Assert.AreEqual(lost, found.Lost, 1e-6);
    }

    [TestMethod]
    public void TheExpectationScattersLessThanTheCount()
    {
        // A true rate, as 400 draws of 200 samples see it, by counting and by margins.
        var random = new Pcg32(7);
        List<double> counted = [], expected = [];
        for (var draw = 0; draw < 400; draw++)
        {
            var margins = new DecisionMargin[200];
            var after = new double[200];
            for (var i = 0; i < 200; i++)
            {
                margins[i] = Margin([-1f, (float)(8 * random.NextDouble()) - 1], label: 1)!;
                after[i] = margins[i].Nats + 0.2 * (random.NextDouble() + random.NextDouble() - 1);
            }
            counted.Add(after.Count(a => a < 0) / 200.0);
            expected.Add(ExpectedChanges.Of(margins, after)!.Changed);
        }
        Assert.AreEqual(counted.Average(), expected.Average(), 0.15 * counted.Average());
        Assert.IsTrue(Variance(expected) < 0.5 * Variance(counted), $"{Variance(expected)} of {Variance(counted)}");
    }

    private static double Variance(List<double> values) => values.Sum(v => (v - values.Average()) * (v - values.Average())) / values.Count;

    private static DecisionMargin? Margin(float[] scores, long label, bool given = false)
    {
        var output = Tensor.Create(scores, 1, scores.Length);
        return new Top1(new Decoding(), given).Margin(new Outcome("s", new ClassLabel(label), output, output));
    }
}
