using System.Collections.Concurrent;
using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Placement;
using CompressOnBuild.Techniques.Pruning;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Techniques.Sharing;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Planning;

/// <summary>What repairs the rounding of weights whose inputs calibration saw.</summary>
[Flags]
internal enum RoundingRepair { None = 0, ErrorFeedback = 1, Descent = 2 }

/// <summary>
/// Executes a plan on a copy of the prepared model. Compressed weights are kept between plans: a search that tries fifty plans rounds
/// every weight once.
/// </summary>
internal sealed class Transformer(Model prepared, IReadOnlyDictionary<string, float[]> inputMeans, IReadOnlyDictionary<string, IReadOnlyList<double[]>>? grams = null, ParallelOptions? parallel = null, RoundingRepair repair = RoundingRepair.ErrorFeedback)
{
    /// <summary>Of matrices that weights which are rounded side by side may hold.</summary>
    private const long RoundingBytes = 1L << 30;

    private readonly ConcurrentDictionary<(string Site, WeightForm Form, int Bits, int Block, bool Safe, PruningTarget? Pruning, bool Sparse), CompressedWeight> compressed = [];
    private readonly ThreadLocal<(string? Site, IReadOnlyList<ErrorFeedback.Feedback?>? Feedback)> last = new();
    private readonly ConcurrentDictionary<string, bool> repaired = new(StringComparer.Ordinal);

    /// <summary>
    /// <paramref name="plan"/> with what is added to which bias: of a Conv with integer weights and a constant bias of its own whose input's
    /// means are known. Others keep their bias.
    /// </summary>
    public Plan WithBiases(Plan plan)
    {
        if (plan.Biases is not null) return plan;
        var sites = SiteFinder.Find(prepared).ToDictionary(s => s.Name, StringComparer.Ordinal);
        Round(plan, sites);
        var biases = plan.Weights.Where(d => d.Encoding is not null && d.Form != WeightForm.Fp16).Select(d => new BiasDecision(d.Site, Steps(sites[d.Site], d)));
        return plan with { Biases = [.. biases.Where(b => b.Steps.Any(s => s != 0))] };
    }

    /// <summary>The bias of the only layer that reads the weight (Conv, Gemm, or MatMul with an Add behind), where it is a constant of one figure a channel; null where there is none to correct.</summary>
    public static Tensor? Bias(Site site) => BiasUse(site)?.Value.Constant;

    /// <summary>The value that holds that bias plus the product.</summary>
    public static Value Sum(Site site) => BiasUse(site) is { } use && use.Node.Is("Add") ? use.Node.Output(0)! : site.SingleNode!.Output(0)!;

    private static (Node Node, int Input, Value Value)? BiasUse(Site site)
    {
        if (site.SingleNode is not { } node || site.Operator is not { WeightInput: 1 } || site.ChannelAxes.Count != 1) return null;
        (Node Node, int Input)? place = node.OpType switch
        {
            "Conv" => (node, 2),
            "Gemm" when node.Float("alpha", 1) == 1 && node.Float("beta", 1) == 1 => (node, 2),
            "MatMul" when SeparateBias.AddBehind(node) is { } use => (use.Node, 1 - use.Index),
            _ => null,
        };
        return place is { } p && p.Node.Input(p.Input) is { Constant: { ElementType: ElementType.Float, Rank: 1 } bias } value && bias.Count == site.Tensor.Shape[site.ChannelAxes[0]] ? (p.Node, p.Input, value) : null;
    }

    /// <summary>The prepared model with <paramref name="plan"/> applied; the prepared model is not changed.</summary>
    public Model Apply(Plan plan)
    {
        plan = WithBiases(plan);
        var model = prepared.Clone();
        var sites = SiteFinder.Find(model).ToDictionary(s => s.Name, StringComparer.Ordinal);
        Round(plan, sites);
        var chosen = plan.Weights.Where(d => d.Encoding is not null).ToArray();

        var gains = (plan.Gains ?? []).ToDictionary(g => g.Site, g => g.Steps, StringComparer.Ordinal);
        var weights = chosen.Select(d => (Encoding: EncodingTable.Find(d.Encoding!), Site: new EncodedSite(sites[d.Site], WithGains(Weight(sites[d.Site], d), gains.GetValueOrDefault(d.Site))))).ToArray();
        foreach (var (site, steps) in plan.Biases!) Correct(sites[site], steps);
        RestoredAtLoad.WriteAll([.. weights.Where(w => w.Encoding is RestoredAtLoad).Select(w => w.Site)]);
        var integers = new HashSet<Node>();
        foreach (var group in weights.Where(w => w.Encoding is not RestoredAtLoad).GroupBy(w => w.Encoding, w => w.Site))
        {
            if (group.Key == EncodingTable.Static) integers.UnionWith(EncodingTable.Static.WriteNodes([.. group]));
            else group.Key.Write([.. group]);
        }
        if (integers.Count > 0)
        {
            var region = QuantizedRegion.Find(model.Graph, integers, plan.JoinRegions);
            QdqWriter.Write(region, plan.Values.ToDictionary(v => v.Value, v => v.Parameters, StringComparer.Ordinal));
        }
        model.Graph.RemoveUnused();
        return model;
    }

