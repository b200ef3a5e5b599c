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
public sealed class Transformer(Model prepared, IReadOnlyDictionary<string, float[]> inputMeans)
{
    private readonly Dictionary<string, Quantized> quantized = new(StringComparer.Ordinal);

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
        var restored = new List<Value>();
        foreach (var group in chosen.Where(d => d.Form != WeightForm.Fp16).GroupBy(d => d.Encoding!))
        {
            var encoded = group.Select(d => new EncodedSite(sites[d.Site], Weight(sites[d.Site], d.Bits))).ToArray();
            if (group.Key != EncodingTable.Static.Id) { EncodingTable.Find(group.Key).Write(encoded); continue; }
            foreach (var (site, weight) in encoded) BiasCorrection.Apply(site, weight, inputMeans);
            restored.AddRange(WeightDequantize.Restore(encoded));
        }
        if (restored.Count > 0)
        {
            // A static Gemm has become MatMul and Add: whoever reads the restored weights is the integer node.
            var fixedNodes = restored.SelectMany(v => v.Uses.Select(u => u.Node)).ToHashSet();
            var region = QuantizedRegion.Find(model.Graph, fixedNodes, plan.JoinRegions);
            QdqWriter.Write(region, plan.Values.ToDictionary(v => v.Value, v => v.Parameters, StringComparer.Ordinal));
        }
        model.Graph.RemoveUnused();
        return model;
    }

    /// <summary>The quantized weight of a site.</summary>
    public Quantized Weight(Site site, int bits)
    {
        if (!quantized.TryGetValue(site.Name, out var weight))
            quantized.Add(site.Name, weight = RoundToNearest.Quantize(site.Tensor.ToFloats(), site.Tensor.Shape.ToArray(), [.. site.ChannelAxes], bits));
        return weight;
    }
}
