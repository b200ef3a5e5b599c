using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Placement;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Planning;

/// <summary>
/// Executes a plan on a copy of the prepared model. Quantized weights are kept between plans: a search that tries fifty plans rounds
/// every weight once.
/// </summary>
internal sealed class Transformer(Model prepared, IReadOnlyDictionary<string, float[]> inputMeans, IReadOnlyDictionary<string, IReadOnlyList<double[]>>? grams = null, ParallelOptions? parallel = null)
{
    private readonly Dictionary<(string Site, int Bits, bool Safe), Quantized> quantized = [];
    private readonly HashSet<string> repaired = new(StringComparer.Ordinal);

    /// <summary>
    /// <paramref name="plan"/> with what is added to which bias: of a Conv with integer weights and a constant bias of its own whose input's
    /// means are known. Others keep their bias.
    /// </summary>
    public Plan WithBiases(Plan plan)
    {
        if (plan.Biases is not null) return plan;
        var sites = SiteFinder.Find(prepared).ToDictionary(s => s.Name, StringComparer.Ordinal);
        var biases = plan.Weights.Where(d => d.Encoding is not null && d.Form != WeightForm.Fp16).Select(d => new BiasDecision(d.Site, Steps(sites[d.Site], d)));
        return plan with { Biases = [.. biases.Where(b => b.Steps.Any(s => s != 0))] };
    }

    /// <summary>The bias of the only convolution that reads the weight, where it is a constant; null where there is none to correct.</summary>
    public static Tensor? Bias(Site site) =>
        site.SingleNode is { } node && node.Is("Conv") && node.Input(2)?.Constant is { } bias && bias.Count == site.Tensor.Shape[0] ? bias : null;

    /// <summary>The prepared model with <paramref name="plan"/> applied; the prepared model is not changed.</summary>
    public Model Apply(Plan plan)
    {
        plan = WithBiases(plan);
        var model = prepared.Clone();
        var sites = SiteFinder.Find(model).ToDictionary(s => s.Name, StringComparer.Ordinal);
        var chosen = plan.Weights.Where(d => d.Encoding is not null).ToArray();

        foreach (var decision in chosen.Where(d => d.Form == WeightForm.Fp16))
        {
            var site = sites[decision.Site];
            HalfCast.Write(site, HalfWeight.Round(site.Tensor.ToFloats(), site.Tensor.Shape.ToArray())
                ?? throw new InvalidOperationException($"'{site.Name}' does not fit 16-bit floats; the planner must not ask for it."));
        }
        foreach (var (site, steps) in plan.Biases!) Correct(sites[site], steps);
        var integers = new HashSet<Node>();
        foreach (var group in chosen.Where(d => d.Form != WeightForm.Fp16).GroupBy(d => d.Encoding!))
        {
            var encoded = group.Select(d => new EncodedSite(sites[d.Site], Weight(sites[d.Site], d))).ToArray();
            if (group.Key != EncodingTable.Static.Id)
            {
                EncodingTable.Find(group.Key).Write(encoded);
                continue;
            }
            integers.UnionWith(EncodingTable.Static.WriteNodes(encoded));
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
    public Quantized Weight(Site site, WeightDecision decision)
    {
        var key = (site.Name, decision.Bits, decision.SaturationSafe);
        if (!quantized.TryGetValue(key, out var weight)) quantized.Add(key, weight = Round(site, decision));
        return weight;
    }

    /// <summary>Whether calibration showed what the weight is multiplied with, so that its rounding was repaired.</summary>
    public bool HasFeedback(Site site) => repaired.Contains(site.Name);

    private Quantized Round(Site site, WeightDecision decision)
    {
        long[] shape = [.. site.Tensor.Shape];
        var weights = site.Tensor.ToFloats();
        var safe = decision.SaturationSafe && !site.IsDepthwise;
        var plain = RoundToNearest.Quantize(weights, shape, [.. site.ChannelAxes], decision.Bits, saturationSafe: safe);
        if (grams is null || !grams.TryGetValue(site.Name, out var gram)) return plain;
        repaired.Add(site.Name);
        if (site.ChannelAxes is [0]) return ErrorFeedback.Quantize(weights, plain, gram, safe, parallel);
        return ErrorFeedback.Quantize(Transposed(weights, (int)shape[0], (int)shape[1]), plain.Transposed(), gram, safe, parallel).Transposed();
    }

    private static float[] Transposed(float[] matrix, int rows, int columns)
    {
        var result = new float[matrix.Length];
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < columns; c++) result[c * rows + r] = matrix[r * columns + c];
        return result;
    }

    private int[] Steps(Site site, WeightDecision decision)
    {
        if (Bias(site) is not { } bias) return [];
        var node = site.SingleNode!;
        if (node.Input(0) is not { } input || !inputMeans.TryGetValue(input.Name, out var means)) return [];
        var (rows, columns, groups) = ((int)site.Tensor.Shape[0], (int)site.Tensor.Shape[1], (int)node.Int("group", 1));
        if (groups < 1 || means.Length != columns * groups || rows % groups != 0) return [];
        var correction = BiasCorrection.Correction(site.Tensor.ToFloats(), Weight(site, decision).Decompress(), means, rows, columns, groups);
        return BiasCorrection.Steps(bias.ToFloats(), correction);
    }

    private static void Correct(Site site, IReadOnlyList<int> steps)
    {
        var node = site.SingleNode!;
        var corrected = BiasCorrection.Corrected(Bias(site)!.ToFloats(), steps.ToArray().AsSpan());
        node.SetInput(2, node.Graph.AddInitializer("b", Tensor.Create(corrected, corrected.Length)));
    }
}