    /// <summary>The weight of a site as a decision wants it.</summary>
    public CompressedWeight Weight(Site site, WeightDecision decision)
    {
        var key = Key(decision);
        return compressed.GetOrAdd(key, _ => decision.Pruning is not null ? Pruned(site, decision) : key.Form switch { WeightForm.Fp16 => Half(site), WeightForm.Palette => Palette(site, decision.Bits), _ => decision.Block > 0 ? Blocks(site, decision) : Round(site, decision) });
    }

    private static (string Site, WeightForm Form, int Bits, int Block, bool Safe, PruningTarget? Pruning, bool Sparse) Key(WeightDecision decision) =>
        (decision.Site, decision.Form is WeightForm.Fp16 or WeightForm.Palette ? decision.Form : WeightForm.Weights, decision.Bits, decision.Block, decision.SaturationSafe, decision.Pruning, decision.Encoding == EncodingTable.Sparse.Id);

    // Weights know nothing of each other: what the plan asks for first is made side by side.
    private void Round(Plan plan, Dictionary<string, Site> sites)
    {
        var missing = plan.Weights.Where(d => d.Encoding is not null && !compressed.ContainsKey(Key(d))).ToArray();
        if (missing.Length < 2) return;
        // H, its copy and U of each that is at work.
        var largest = missing.Max(d => grams is not null && sites.TryGetValue(d.Site, out var s) && grams.TryGetValue(s.Name, out var g) && g.Count > 0 ? g.Max(m => (long)m.Length) : 0);
        var most = (int)Math.Clamp(RoundingBytes / Math.Max(1, 3 * sizeof(double) * largest), 1, parallel is { MaxDegreeOfParallelism: > 0 and var given } ? given : Environment.ProcessorCount);
        Parallel.ForEach(Partitioner.Create(missing, loadBalance: true), new ParallelOptions { MaxDegreeOfParallelism = most, CancellationToken = parallel?.CancellationToken ?? default }, decision =>
        {
            Weight(sites[decision.Site], decision);
            last.Value = default;
        });
    }

    /// <summary>Whether a weight has scales of its channels that a gain can multiply.</summary>
    public static bool HasScales(CompressedWeight weight) => weight is Quantized { ChannelAxes.Length: 1 } or Scaled { ChannelAxes.Length: 1 };

    private static CompressedWeight WithGains(CompressedWeight weight, IReadOnlyList<int>? steps)
    {
        if (steps is null) return weight;
        float[] Multiplied(float[] scales) => [.. scales.Select((s, c) => (float)(s * StatisticsMatching.Gain(steps[c])))];
        return weight switch
        {
            Quantized q => new Quantized { Codes = q.Codes, Shape = q.Shape, ChannelAxes = q.ChannelAxes, Bits = q.Bits, Scales = Multiplied(q.Scales) },
            Scaled s => new Scaled { Inner = s.Inner, Shape = s.Shape, ChannelAxes = s.ChannelAxes, Scales = Multiplied(s.Scales) },
            _ => throw new InvalidOperationException($"{weight.GetType().Name} has no scales to correct."),
        };
    }

    /// <summary>Whether calibration showed what the weight is multiplied with, so that its rounding was repaired.</summary>
    public bool HasFeedback(Site site) => repaired.ContainsKey(site.Name);

    /// <summary>What repaired it, in the words of reports.</summary>
    public string Technique => repair switch
    {
        RoundingRepair.Descent => "rounding by coordinate descent",
        RoundingRepair.ErrorFeedback | RoundingRepair.Descent => "rounding with error feedback (GPTQ) and coordinate descent",
        _ => "rounding with error feedback (GPTQ)",
    };

    private static HalfWeight Half(Site site) => HalfWeight.Round(site.Tensor.ToFloats(), site.Tensor.Shape.ToArray())
        ?? throw new InvalidOperationException($"'{site.Name}' does not fit 16-bit floats; the planner must not ask for it.");

    private Quantized Round(Site site, WeightDecision decision)
    {
        long[] shape = [.. site.Tensor.Shape];
        var weights = site.Tensor.ToFloats();
        var safe = decision.SaturationSafe && !site.IsDepthwise;
        var plain = RoundToNearest.Quantize(weights, shape, [.. site.ChannelAxes], decision.Bits, saturationSafe: safe);
        if (FeedbackOf(site) is not { } seen) return plain;
        repaired.TryAdd(site.Name, true);
        if (site.ChannelAxes is [0]) return Repaired(weights, plain, seen, safe);
        return Repaired(Rows(site), plain.Transposed(), seen, safe).Transposed();
    }

