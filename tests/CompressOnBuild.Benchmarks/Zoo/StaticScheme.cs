using CompressOnBuild.Calibration;
using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Rewrites.Opsets;
using CompressOnBuild.Runtime;
using CompressOnBuild.Techniques.Quantization;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>
/// The static scheme of ONNX Runtime's own quantizer (<c>quantize_static</c> with its defaults), reproduced in this engine, since that tool needs
/// Python: after its pre-processing (folding), every Conv, MatMul and Gemm in QDQ form; activations unsigned, asymmetric, one scale a tensor, from the
/// smallest to the largest value of the calibration samples; weights symmetric with a scale a channel, by the largest magnitude, rounded to the nearest; no repair.
/// Which values between those nodes are quantized is decided by the same rules as for our own form, so that both have the same activations in 8 bits.
/// </summary>
internal static class StaticScheme
{
    /// <param name="original">The model.</param>
    /// <param name="samples">Calibration samples, read once for each pass.</param>
    /// <param name="bits">8, or 7 as with <c>reduce_range</c>.</param>
    public static byte[] Quantize(Model original, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, int bits)
    {
        var prepared = original.Clone();
        // What that tool's pre-processing folds, and not the forms that only ours are written in.
        foreach (var rewrite in StandardRewrites.Create(constants =>
        {
            using var session = new Session(constants, new SessionSettings("folded"));
            return session.Run(new Dictionary<string, Tensor>());
        }))
            if (rewrite is not (OneHotLookup or ReshapeTargets or LayerNormalizationForm or GeluForm)) rewrite.Apply(prepared);
        if (prepared.Opset() < WeightDequantize.LowestOpset) prepared = OpsetConversion.Raise(prepared, WeightDequantize.LowestOpset).Model ?? prepared;
        var statistics = Calibrator.Run(prepared, samples, new CalibrationRequest { Values = [.. Planner.ValuesToObserve(prepared)] }, CancellationToken.None);
        var recipe = new Recipe { Name = "static", Calibration = new RecipeCalibration(CalibrationMethod.MinMax) };
        var planner = new Planner(prepared, recipe, statistics, Capabilities.Of(Target.CpuVnni));
        WeightDecision[] decisions = [.. planner.Sites.Select(s => planner.Decide(s, WeightForm.Static, "")).Select(d => d.Form == WeightForm.Static ? d with { Bits = bits } : new WeightDecision(d.Site, WeightForm.None, null, 32, ""))];
        var plan = planner.Complete(decisions, join: true) with { Biases = [] };
        // Weights that lie on a grid already are found exactly: so they are rounded before.
        foreach (var (site, decision) in planner.Sites.Zip(decisions))
        {
            if (decision.Encoding is null) continue;
            long[] shape = [.. site.Tensor.Shape];
            site.Weight.SetConstant(Tensor.Create(RoundToNearest.Quantize(site.Tensor.ToFloats(), shape, [.. site.ChannelAxes], bits, searchScale: false).Decompress(), shape));
        }
        return OnnxWriter.ToBytes(new Transformer(prepared, new Dictionary<string, float[]>()).Apply(plan));
    }
}
