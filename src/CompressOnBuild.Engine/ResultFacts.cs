using System.Security.Cryptography;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Reporting;
using CompressOnBuild.Techniques.Pruning;
using CompressOnBuild.Weights;

namespace CompressOnBuild;

/// <summary>The facts of a result that follow from the models and the plan alone: same inputs, same facts.</summary>
internal static class ResultFacts
{
    /// <summary>Facts of a model as it was read.</summary>
    /// <param name="model">The model.</param>
    /// <param name="files">Its file and those of its external data, in this order.</param>
    /// <param name="multiplyAdds">Multiply-accumulates of one run.</param>
    public static ModelFacts Read(Model model, IReadOnlyList<InputFile> files, long multiplyAdds) => Of(model, Sha256(files), files.Sum(f => f.Size), multiplyAdds);

    /// <summary>The hash of a model: of its file, or of a model with external data over the hashes of all its files.</summary>
    public static string Sha256(IReadOnlyList<InputFile> files) =>
        files.Count == 1 ? files[0].Sha256 : Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join("\n", files.Select(f => f.Sha256)))));

    /// <summary>Facts of the model that is written as <paramref name="bytes"/>; <paramref name="parameters"/> as <see cref="Parameters"/> has them, null: as they are stored.</summary>
    public static ModelFacts Written(Model model, byte[] bytes, long multiplyAdds, (long All, long NonZero)? parameters)
    {
        var facts = Of(model, Convert.ToHexStringLower(SHA256.HashData(bytes)), bytes.Length, multiplyAdds);
        return parameters is var (all, nonZero) ? facts with { Parameters = all, NonZeroParameters = nonZero } : facts;
    }

    /// <summary>The numbers that the network of a plan computes with: a weight counts with its elements as they are restored, however they are stored. Null where nothing is transformed.</summary>
    public static (long All, long NonZero)? Parameters(Planner planner, Transformer transformer, Plan plan)
    {
        if (plan.Weights.All(w => w.Encoding is null)) return null;
        var (all, nonZero) = ModelCensus.Parameters(planner.Prepared);
        foreach (var (decision, site) in plan.Weights.Zip(planner.Sites))
            if (decision.Encoding is not null)
                nonZero += ModelCensus.NonZero(transformer.Weight(site, decision).Decompress()) - ModelCensus.NonZero(site.Tensor.ToFloats());
        return (all, nonZero);
    }

    /// <summary>Multiply-accumulates of one run, at the shapes that calibration saw; 0 without calibration.</summary>
    public static long MultiplyAdds(Planner planner) => CompressOnBuild.MultiplyAdds.Count(planner.Prepared, planner.Statistics);

    /// <summary>The weights that <paramref name="plan"/> transforms.</summary>
    public static IEnumerable<WeightFacts> Weights(Planner planner, Transformer transformer, Plan plan)
    {
        foreach (var (decision, site) in plan.Weights.Zip(planner.Sites))
        {
            if (decision.Encoding is null) continue;
            var weight = transformer.Weight(site, decision);
            var restored = weight.Decompress();
            var zeros = decision.Pruning is not { } pruning ? "" : pruning.Method switch
            {
                PruningMethod.Magnitude => "pruning of the smallest weights, then ",
                PruningMethod.Wanda when transformer.HasFeedback(site) => "pruning by weights and inputs (Wanda), then ",
                PruningMethod.SparseGpt when transformer.HasFeedback(site) => "pruning that the other weights make up for (SparseGPT), with ",
                _ => "pruning of the smallest weights (calibration shows nothing of its inputs), then ",
            };
            var technique = zeros + (decision.Form switch
            {
                WeightForm.Fp16 => "rounding to fp16",
                WeightForm.Palette => transformer.HasFeedback(site) ? "palette by importance-weighted k-means, with error feedback (GPTQ)" : "palette by k-means",
                _ when decision.Block > 0 && transformer.HasFeedback(site) => "rounding with error feedback (GPTQ)",
                _ => transformer.HasFeedback(site) ? transformer.Technique : "rounding to nearest, scale by squared error",
            }) + (decision.Block > 0 ? $", a scale for {decision.Block} inputs" : "") + (decision.SaturationSafe ? ", exact on processors without VNNI" : "");
            yield return new WeightFacts(site.Name, site.OperatorName, site.Tensor.Shape.ToArray(), technique, decision.Encoding, decision.Bits,
                (double)restored.AsSpan().Count(0f) / site.Tensor.Count, null, site.StoredBytes, weight.ByteCount, decision.Because)
            {
                SignalToNoise = SignalToNoise(site.Tensor.ToFloats(), restored),
            };
        }
    }

    private static double SignalToNoise(float[] before, float[] after)
    {
        double signal = 0, noise = 0;
        for (var i = 0; i < before.Length; i++)
        {
            var difference = (double)after[i] - before[i];
            signal += (double)before[i] * before[i];
            noise += difference * difference;
        }
        // Rounded: the last bits of a logarithm are the C library's, and the report is the same everywhere.
        return noise == 0 ? double.PositiveInfinity : Math.Round(10 * Math.Log10(signal / noise), 2);
    }

    /// <summary>The weights that <paramref name="plan"/> leaves alone.</summary>
    public static IEnumerable<SkippedWeight> Skipped(Planner planner, Plan plan) => plan.Weights.Zip(planner.Sites).Where(p => p.First.Encoding is null)
        .Select(p => new SkippedWeight(p.Second.Name, p.Second.OperatorName, p.Second.Tensor.Shape.ToArray(), p.Second.StoredBytes, p.First.Code ?? Codes.RuleLeftAlone, p.First.Because))
        .Concat(SiteFinder.Unmatched(planner.Prepared).Select(w => new SkippedWeight(w.Name, w.Readers, w.Tensor.Shape.ToArray(), w.Tensor.ByteCount, Codes.OperatorHasNoForm, w.Because)))
        .Concat(SiteFinder.Integers(planner.Prepared).Select(w => new SkippedWeight(w.Name, w.Readers, w.Tensor.Shape.ToArray(), w.Tensor.ByteCount, Codes.WeightQuantized, w.Because)));

    private static ModelFacts Of(Model model, string sha256, long bytes, long multiplyAdds)
    {
        var (parameters, nonZero) = ModelCensus.Parameters(model);
        return new ModelFacts(sha256, bytes, bytes, parameters, nonZero, multiplyAdds);
    }
}