    private Quantized Repaired(float[] weights, Quantized rounded, IReadOnlyList<ErrorFeedback.Feedback?> seen, bool safe)
    {
        if (repair.HasFlag(RoundingRepair.ErrorFeedback)) rounded = ErrorFeedback.Quantize(weights, rounded, seen, safe, parallel);
        return repair.HasFlag(RoundingRepair.Descent) ? RoundingDescent.Quantize(weights, rounded, seen, safe, parallel) : rounded;
    }

    // Coordinate descent knows rows of one scale: blocks are fed back, or rounded.
    private Blockwise Blocks(Site site, WeightDecision decision)
    {
        var seen = repair.HasFlag(RoundingRepair.ErrorFeedback) ? FeedbackOf(site) : null;
        if (seen is not null) repaired.TryAdd(site.Name, true);
        return BlockRounding.Quantize(Rows(site), [.. site.Tensor.Shape], site.ChannelAxes[0] == 0, decision.Bits, decision.Block, seen, parallel);
    }

    private Scaled Palette(Site site, int bits)
    {
        var view = ChannelView.Of(site.Tensor.Shape, site.ChannelAxes);
        var seen = FeedbackOf(site);
        if (seen is not null) repaired.TryAdd(site.Name, true);
        var rows = SharedPalette.Fit(Rows(site), view.Channels, bits, seen, parallel: parallel);
        long[] shape = [.. site.Tensor.Shape];
        return new Scaled
        {
            Shape = shape,
            ChannelAxes = [.. site.ChannelAxes],
            Scales = rows.Scales,
            Inner = new Codebook { Shape = shape, Bits = bits, Indices = view.FromRows<byte>(rows.Indices), Entries = new DenseWeight { Shape = [1, rows.Palette.Length], Values = rows.Palette } },
        };
    }

    /// <summary>A weight with zeros: SparseGPT rounds integers in the same pass, and makes up for the zeros before a palette or halves are fitted to what is left.</summary>
    private CompressedWeight Pruned(Site site, WeightDecision decision)
    {
        var (pruning, seen) = (decision.Pruning!, FeedbackOf(site));
        var view = ChannelView.Of(site.Tensor.Shape, site.ChannelAxes);
        var rows = Rows(site);
        if (seen is not null) repaired.TryAdd(site.Name, true);
        bool[]? keep = null;
        if (pruning.Method != PruningMethod.SparseGpt || seen is null)
        {
            keep = PruningMask.Of(rows, view.Channels, pruning, seen);
            for (var i = 0; i < rows.Length; i++) if (!keep[i]) rows[i] = 0;
        }
        var integers = decision.Form is not (WeightForm.Palette or WeightForm.Fp16);
        if (keep is null && !integers)
        {
            double[] left = [.. rows.Select(w => (double)w)];
            float[] one = [.. Enumerable.Repeat(1f, view.Channels)];
            ErrorFeedback.Round(rows, left, one, RoundingGrid.Everything, seen!, factors: [1f], zeros: new(pruning), parallel: parallel);
            rows = [.. left.Select(v => (float)v)];
            keep = [.. left.Select(v => v != 0)];
        }
        return integers ? PrunedIntegers(site, decision, rows, keep, seen) : PrunedFloats(site, decision, rows, keep!, seen);
    }

    private CompressedWeight PrunedIntegers(Site site, WeightDecision decision, float[] rows, bool[]? keep, IReadOnlyList<ErrorFeedback.Feedback?>? seen)
    {
        long[] shape = [.. site.Tensor.Shape];
        var view = ChannelView.Of(shape, site.ChannelAxes);
        var plain = RoundToNearest.Quantize(view.FromRows<float>(rows), shape, [.. site.ChannelAxes], decision.Bits);
        double[] values = [.. view.ToRows<sbyte>(plain.Codes).Select(c => (double)c)];
        if (seen is not null)
        {
            ErrorFeedback.Round(rows, values, plain.Scales, RoundingGrid.Integers((1 << (decision.Bits - 1)) - 1), seen, factors: decision.Bits < 8 ? null : [1f],
                zeros: keep is null ? new(decision.Pruning) : new(Keep: keep), parallel: parallel);
        }
        var codes = view.FromRows<sbyte>([.. values.Select(v => (sbyte)v)]);
        if (decision.Encoding != EncodingTable.Sparse.Id) return new Quantized { Codes = codes, Shape = shape, ChannelAxes = plain.ChannelAxes, Scales = plain.Scales, Bits = plain.Bits };
        bool[] mask = [.. codes.Select(c => c != 0)];
        var survivors = Sparse.Survivors<sbyte>(codes, mask);
        var inner = new Sparse { Shape = shape, Mask = mask, Values = new Quantized { Codes = survivors, Shape = [survivors.Length], ChannelAxes = [], Scales = [1f], Bits = plain.Bits } };
        return new Scaled { Shape = shape, ChannelAxes = plain.ChannelAxes, Scales = plain.Scales, Inner = inner };
    }

