using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Calibration;

[TestClass]
public class RangeEstimatorTests
{
    [TestMethod]
    public void MinMaxIsTheRangeSeenWidenedToZero()
    {
        Assert.AreEqual(new ActivationRange(-1, 4), RangeEstimator.Estimate(Seen(-1, 0.5f, 4), CalibrationMethod.MinMax));
        Assert.AreEqual(new ActivationRange(0, 4), RangeEstimator.Estimate(Seen(3, 4), CalibrationMethod.MinMax));
        Assert.AreEqual(0, RangeEstimator.Estimate(Seen(3, 4), CalibrationMethod.MinMax).Min);
        Assert.AreEqual(default, RangeEstimator.Estimate(Seen(float.NaN)));
    }

    [TestMethod]
    public void PercentileLeavesOutTheTails()
    {
        var values = Enumerable.Range(-5000, 10_001).Select(i => i / 1000f).ToArray(); // even from -5 to 5
        var range = RangeEstimator.Estimate(Seen(values), CalibrationMethod.Percentile, 90);
        Assert.AreEqual(-4.5f, range.Min, 0.01f);
        Assert.AreEqual(4.5f, range.Max, 0.01f);
        var all = RangeEstimator.Estimate(Seen(values), CalibrationMethod.Percentile, 100);
        Assert.AreEqual(new ActivationRange(-5, 5), all);
    }

    [TestMethod]
    public void PercentileCountsZeros()
    {
        var values = new float[1000];
        values[0] = 100;
        values[1] = -100;
        Assert.AreEqual(new ActivationRange(0, 0), RangeEstimator.Estimate(Seen(values), CalibrationMethod.Percentile, 99));
    }

    [TestMethod]
    public void ErrorIsThatOfTheLiteralTranscription()
    {
        var histogram = Seen(0.7f, 0.7f, -0.3f, 0.01f, 0, 0, 0.95f).Histogram;
        foreach (var parameters in new[] { new QuantizationParameters(0.0041f, 73), new QuantizationParameters(0.002f, 10), new QuantizationParameters(0.3f, 1), new QuantizationParameters(1e-6f, 100), new QuantizationParameters(0.001f, 255) })
        {
            double expected = 0;
            const int points = 4000;
            for (var bin = 0; bin < histogram.Counts.Length; bin++)
            {
                if (histogram.Counts[bin] == 0) continue;
                double mean = 0;
                for (var p = 0; p < points; p++)
                {
                    var x = histogram.Edge(bin) + histogram.Width * (p + 0.5) / points;
                    var q = Math.Clamp(Math.Round(x / parameters.Scale) + parameters.ZeroPoint, 0, 255);
                    var back = parameters.Scale * (q - parameters.ZeroPoint);
                    mean += (x - back) * (x - back) / points;
                }
                expected += histogram.Counts[bin] * mean;
            }
            Assert.AreEqual(1, MseRange.Error(histogram, parameters) / expected, 1e-4);
        }
    }

    [TestMethod]
    public void MseIsNeverWorseThanMinMaxAndNearTheBestPairOfEnds()
    {
        foreach (var (name, values) in Distributions())
        {
            var value = Seen(values);
            var histogram = value.Histogram;
            double E(ActivationRange range) => MseRange.Error(histogram, range.ToUInt8());
            var found = E(RangeEstimator.Estimate(value, CalibrationMethod.Mse));
            Assert.IsLessThanOrEqualTo(E(RangeEstimator.Estimate(value, CalibrationMethod.MinMax)), found, name);

            var best = double.PositiveInfinity;
            for (var l = 0; l <= 48; l++)
                for (var h = 0; h <= 48; h++)
                    if (l + h > 0) best = Math.Min(best, E(new ActivationRange(Math.Min(0, value.Min) * l / 48, Math.Max(0, value.Max) * h / 48)));
            Assert.IsLessThanOrEqualTo(1.02 * best, found, name);
        }
    }

