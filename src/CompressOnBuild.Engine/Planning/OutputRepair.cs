using CompressOnBuild.Calibration;
using CompressOnBuild.Encodings;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Techniques.Quantization;

namespace CompressOnBuild.Planning;

/// <summary>
/// Matches each layer of a quantized model to the float model's, in the order of the graph (<see cref="StatisticsMatching"/>): both models run side by
/// side, layer by layer, and what a layer's correction does to its output is done to the values that the next ones read.
/// </summary>
/// <param name="prepared">The float model.</param>
/// <param name="transformer">Makes the quantized one.</param>
/// <param name="walk">Starts a walk over the samples, in memory that two walks share.</param>
/// <param name="decibels">How near a plan's outputs are to the original's on samples that the walk does not see.</param>
/// <param name="parallel">Threads to use, and what stops them.</param>
internal sealed class OutputRepair(Model prepared, Transformer transformer, Func<Model, ReusedBuffers, LayerwiseRun> walk, Func<Plan, double> decibels, ParallelOptions parallel)
{
    /// <summary>Samples: more tell little more about one mean a channel.</summary>
    public const int MostSamples = 32;
    /// <summary>Bytes of values that two walks may hold.</summary>
    private const long MemoryBound = 768L << 20;
    /// <summary>Values that live at once, in sizes of the largest: the layer's own, one that passes by, and as they are read.</summary>
    private const int LiveValues = 4;

    private (Plan Asked, Plan Given) last;

    /// <summary>How many samples the memory has room for; the same on every machine.</summary>
    public static int Samples(Statistics seen, IReadOnlyList<Site> sites)
    {
        var largest = sites.SelectMany(s => s.Uses).Max(u => (double?)(seen.TryGet(u.Node.Output(0)?.Name ?? "", out var v) ? v.MeanElements : 0)) ?? 0;
        return (int)Math.Clamp(MemoryBound / (2 * LiveValues * sizeof(float) * Math.Max(1, largest)), 2, MostSamples);
    }

    /// <summary>
    /// <paramref name="plan"/> with corrected biases and scales, or with those that the means alone give (<see cref="Transformer.WithBiases"/>) where these bring the
    /// outputs nearer on samples that were not used; as it is where it says already what they are.
    /// </summary>
    public Plan Repair(Plan plan)
    {
        if (plan.Biases is not null) return plan;
        if (ReferenceEquals(last.Asked, plan)) return last.Given;
        var asked = plan;
        plan = plan with { Biases = [], Gains = [] };
        var sites = SiteFinder.Find(prepared).ToDictionary(s => s.Name, StringComparer.Ordinal);
        var decisions = plan.Weights.ToDictionary(d => d.Site, StringComparer.Ordinal);
        var order = prepared.Graph.Nodes.Select((n, i) => (n, i)).ToDictionary(p => p.n, p => p.i);
        var chosen = plan.Weights.Where(d => d.Encoding is not null && d.Form != WeightForm.Fp16).Select(d => sites[d.Site])
            .Where(s => s.IsObservable && Transformer.Bias(s) is not null).OrderBy(s => order[Transformer.Sum(s).Producer!]).ToArray();
        if (chosen.Length == 0) return transformer.WithBiases(asked);
        var (biases, gains) = (new List<BiasDecision>(), new List<GainDecision>());
        var buffers = new ReusedBuffers();
        var (floats, quantized) = (walk(prepared, buffers), walk(transformer.Apply(plan), buffers));
        foreach (var site in chosen)
        {
            var name = Transformer.Sum(site).Name;
            Tensor[]? expected = null, actual = null;
            Parallel.Invoke(parallel, () => expected = floats.Advance(name), () => actual = quantized.Advance(name));
            if (expected is null || actual is null) continue;
            var axis = site.SingleNode!.Is("Conv") ? 1 : -1;
            var bias = Transformer.Bias(site)!.ToFloats();
            if (Moments(expected, actual, axis, bias.Length) is not { } moments) continue;
            var (gain, shift) = StatisticsMatching.Match(moments, bias, scale: Transformer.HasScales(transformer.Weight(site, decisions[site.Name])));
            if (gain.Any(g => g != 0)) gains.Add(new GainDecision(site.Name, gain));
            if (shift.Any(s => s != 0)) biases.Add(new BiasDecision(site.Name, shift));
            var corrected = BiasCorrection.Corrected(bias, shift);
            quantized.Change(name, (shape, values) => Move(values, Inner(shape, axis, bias.Length) ?? 0, bias, corrected, gain));
        }
        var matched = plan with { Biases = biases, Gains = gains };
        var plain = transformer.WithBiases(asked);
        last = (asked, decibels(matched) >= decibels(plain) ? matched : plain);
        return last.Given;
    }

    private int Degree => parallel.MaxDegreeOfParallelism > 0 ? parallel.MaxDegreeOfParallelism : Environment.ProcessorCount;

    // Sample by sample on as many threads as there are, then added in their order.
    private PairedMoments? Moments(Tensor[] expected, Tensor[] actual, int axis, int channels)
    {
        var parts = expected.Zip(actual).AsParallel().AsOrdered().WithDegreeOfParallelism(Degree).WithCancellation(parallel.CancellationToken).Select(p =>
            p.First.ElementType == ElementType.Float && p.Second.ElementType == ElementType.Float && p.First.Shape.SequenceEqual(p.Second.Shape) && Inner(p.First.Shape, axis, channels) is { } inner
                ? PairedMoments.Of(p.First.AsSpan<float>(), p.Second.AsSpan<float>(), channels, inner) : null).ToArray();
        if (parts.Any(p => p is null)) return null;
        var sum = new PairedMoments(channels);
        foreach (var part in parts) sum.Add(part!);
        return sum.Positions > 0 ? sum : null;
    }

    private static int? Inner(ReadOnlySpan<long> shape, int axis, int channels)
    {
        var at = axis < 0 ? shape.Length + axis : axis;
        if (at < 0 || at >= shape.Length || shape[at] != channels) return null;
        long inner = 1;
        foreach (var d in shape[(at + 1)..]) inner *= d;
        return (int)inner;
    }

    // The layer's output with the gain on the product and the corrected bias.
    private static void Move(Span<float> values, int inner, float[] bias, float[] corrected, int[] gains)
    {
        for (int start = 0, c = 0; start + inner <= values.Length && inner > 0; start += inner, c = c + 1 == bias.Length ? 0 : c + 1)
        {
            var gain = StatisticsMatching.Gain(gains[c]);
            for (var i = start; i < start + inner; i++) values[i] = (float)(gain * ((double)values[i] - bias[c]) + corrected[c]);
        }
    }
}