    private CompressedWeight PrunedFloats(Site site, WeightDecision decision, float[] rows, bool[] keep, IReadOnlyList<ErrorFeedback.Feedback?>? seen)
    {
        long[] shape = [.. site.Tensor.Shape];
        var view = ChannelView.Of(shape, site.ChannelAxes);
        var mask = view.FromRows<bool>(keep);
        if (decision.Form == WeightForm.Fp16)
        {
            // What makes up for the zeros may reach beyond the format.
            var survivors = Array.ConvertAll(Sparse.Survivors<float>(view.FromRows<float>(rows), mask), v => Math.Clamp(v, (float)System.Half.MinValue, (float)System.Half.MaxValue));
            return new Sparse { Shape = shape, Mask = mask, Values = HalfWeight.Round(survivors, [survivors.Length]) ?? throw new InvalidOperationException($"'{site.Name}' does not fit 16-bit floats once it is pruned.") };
        }
        var fitted = SharedPalette.Fit(rows, view.Channels, decision.Bits, seen, keep, parallel);
        var indices = Sparse.Survivors<byte>(view.FromRows<byte>(fitted.Indices), mask);
        var values = new Codebook { Shape = [indices.Length], Bits = decision.Bits, Indices = indices, Entries = new DenseWeight { Shape = [1, fitted.Palette.Length], Values = fitted.Palette } };
        return new Scaled { Shape = shape, ChannelAxes = [.. site.ChannelAxes], Scales = fitted.Scales, Inner = new Sparse { Shape = shape, Mask = mask, Values = values } };
    }

    /// <summary>
    /// Power of what a decision changes in the products of the weight, as calibration shows them (d^T H d, <see cref="ErrorFeedback"/>); without
    /// calibration the sum of d^2. Comparable among decisions for one weight.
    /// </summary>
    public double ProductError(Site site, WeightDecision decision)
    {
        var view = ChannelView.Of(site.Tensor.Shape, site.ChannelAxes);
        float[] before = Rows(site), after = view.ToRows<float>(Weight(site, decision).Decompress());
        if (FeedbackOf(site) is { } seen) return ErrorFeedback.Error(before, after, view.Channels, seen);
        double sum = 0;
        for (var i = 0; i < before.Length; i++) sum += ((double)before[i] - after[i]) * ((double)before[i] - after[i]);
        return sum;
    }

    private static float[] Rows(Site site) => ChannelView.Of(site.Tensor.Shape, site.ChannelAxes).ToRows<float>(site.Tensor.ToFloats());

    // One weight after the other is tried in all its forms: what they share is kept for the last one.
    private IReadOnlyList<ErrorFeedback.Feedback?>? FeedbackOf(Site site)
    {
        if (grams is null || !grams.TryGetValue(site.Name, out var gram)) return null;
        if (last.Value.Site != site.Name) last.Value = (site.Name, ErrorFeedback.Feedback.Of(gram, (int)(site.Tensor.Count / ChannelView.Of(site.Tensor.Shape, site.ChannelAxes).Channels)));
        // Inputs that were always 0 say as little as none.
        return last.Value.Feedback!.Any(f => f is not null) ? last.Value.Feedback : null;
    }

    private int[] Steps(Site site, WeightDecision decision)
    {
        if (Bias(site) is not { } bias || site.SingleNode is not { } node || !node.Is("Conv")) return [];
        if (node.Input(0) is not { } input || !inputMeans.TryGetValue(input.Name, out var means)) return [];
        var (rows, columns, groups) = ((int)site.Tensor.Shape[0], (int)site.Tensor.Shape[1], (int)node.Int("group", 1));
        if (groups < 1 || means.Length != columns * groups || rows % groups != 0) return [];
        var correction = BiasCorrection.Correction(site.Tensor.ToFloats(), Weight(site, decision).Decompress(), means, rows, columns, groups);
        return BiasCorrection.Steps(bias.ToFloats(), correction);
    }

    private static void Correct(Site site, IReadOnlyList<int> steps)
    {
        var (node, input, value) = BiasUse(site)!.Value;
        var corrected = BiasCorrection.Corrected(value.Constant!.ToFloats(), steps.ToArray().AsSpan());
        node.SetInput(input, node.Graph.AddInitializer("b", Tensor.Create(corrected, corrected.Length)));
    }
}
