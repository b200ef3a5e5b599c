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
internal sealed class Transformer(Model prepared, IReadOnlyDictionary<string, float[]> inputMeans)
{
    private readonly Dictionary<(string Site, int Bits, bool Safe), Quantized> quantized = [];

    /// <summary>The prepared model with <paramref name="plan"/> applied; the prepared model is not changed.</summary>
    public Model Apply(Plan plan)
    {
        var model = prepared.Clone();
        var sites = SiteFinder.Find(model).ToDictionary(s => s.Name, StringComparer.Ordinal);
        var chosen = plan.Weights.Where(d => d.Encoding is not null).ToArray();

        foreach (var decision in chosen.Where(d => d.Form == WeightForm.Fp16))
        {
            var site = sites[decision.Site];
            HalfCast.Write(site, HalfWeight.Round(site.Tensor.ToFloats(), site.Tensor.Shape.ToArray())
                ?? throw new InvalidOperationException($"'{site.Name}' does not fit 16-bit floats; the planner must not ask for it."));
        }
        var integers = new HashSet<Node>();
        foreach (var group in chosen.Where(d => d.Form != WeightForm.Fp16).GroupBy(d => d.Encoding!))
        {
            var encoded = group.Select(d => new EncodedSite(sites[d.Site], Weight(sites[d.Site], d))).ToArray();
            if (group.Key != EncodingTable.Static.Id)
            {
                EncodingTable.Find(group.Key).Write(encoded);
                continue;
            }
            foreach (var (site, weight) in encoded) CorrectBias(site, weight);
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
        if (!quantized.TryGetValue(key, out var weight))
            quantized.Add(key, weight = RoundToNearest.Quantize(site.Tensor.ToFloats(), site.Tensor.Shape.ToArray(), [.. site.ChannelAxes], decision.Bits, saturationSafe: decision.SaturationSafe && !site.IsDepthwise));
        return weight;
    }

    // Only a Conv with a constant bias of its own input's known means; others keep their bias.
    private void CorrectBias(Site site, Quantized weight)
    {
        if (site.SingleNode is not { } node || !node.Is("Conv") || node.Input(2)?.Constant is not { } bias) return;
        if (node.Input(0) is not { } input || !inputMeans.TryGetValue(input.Name, out var means)) return;
        var (rows, columns, groups) = ((int)site.Tensor.Shape[0], (int)site.Tensor.Shape[1], (int)node.Int("group", 1));
        if (groups < 1 || means.Length != columns * groups || rows % groups != 0 || bias.Count != rows) return;
        var correction = BiasCorrection.Correction(site.Tensor.ToFloats(), weight.Decompress(), means, rows, columns, groups);
        node.SetInput(2, node.Graph.AddInitializer("b", Tensor.Create(BiasCorrection.Corrected(bias.ToFloats(), correction), rows)));
    }
}
