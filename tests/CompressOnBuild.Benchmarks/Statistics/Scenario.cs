using System.Collections.Concurrent;
using System.Globalization;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Benchmarks.Statistics;

/// <summary>
/// A pair of models by what they give on samples: <see cref="Judge"/> draws a data set on which the true drop is known, and has the gate judge it.
/// </summary>
internal sealed record Scenario(string Metric, string Changes, int Samples, double Limit, Func<double, Func<Pcg32, int, Verdict>> Judge)
{
    private static readonly Tensor Any = Tensor.Create([0f], 1, 1);

    public static IReadOnlyList<Scenario> All { get; } =
    [
        // The least that a drop needs, and twice and ten times as many changes.
        .. from n in new[] { 50, 200, 750, 2000 } from limit in new[] { 0.01, 0.05 } from more in new[] { 0, 0.02, 0.1 } select Top1(n, limit, 0.9, more),
        Top1(750, 0.01, 0.6, 0.3), Top1(750, 0.01, 0.99, 0.002), Top1(5000, 0.01, 0.7, 0.2),
        .. from n in new[] { 50, 200, 750 } select Agreement(n, 0.02),
        .. from n in new[] { 100, 400 } from share in new[] { 0.05, 0.3 } select Cer(n, 0.01, share),
        .. from n in new[] { 12, 30, 100, 400 } select Mae(n, 0.1, skewed: false),
        .. from n in new[] { 30, 100, 400 } select Mae(n, 0.1, skewed: true),
        .. from n in new[] { 100, 400 } select Auc(n, 0.02),
        .. from n in new[] { 100, 400 } select F1(n, 0.02),
    ];

    /// <summary>The original is right on a share; of all samples, (more + drop) / 2 … go from right to wrong and more / 2 … back.</summary>
    private static Scenario Top1(int n, double limit, double accuracy, double more) => new($"top1 {Text(100 * accuracy)} %", more == 0 ? "the drop alone" : $"{Text(100 * more)} % beside the drop", n, limit, drop =>
    {
        var metric = Of("top1", LabelKind.Class);
        // The comparison sees nothing but how many went either way.
        var known = new ConcurrentDictionary<(int, int), Verdict>();
        return (random, seed) =>
        {
            double worse = drop + more / 2, better = more / 2;
            var pairs = Draw(n, _ =>
            {
                var u = random.NextDouble();
                return u < worse ? ([1], [0]) : u < worse + better ? ([0.0], [1.0]) : u < accuracy + better ? ([1], [1]) : ([0], [0]);
            });
            return known.GetOrAdd((pairs.Count(p => p.Before[0] > p.After[0]), pairs.Count(p => p.Before[0] < p.After[0])), _ => Judged(metric, pairs, limit, seed));
        };
    });

    private static Scenario Agreement(int n, double limit) => new("agreement", "the drop alone", n, limit, drop => (random, seed) =>
        Judged(Of("agreement", LabelKind.None), Draw(n, _ => ([1], [random.NextDouble() < drop ? 0 : 1])), limit, seed));

    /// <summary>Lines of 5 to 25 symbols, two of a hundred wrong; a share of the lines changes, by one to five symbols, to the worse or back.</summary>
    private static Scenario Cer(int n, double limit, double share) => new("cer", $"{Text(100 * share)} % of the lines", n, limit, drop =>
    {
        const double MeanLength = 15, MeanChange = 3;
        // Rises by 1 to 5, and falls back to what was right before: the true drop is the share of lines that only rise.
        var rising = drop * MeanLength / MeanChange;
        return (random, seed) => Judged(Of("cer", LabelKind.Sequence), Draw(n, _ =>
        {
            double length = 5 + random.Below(21), change = 1 + random.Below(5), wrong = 0;
            for (var i = 0; i < length; i++) if (random.NextDouble() < 0.02) wrong++;
            var u = random.NextDouble();
            return u < rising ? ([wrong, length], [wrong + change, length]) : u < rising + share / 2 ? ([wrong, length], [wrong + change, length]) : u < rising + share ? ([wrong + change, length], [wrong, length]) : ([wrong, length], [wrong, length]);
        }), limit, seed);
    });

