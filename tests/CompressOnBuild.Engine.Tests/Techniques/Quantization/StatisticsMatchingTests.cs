using CompressOnBuild.Numerics;
using CompressOnBuild.Techniques.Quantization;

namespace CompressOnBuild.Engine.Tests.Techniques.Quantization;

[TestClass]
public class StatisticsMatchingTests
{
    private const int Samples = 12, Channels = 3, Inner = 20;
    private static readonly float[] s_bias = [1, -2, 0.5f];

    [TestMethod]
    [DataRow(true), DataRow(false)]
    public void AgreesWithALiteralTranscription(bool scale)
    {
        var (y, z) = Layers(noise: 0.4, gain: 1.2, shift: 0.3);
        var (gains, biases) = StatisticsMatching.Match(Moments(y, z), s_bias, scale);
        var corrected = BiasCorrection.Corrected(s_bias, biases.AsSpan());
        for (var c = 0; c < Channels; c++)
        {
            double[] a = [.. y.SelectMany(s => Channel(s, c))], b = [.. z.SelectMany(s => Channel(s, c))];
            double ma = a.Average(), mb = b.Average();
            var covariance = a.Zip(b, (p, q) => (p - ma) * (q - mb)).Average();
            var variance = b.Average(q => (q - mb) * (q - mb));
            var g = covariance / variance;
            var residual = a.Average(p => (p - ma) * (p - ma)) - g * covariance;
            var wanted = scale ? 1 + (g - 1) * Math.Max(0, 1 - residual / (Samples * variance) / ((g - 1) * (g - 1))) : 1;
            Assert.AreEqual(wanted, StatisticsMatching.Gain(gains[c]), 0.5 / 1024 + 1e-9, $"gain of {c}");
            double[] means = [.. y.Zip(z, (p, q) => Channel(p, c).Average() - Channel(q, c).Average())];
            var t = means.Average();
            var error = means.Sum(m => (m - t) * (m - t)) / (Samples - 1) / Samples;
            var target = mb + t * Math.Max(0, 1 - error / (t * t));
            // What the channel gives afterwards has this mean: the bias makes up for what the gain moves.
            Assert.AreEqual(target, StatisticsMatching.Gain(gains[c]) * (mb - s_bias[c]) + corrected[c], 1e-3, $"mean of {c}");
        }
        Assert.AreEqual(scale, gains.Any(s => s != 0));
    }

    [TestMethod]
    public void NeverIncreasesTheSquaredErrorOnWhatItSaw()
    {
        for (var seed = 0; seed < 8; seed++)
        {
            var (y, z) = Layers(noise: 0.2 + 0.1 * seed, gain: 0.8 + 0.05 * seed, shift: 0.1 * seed, seed);
            var (gains, biases) = StatisticsMatching.Match(Moments(y, z), s_bias);
            var corrected = BiasCorrection.Corrected(s_bias, biases.AsSpan());
            for (var c = 0; c < Channels; c++)
            {
                double before = 0, after = 0;
                foreach (var (p, q) in y.SelectMany(s => Channel(s, c)).Zip(z.SelectMany(s => Channel(s, c))))
                {
                    before += (p - q) * (p - q);
                    after += Math.Pow(p - StatisticsMatching.Gain(gains[c]) * (q - s_bias[c]) - corrected[c], 2);
                }
                Assert.IsLessThanOrEqualTo(before * (1 + 1e-4), after, $"seed {seed}, channel {c}");
            }
        }
    }

    [TestMethod]
    public void WhatCouldBeChanceIsLeftOut()
    {
        // Twelve samples that differ from the float layer's by noise alone: their mean differs from 0, and says nothing.
        double plain = 0, shrunk = 0;
        for (var seed = 0; seed < 20; seed++)
        {
            var (y, z) = Layers(noise: 0, gain: 1, shift: 0, seed);
            var random = new Random(seed);
            foreach (var sample in z)
                for (var c = 0; c < Channels; c++)
                {
                    var off = (float)(random.NextDouble() - 0.5);
                    foreach (ref var v in sample.AsSpan(c * Inner, Inner)) v += off;
                }
            var moments = Moments(y, z);
            var corrected = BiasCorrection.Corrected(s_bias, StatisticsMatching.Match(moments, s_bias, scale: false).Biases.AsSpan());
            for (var c = 0; c < Channels; c++)
            {
                plain += Math.Pow(moments.Means[c] / Samples, 2);
                shrunk += Math.Pow(corrected[c] - s_bias[c], 2);
            }
        }
        Assert.IsLessThan(0.6 * plain, shrunk);
    }

    [TestMethod]
    public void OneSampleMovesNothing()
    {
        var (y, z) = Layers(noise: 0.1, gain: 1.3, shift: 1);
        var (gains, biases) = StatisticsMatching.Match(Moments(y[..1], z[..1]), s_bias);
        Assert.IsTrue(gains.Concat(biases).All(s => s == 0));
    }

    // y at random, and z with y = gain * z + shift + noise.
    private static (float[][] Y, float[][] Z) Layers(double noise, double gain, double shift, int seed = 3)
    {
        var random = new Random(seed);
        double Next() => random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5;
        float[][] z = [.. Enumerable.Range(0, Samples).Select(_ => Enumerable.Range(0, Channels * Inner).Select(_ => (float)Next()).ToArray())];
        return ([.. z.Select(s => s.Select(v => (float)(gain * v + shift + noise * Next())).ToArray())], z);
    }

    private static IEnumerable<double> Channel(float[] sample, int channel) => sample.Skip(channel * Inner).Take(Inner).Select(v => (double)v);

    private static PairedMoments Moments(float[][] y, float[][] z)
    {
        var sum = new PairedMoments(Channels);
        foreach (var (a, b) in y.Zip(z)) sum.Add(PairedMoments.Of(a, b, Channels, Inner));
        return sum;
    }
}