    [TestMethod]
    public void MseClipsARareOutlierAndKeepsAnEvenSpread()
    {
        var gauss = ModelBuilder.Random(1, 1, 1_000_000).ToFloats();
        gauss[7] = 50;
        Assert.IsLessThan(35, RangeEstimator.Estimate(Seen(gauss)).Max);
        var even = Enumerable.Range(0, 10_001).Select(i => i / 1000f).ToArray();
        Assert.AreEqual(10f, RangeEstimator.Estimate(Seen(even)).Max, 0.05f);
    }

    [TestMethod]
    public void ScalesDoNotFollowTheLastBits()
    {
        var changed = 0;
        var random = new Random(3);
        for (var i = 0; i < 1000; i++)
        {
            var max = (float)random.NextDouble() * 10;
            if (new ActivationRange(-1, max).ToUInt8() != new ActivationRange(-1, MathF.BitIncrement(max)).ToUInt8()) changed++;
        }
        Assert.IsLessThan(5, changed);
    }

    [TestMethod]
    public void TheGridHoldsTheRangeUpToHalfAStep()
    {
        var random = new Random(4);
        for (var i = 0; i < 1000; i++)
        {
            var scale = MathF.Pow(10, (float)random.NextDouble() * 60 - 30);
            var range = new ActivationRange(-(float)random.NextDouble() * scale, (float)random.NextDouble() * scale);
            var parameters = range.ToUInt8();
            var half = 0.5001 * parameters.Scale;
            Assert.IsLessThanOrEqualTo(range.Min + half, parameters.Min);
            Assert.IsGreaterThanOrEqualTo(range.Max - half, parameters.Max);
            Assert.IsLessThanOrEqualTo(Math.Max(((double)range.Max - range.Min) / 255 * (1 + 1.0 / 2048), 1.001e-30), parameters.Scale);
        }
        Assert.AreEqual(new QuantizationParameters(1, 0), new ActivationRange(0, 0).ToUInt8());
        Assert.AreEqual(127.5, new ActivationRange(-float.MaxValue, float.MaxValue).ToUInt8().ZeroPoint, 0.5);
        Assert.AreEqual(255, new ActivationRange(-3, 0).ToUInt8().ZeroPoint);
    }

    [TestMethod]
    public void TheChosenRangeGivesBackItsOwnParameters()
    {
        foreach (var (name, values) in Distributions())
        {
            var range = RangeEstimator.Estimate(Seen(values));
            var parameters = range.ToUInt8();
            Assert.AreEqual(parameters, new ActivationRange((float)parameters.Min, (float)parameters.Max).ToUInt8(), name);
            Assert.AreEqual((range.Min, range.Max), ((float)parameters.Min, (float)parameters.Max), name);
        }
    }

    private static IEnumerable<(string Name, float[] Values)> Distributions()
    {
        var normal = ModelBuilder.Random(1, 1, 20_000).ToFloats();
        yield return ("normal", normal);
        yield return ("relu", [.. normal.Select(v => Math.Max(v, 0))]);
        yield return ("gelu", [.. normal.Select(v => v * 3).Select(v => v / (1 + MathF.Exp(-1.7f * v)))]);
        yield return ("heavy tails", [.. normal.Select(v => v * v * v * v * v)]);
        yield return ("one outlier", [.. normal, 60]);
        yield return ("two outliers", [.. normal, 60, -200]);
        yield return ("negative", [.. normal.Select(v => -v * v)]);
        yield return ("relu6", [.. normal.Select(v => Math.Clamp(v * 6, 0, 6))]);
        yield return ("softmax", [.. normal.Select(v => MathF.Exp(v * 8) / 100_000)]);
        yield return ("one-hot", [.. normal.Select(v => v > 1 ? 1f : 0)]);
        yield return ("constant", [3, 3, 3]);
        yield return ("tiny", [1e-38f, -2e-38f]);
    }

    private static ValueStatistics Seen(params float[] values)
    {
        var observer = new ValueObserver("v", null);
        observer.Read(ElementType.Float, [values.Length], System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
        return observer.Finish()!;
    }
}