    /// <summary>Errors of size about 1, all of which move: by a normal amount, or by a log-normal one (a few by much).</summary>
    private static Scenario Mae(int n, double limit, bool skewed) => new("mae", skewed ? "all, a few by much" : "all", n, limit, drop => (random, seed) =>
        Judged(Of("mae", LabelKind.Value), Draw(n, _ =>
        {
            var before = Math.Abs(Normal(random));
            var move = skewed ? 0.3 * (Math.Exp(0.8 * Normal(random)) - Math.Exp(0.32)) : 0.3 * Normal(random);
            return ([before], [before + drop + move]);
        }), limit, seed));

    /// <summary>Scores of both classes, normal and 2 apart; the other model's are nearer together and correlated with these.</summary>
    private static Scenario Auc(int n, double limit) => new("auc", "all", n, limit, drop =>
    {
        // AUC = Phi(distance / sqrt 2).
        const double Distance = 2;
        var other = Math.Sqrt(2) * Quantile(Phi(Distance / Math.Sqrt(2)) - drop);
        return (random, seed) => Judged(Of("auc", LabelKind.Class), Draw(n, i =>
        {
            double positive = i % 2, shared = Normal(random);
            return ([Distance * positive + shared, positive], [other * positive + 0.95 * shared + Math.Sqrt(1 - 0.95 * 0.95) * Normal(random), positive]);
        }), limit, seed);
    });

    /// <summary>Four classes as frequent as each other, nine of ten right, errors spread evenly: F1 is then the share of right ones.</summary>
    private static Scenario F1(int n, double limit) => new("f1", "3 % beside the drop", n, limit, drop => (random, seed) =>
        Judged(Of("f1", LabelKind.Class), Draw(n, i =>
        {
            double label = i % 4, wrong = (label + 1 + random.Below(3)) % 4, other = (label + 1 + random.Below(3)) % 4;
            var u = random.NextDouble();
            return u < drop + 0.015 ? ([label, label], [label, wrong]) : u < drop + 0.03 ? ([label, wrong], [label, label]) : u < 0.915 ? ([label, label], [label, label]) : ([label, wrong], [label, other]);
        }), limit, seed));

    private static (double[] Before, double[] After)[] Draw(int n, Func<int, (double[], double[])> sample) => [.. Enumerable.Range(0, n).Select(sample)];

    /// <summary>The way of a real build: series, paired comparison, gate.</summary>
    private static Verdict Judged(IMetric metric, (double[] Before, double[] After)[] pairs, double limit, int seed)
    {
        MetricSeries original = new(new Given(metric, [.. pairs.Select(p => p.Before)])), compressed = new(new Given(metric, [.. pairs.Select(p => p.After)]));
        for (var i = 0; i < pairs.Length; i++)
        {
            var outcome = new Outcome(i.ToString(CultureInfo.InvariantCulture), null, Any, Any);
            original.Add(outcome);
            compressed.Add(outcome);
        }
        var c = PairedComparison.Compare(original, compressed, seed);
        return Gate.JudgeDrop(new MetricResult(metric.Name, c.Original, c.Compressed, c.Drop, limit, c.Samples, c.Confidence, true), limit);
    }

    private static IMetric Of(string name, LabelKind labels) => Evaluation.Metrics.Metric.Resolve([name], labels, new(), Any, null)[0];

    private static double Normal(Pcg32 random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    // Abramowitz and Stegun 1964, 26.2.17: seven digits.
    private static double Phi(double x)
    {
        if (x < 0) return 1 - Phi(-x);
        var t = 1 / (1 + 0.2316419 * x);
        return 1 - Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI) * t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    }

    private static double Quantile(double p)
    {
        double low = -10, high = 10;
        for (var i = 0; i < 60; i++) (low, high) = Phi((low + high) / 2) < p ? ((low + high) / 2, high) : (low, (low + high) / 2);
        return (low + high) / 2;
    }

    private static string Text(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>A metric whose contributions are drawn instead of read off outputs.</summary>
    private sealed class Given(IMetric metric, double[][] contributions) : IMetric
    {
        public string Name => metric.Name;
        public bool HigherIsBetter => metric.HigherIsBetter;
        public bool NeedsLabels => metric.NeedsLabels;
        public bool IsShare => metric.IsShare;
        public double[] Contribute(in Outcome outcome) => contributions[int.Parse(outcome.SampleId, CultureInfo.InvariantCulture)];
        public WeightedValue Over(IReadOnlyList<double[]> given) => metric.Over(given);
        public (double[] Right, double[] Wrong)? Extremes(double[] contribution) => metric.Extremes(contribution);
    }
}
