using CompressOnBuild.Onnx;

namespace CompressOnBuild.Runtime;

/// <summary>
/// Compares the speed of two models in one process: one thread, runs in turn (original, compressed, compressed, original, …), so that
/// heat, clock and neighbours meet both alike. Each pair of runs gives one ratio. Outputs are dropped uncopied.
/// </summary>
internal static class LatencyMeter
{
    /// <summary>Time one comparison takes about, warm-up included.</summary>
    public static readonly TimeSpan DefaultBudget = TimeSpan.FromSeconds(2);

    /// <summary>So many inputs are used in turn.</summary>
    public const int Inputs = 8;
    private const int MinPairs = 5;
    private const int MaxPairs = 200;
    private const int WarmUps = 2;
    /// <summary>Runs shorter than this are repeated within a pair: the clock and a single interrupt would outweigh them.</summary>
    private const double BatchMs = 2;
    private const int MaxRepeats = 10_000;

    /// <summary>Measures both models on the first samples (up to 8, in turn, the same for both sides of a pair). Null without samples.</summary>
    /// <param name="original">The model before.</param>
    /// <param name="compressed">The model after, with the same inputs.</param>
    /// <param name="samples">Inputs by name.</param>
    /// <param name="watchdog">Bounds of each run.</param>
    /// <param name="cancel">Stops between and inside runs.</param>
    /// <param name="budget">Time to spend, <see cref="DefaultBudget"/> unless given; at least 5 pairs are run whatever they take.</param>
    public static Latency? Measure(Model original, Model compressed, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, Watchdog? watchdog, CancellationToken cancel, TimeSpan? budget = null)
    {
        var inputs = samples.Take(Inputs).ToArray();
        if (inputs.Length == 0) return null;
        using var before = new Session(original, new SessionSettings("original", original.File, Watchdog: watchdog));
        // A model against itself takes its memory once.
        using var own = compressed == original ? null : new Session(compressed, new SessionSettings("compressed", Watchdog: watchdog));
        var after = own ?? before;
        var feeds = new List<(Session.Feed Before, Session.Feed After)>();
        try
        {
            foreach (var input in inputs) feeds.Add((before.Bind(input), after.Bind(input)));
            return Measure(i => feeds[i % feeds.Count].Before.Run(cancel), i => feeds[i % feeds.Count].After.Run(cancel), budget ?? DefaultBudget, TimeProvider.System);
        }
        finally
        {
            foreach (var (b, a) in feeds) { b.Dispose(); a.Dispose(); }
        }
    }

    /// <summary>Measures two actions, each told the number of the input to run.</summary>
    internal static Latency Measure(Action<int> original, Action<int> compressed, TimeSpan budget, TimeProvider clock)
    {
        var start = clock.GetTimestamp();
        double quickest = double.PositiveInfinity;
        for (var i = 0; i < WarmUps; i++)
            quickest = Math.Min(quickest, Math.Min(Time(original, i, 1), Time(compressed, i, 1)));
        var repeats = (int)Math.Clamp(Math.Ceiling(BatchMs / Math.Max(quickest, 1e-6)), 1, MaxRepeats);

        var pairs = new List<(double Original, double Compressed)>();
        while (pairs.Count < MinPairs || (pairs.Count < MaxPairs && clock.GetElapsedTime(start) < budget))
        {
            var input = pairs.Count * repeats;
            // Whoever runs second finds warmer or colder caches: take turns.
            if (pairs.Count % 2 == 0)
            {
                var o = Time(original, input, repeats);
                pairs.Add((o, Time(compressed, input, repeats)));
            }
            else
            {
                var c = Time(compressed, input, repeats);
                pairs.Add((Time(original, input, repeats), c));
            }
        }
        var ratios = pairs.Select(p => p.Original / p.Compressed).Order().ToArray();
        return new Latency(Median([.. pairs.Select(p => p.Original).Order()]), Median([.. pairs.Select(p => p.Compressed).Order()]), ratios[0], Median(ratios), ratios[^1]);

        // Milliseconds of one run: the median of the batch, which one interrupt does not move (a mean it does).
        double Time(Action<int> run, int input, int repeats)
        {
            var times = new double[repeats];
            for (var i = 0; i < repeats; i++)
            {
                var from = clock.GetTimestamp();
                run(input + i);
                times[i] = Math.Max(clock.GetElapsedTime(from).TotalMilliseconds, 1e-6);
            }
            Array.Sort(times);
            return Median(times);
        }
    }

    private static double Median(double[] sorted) => (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
}
