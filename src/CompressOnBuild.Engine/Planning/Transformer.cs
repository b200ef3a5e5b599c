using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Placement;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Planning;

/// <summary>
/// Executes a plan on a copy of the prepared model. Compressed weights are kept between plans: a search that tries fifty plans rounds
/// every weight once.
/// </summary>
internal sealed class Transformer(Model prepared, IReadOnlyDictionary<string, float[]> inputMeans, IReadOnlyDictionary<string, IReadOnlyList<double[]>>? grams = null, ParallelOptions? parallel = null)
{
    private readonly Dictionary<(string Site, WeightForm Form, int Bits, bool Safe), CompressedWeight> compressed = [];
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

        var weights = chosen.Select(d => (Encoding: EncodingTable.Find(d.Encoding!), Site: new EncodedSite(sites[d.Site], Weight(sites[d.Site], d)))).ToArray();
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
        var form = decision.Form == WeightForm.Fp16 ? decision.Form : WeightForm.Weights;
        var key = (site.Name, form, decision.Bits, decision.SaturationSafe);
        if (!compressed.TryGetValue(key, out var weight)) compressed.Add(key, weight = form == WeightForm.Fp16 ? Half(site) : Round(site, decision));
        return weight;
    }

    /// <summary>Whether calibration showed what the weight is multiplied with, so that its rounding was repaired.</summary>
    public bool HasFeedback(Site site) => repaired.Contains(site.Name);

    private static HalfWeight Half(Site site) => HalfWeight.Round(site.Tensor.ToFloats(), site.Tensor.Shape.ToArray())
        ?? throw new InvalidOperationException($"'{site.Name}' does not fit 16-bit floats; the planner must not ask for it.");

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
