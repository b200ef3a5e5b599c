using CompressOnBuild.Calibration;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Scaling;

namespace CompressOnBuild.Scaling;

/// <summary>
/// Chooses alpha of <see cref="ScaleMigration"/> where inputs are quantized: for each place the one with which its consumers lose least (<see cref="QuantizedConsumer"/>), or none.
/// </summary>
/// <param name="sites">The weights of the model.</param>
/// <param name="statistics">With the ranges of channels and the Gram matrices of the consumers' inputs.</param>
/// <param name="decisions">What the weights become, by name.</param>
/// <param name="parallel">Threads to use, and what stops them.</param>
internal sealed class MeasuredScales(IEnumerable<Site> sites, Statistics statistics, IReadOnlyDictionary<string, WeightDecision> decisions, ParallelOptions parallel)
{
    private static readonly double[] s_alphas = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
    // Less is not worth a change.
    private const double WorthIt = 0.98;
    private const double Codes = 255;

    private readonly Dictionary<(Onnx.Node, int), Site> sites = sites.Where(s => s.Uses.Count == 1).ToDictionary(s => (s.Uses[0].Node, s.Uses[0].Input));

    /// <summary>Steps for a place; null where nothing is gained or too little is known.</summary>
    /// <param name="place">The place.</param>
    public int[]? Choose(ScalePlace place)
    {
        if (Channels(place) is not var (low, high, weight) || Consumers(place) is not { } consumers || !consumers.Any(c => c.QuantizesInput)) return null;
        double[] largest = [.. low.Zip(high, (l, h) => Math.Max(-l, h))];
        var tried = new (int[] Steps, double Error)[s_alphas.Length + 1];
        Parallel.For(0, tried.Length, parallel, i =>
        {
            int[] steps = i == 0 ? new int[place.Count] : ScaleSteps.Centred(ScaleSteps.Of(ScaleMigration.Factors(largest, weight, s_alphas[i - 1])));
            tried[i] = (steps, Error(steps));
        });
        var best = tried.MinBy(t => t.Error);
        return best.Error < WorthIt * tried[0].Error ? best.Steps : null;

        double Error(int[] steps)
        {
            double[] factors = [.. steps.Select(ScaleSteps.Factor)];
            double least = 0, most = 0;
            for (var c = 0; c < factors.Length; c++) (least, most) = (Math.Min(least, low[c] / factors[c]), Math.Max(most, high[c] / factors[c]));
            return consumers.Sum(c => c.Error(factors, (most - least) / Codes));
        }
    }

    // None where one is quantized that nothing is known of.
    private List<QuantizedConsumer>? Consumers(ScalePlace place)
    {
        var consumers = new List<QuantizedConsumer>();
        foreach (var slot in place.Consumers)
        {
            if (!sites.TryGetValue((slot.Node, slot.Input), out var site)) return null;
            if (!decisions.TryGetValue(site.Name, out var decision) || decision.Encoding is null || decision.Form == WeightForm.Fp16) continue;
            if (QuantizedConsumer.Of(slot, site, decision, statistics) is not { } consumer) return null;
            consumers.Add(consumer);
        }
        return consumers;
    }

    /// <summary>Of each channel, over all consumers: smallest and largest input, largest |w|.</summary>
    private (double[] Low, double[] High, double[] Weight)? Channels(ScalePlace place)
    {
        double[] low = new double[place.Count], high = new double[place.Count], weight = new double[place.Count];
        foreach (var slot in place.Consumers)
        {
            if (!statistics.TryGet(slot.Node.Input(0)!.Name, out var seen) || seen.ChannelRanges is not { } ranges || ranges.Min.Count != slot.Channels.Length) return null;
            for (var i = 0; i < slot.Channels.Length; i++)
            {
                if (slot.Channels[i] is >= 0 and var c) (low[c], high[c]) = (Math.Min(low[c], ranges.Min[i]), Math.Max(high[c], ranges.Max[i]));
            }
            foreach (var (c, most) in slot.Largest(Array.ConvertAll(slot.Tensor.ToFloats(), v => (double)v), place.Count).Index()) weight[c] = Math.Max(weight[c], most);
        }
        return (low, high, weight);
    }
}
