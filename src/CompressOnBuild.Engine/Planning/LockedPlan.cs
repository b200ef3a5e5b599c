using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Planning;

/// <summary>Fits the plan of a lock file to the model at hand. A file is not trusted: a plan the planner could not have made is refused before anything is built by it.</summary>
internal static class LockedPlan
{
    /// <summary>The plan with its weights and biases in the order of the model's weights, which names what is written.</summary>
    /// <exception cref="CompressionException">COB3007: it does not fit.</exception>
    public static Plan Fit(Plan plan, Planner planner, string path)
    {
        var opset = planner.Prepared.Opset();
        var decisions = plan.Weights.ToDictionary(w => w.Site, StringComparer.Ordinal);
        var sites = planner.Sites.ToDictionary(s => s.Name, StringComparer.Ordinal);
        Require(decisions.Keys.FirstOrDefault(n => !sites.ContainsKey(n)), "the weight", "is not in the model");
        Require(sites.Keys.FirstOrDefault(n => !decisions.ContainsKey(n)), "the weight", "has no decision");
        var weights = planner.Sites.Select(s => decisions[s.Name]).ToArray();
        foreach (var (weight, site) in weights.Zip(planner.Sites)) if (Misfit(weight, site, opset, planner.Runtime) is { } why) throw Error($"the weight '{weight.Site}' {why}");
        if (!FormTable.Settle(weights, planner.Sites, opset, planner.Runtime).SequenceEqual(weights)) throw Error("the two matrices of an LSTM have forms that do not go together");

        var region = planner.Region(weights.Where(w => w.Form == WeightForm.Static).Select(w => w.Site), plan.JoinRegions);
        var values = plan.Values.ToDictionary(v => v.Value, v => v.Parameters, StringComparer.Ordinal);
        var wanted = region.Values.Select(v => v.Value.Name).ToHashSet(StringComparer.Ordinal);
        Require(wanted.FirstOrDefault(n => !values.ContainsKey(n)), "the activation", "has no range");
        Require(values.Keys.FirstOrDefault(n => !wanted.Contains(n)), "the activation", "is none that this plan quantizes");
        Require(region.Values.FirstOrDefault(v => v.Source is { } source && values.TryGetValue(source.Name, out var shared) && shared != values[v.Value.Name])?.Value.Name,
            "the activation", "must have the scale and zero point of the one it comes from");

        foreach (var (site, count, list) in plan.Biases!.Select(b => (b.Site, b.Steps.Count, "biases")).Concat((plan.Gains ?? []).Select(g => (g.Site, g.Steps.Count, "gains"))))
        {
            if (!decisions.TryGetValue(site, out var weight) || weight.Encoding is null || weight.Form == WeightForm.Fp16 || (list == "gains" && weight.Block > 0) || Transformer.Bias(sites[site])?.Count != count)
                throw Error($"'{list}' corrects the layer of '{site}', which has no bias of {count} channels to correct");
        }
        var biases = plan.Biases!.ToDictionary(b => b.Site, StringComparer.Ordinal);
        return plan with { Weights = weights, Biases = [.. planner.Sites.Where(s => biases.ContainsKey(s.Name)).Select(s => biases[s.Name])] };

        void Require(string? name, string what, string why) { if (name is not null) throw Error($"{what} '{name}' {why}"); }

        CompressionException Error(string what) =>
            new(Codes.LockDoesNotFit, $"the lock file does not fit the model although the model did not change: {what}. Take the file back from version control, or write it anew: {LockFileReader.ForceEvaluate}.", path);
    }

    private static string? Misfit(WeightDecision weight, Site site, int opset, Capabilities runtime)
    {
        if (weight.Pruning is not null && weight.Block > 0) return "has zeros and a scale for each block, which no form stores";
        if (weight.Pruning is not null && weight.Form is not (WeightForm.Weights or WeightForm.Palette or WeightForm.Fp16)) return "has zeros in a form that stores none";
        if (weight.Pruning is null != (weight.Encoding != EncodingTable.Sparse.Id) && (weight.Pruning is null || weight.Form != WeightForm.Weights)) return "has zeros and an encoding that do not go together";
        if (weight.Encoding == EncodingTable.Sparse.Id)
        {
            var fits = weight.Form switch { WeightForm.Weights => weight.Bits is >= 2 and <= 8, WeightForm.Palette => weight.Bits is >= 1 and <= 8, _ => weight.Bits == 16 && Weights.HalfWeight.Fits(site.LargestMagnitude) };
            if (!fits || weight.SaturationSafe) return $"has a form or bits that do not go with '{weight.Encoding}'";
            return EncodingTable.Sparse.Refuses(site, opset) is { } no ? $"cannot be written as '{weight.Encoding}': {no}" : float.IsFinite(site.LargestMagnitude) ? null : "holds values that no smaller form keeps";
        }
        if (weight.Encoding is null) return weight.Form != WeightForm.None || weight.SaturationSafe ? $"is left alone and has the form '{weight.Form}'" : null;
        if (site.Tensor.ElementType is not (ElementType.Float or ElementType.Float16) || !float.IsFinite(site.LargestMagnitude)) return "holds values that no smaller form keeps";
        if (weight.Encoding == EncodingTable.HalfCast.Id)
            return weight is { Form: WeightForm.Fp16, Bits: 16, SaturationSafe: false } && Weights.HalfWeight.Fits(site.LargestMagnitude) ? null : "cannot be written in 16 bits";
        if (EncodingTable.All.FirstOrDefault(e => e.Id == weight.Encoding) is not { } encoding) return $"has the unknown encoding '{weight.Encoding}'";
        var form = encoding == EncodingTable.Static ? WeightForm.Static : encoding == EncodingTable.DynamicMatMul || encoding == EncodingTable.DynamicLstm ? WeightForm.Dynamic
            : encoding == EncodingTable.Palette ? WeightForm.Palette : WeightForm.Weights;
        var (least, most) = encoding == EncodingTable.PackedMul ? (2, 7) : encoding == EncodingTable.Palette ? (1, 8) : encoding == EncodingTable.MatMulNBits ? (2, 8) : (8, 8);
        if (encoding == EncodingTable.MatMulNBits ? !MatMulNBits.Widths.Contains(weight.Bits) || !MatMulNBits.BlockSizes.Contains(weight.Block) : weight.Block != 0) return $"has blocks or bits that do not go with '{weight.Encoding}'";
        if (weight.Form != form || weight.Bits < least || weight.Bits > most || (form == WeightForm.Static && !site.IsObservable)) return $"has a form or bits that do not go with '{weight.Encoding}'";
        return (encoding.Refuses(site, opset) ?? runtime.Refuses(encoding.Id, weight.Bits, weight.Block)) is { } refused ? $"cannot be written as '{weight.Encoding}': {refused}" : null;
    }
}
