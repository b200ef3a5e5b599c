using System.Globalization;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Operators;
using CompressOnBuild.Techniques.Pruning;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Planning;

/// <summary>
/// Turns a wanted form into one that the operator, the operator set and the runtime have, never one that is slower than float where a
/// faster one exists. Order of fallback: static, dynamic, weights.
/// </summary>
internal static class FormTable
{
    // Names and nodes that a rewritten weight adds to the file, about.
    private const int NodeBytes = 90;
    // The same of one plane of a packed weight: bytes, Cast, Gather, Reshape, Add.
    private const int PlaneBytes = 280;
    // The same of a palette: entries, Reshape, Cast, Gather.
    private const int PaletteNodeBytes = 180;
    // The same of a mask: its plane, CumSum, Mul, Concat, Gather, Reshape.
    private const int MaskBytes = 700;
    // A smaller table stays in the processor's cache, restored once at load (measured: the decoder loop of a grapheme-to-phoneme model).
    private const long LeastTableBytes = 1 << 20;
    // A smaller matrix is read in about the time that one more node takes.
    private const long LeastMatrixElements = 32 << 10;

    // Squared error over squares that 16-bit floats may leave: a hundred times what rounding to 11 significant bits does. Beyond, values underflow.
    private const double MostHalfError = 1e-5;

    /// <summary>The decision for <paramref name="site"/> when <paramref name="wanted"/> is asked for.</summary>
    /// <param name="site">The weight.</param>
    /// <param name="wanted">Any form but Auto.</param>
    /// <param name="opset">Operator set of the prepared model.</param>
    /// <param name="observed">Whether the ranges of the activations around the site are known.</param>
    /// <param name="because">Why this form was wanted.</param>
    /// <param name="fusedWeightsPay">Whether a matrix product with integer weights and float activations (MatMulNBits) is faster than floats at the rows it runs with; with many it is not.</param>
    /// <param name="bits">Wanted bits of a weight whose activations stay floats; below 8 they are packed where the encoding can, else 8 are taken.</param>
    /// <param name="saturationSafe">Whether products with 8-bit activations must be exact on processors without VNNI too.</param>
    /// <param name="runtime">What will run the model; null: this package's ONNX Runtime on any processor.</param>
    /// <param name="block">Inputs of a matrix product that share a scale where a form has such blocks; 0: none are wanted.</param>
    public static WeightDecision Resolve(Site site, WeightForm wanted, int opset, bool observed, string because, bool saturationSafe = false, bool fusedWeightsPay = true, int bits = 8, Capabilities? runtime = null, int block = 0)
    {
        runtime ??= Capabilities.Of(Target.Cpu);
        string? Refuses(IEncoding encoding, int width = 8) => encoding.Refuses(site, opset) ?? runtime.Refuses(encoding.Id, width);
        if (wanted == WeightForm.None) return new(site.Name, WeightForm.None, null, 32, because, Codes.RuleLeftAlone);
        if (site.Tensor.ElementType is not (Onnx.ElementType.Float or Onnx.ElementType.Float16))
            return new(site.Name, WeightForm.None, null, 32, $"the weight is stored as {site.Tensor.ElementType}, not as 32-bit or 16-bit floats", Codes.WeightNotFloat);
        if (Bytes(site, wanted == WeightForm.Fp16 ? 16 : wanted == WeightForm.Palette ? Math.Min(bits, 8) : 8) >= site.StoredBytes)
            return new(site.Name, WeightForm.None, null, 32, $"{site.StoredBytes} bytes: scales and nodes would take more than the codes save", Codes.WeightTooSmall);
        if (!float.IsFinite(site.LargestMagnitude))
            return new(site.Name, WeightForm.None, null, 32, "the weight holds NaN or infinity, which no smaller form keeps", Codes.WeightOutOfRange);
        if (wanted == WeightForm.Fp16 && !HalfWeight.Fits(site.LargestMagnitude))
            return new(site.Name, WeightForm.None, null, 32, string.Create(CultureInfo.InvariantCulture, $"the largest weight is {site.LargestMagnitude:G4}, 16-bit floats end at 65504"), Codes.WeightOutOfRange);
        if (wanted == WeightForm.Fp16 && site.HalfError > MostHalfError)
            return new(site.Name, WeightForm.None, null, 32, string.Create(CultureInfo.InvariantCulture, $"16-bit floats would leave {site.HalfError:G2} of the weight's squares as error: its values (largest {site.LargestMagnitude:G4}) are too small for them"), Codes.WeightOutOfRange);
        if (wanted == WeightForm.Fp16) return new(site.Name, WeightForm.Fp16, EncodingTable.HalfCast.Id, 16, because);

        var reasons = new List<string>();
        if (wanted == WeightForm.Palette)
        {
            var refused = Bytes(site, bits, palette: true) < site.StoredBytes ? Refuses(EncodingTable.Palette, bits) : "its palette would take more than the indices save";
            if (refused is null) return new(site.Name, WeightForm.Palette, EncodingTable.Palette.Id, bits, because);
            reasons.Add($"no palette: {refused}");
            bits = 8;
        }
        if (wanted == WeightForm.Static)
        {
            var refused = site.IsObservable ? Refuses(EncodingTable.Static) : "its activations are inside a body and cannot be observed";
            if (refused is null && !observed) refused = "the ranges of its activations are not known";
            if (refused is null) return new(site.Name, WeightForm.Static, EncodingTable.Static.Id, 8, because, SaturationSafe: saturationSafe);
            reasons.Add($"not static: {refused}");
        }
        if (wanted is WeightForm.Static or WeightForm.Dynamic)
        {
            foreach (IEncoding encoding in new IEncoding[] { EncodingTable.DynamicMatMul, EncodingTable.DynamicLstm })
            {
                if (encoding.Refuses(site, opset) is not null) continue;
                if (runtime.Refuses(encoding.Id) is not { } refused) return new(site.Name, WeightForm.Dynamic, encoding.Id, 8, Join(because, reasons), SaturationSafe: saturationSafe);
                reasons.Add($"not {encoding.Id}: {refused}");
            }
            // An NPU quantizes nothing at run time: calibrated ranges are the form that it has.
            if (wanted == WeightForm.Dynamic && reasons.Count > 0 && observed && site.IsObservable && Refuses(EncodingTable.Static) is null)
                return new(site.Name, WeightForm.Static, EncodingTable.Static.Id, 8, Join(because, reasons), SaturationSafe: saturationSafe);
            if (!reasons.Exists(r => r.StartsWith("not dynamic", StringComparison.Ordinal))) reasons.Add($"{site.OperatorName} has no fast dynamic form");
        }
        if (wanted == WeightForm.Weights && block > 0 && site.Operator is { Role: WeightRole.MatrixProduct })
        {
            // A block that is longer than the inputs would store zeros.
            while (site.Tensor.Rank == 2 && block > MatMulNBits.BlockSizes[0] && block / 2 >= site.Tensor.Count / site.Tensor.Shape[site.ChannelAxes[0]]) block /= 2;
            var refused = !MatMulNBits.Widths.Contains(bits) ? $"blocks have {string.Join(", ", MatMulNBits.Widths)} bits"
                : IsTooSmallFor(EncodingTable.MatMulNBits, site) ? "so small a matrix is not faster that way"
                : !fusedWeightsPay ? "with so many rows floats are faster"
                : EncodingTable.MatMulNBits.Refuses(site, opset) ?? runtime.Refuses(EncodingTable.MatMulNBits.Id, bits, block);
            if (refused is null) return new(site.Name, WeightForm.Weights, EncodingTable.MatMulNBits.Id, bits, $"{because}, a scale for {block} inputs; the runtime rounds activations to 8 bits in each block", Block: block);
            reasons.Add($"not in blocks: {refused}");
        }
        if (wanted == WeightForm.Weights && bits < 8)
        {
            var refused = Bytes(site, bits) < Bytes(site, 8) ? Refuses(EncodingTable.PackedMul, bits) : "packing would take more than it saves";
            if (refused is null) return new(site.Name, WeightForm.Weights, EncodingTable.PackedMul.Id, bits, Join(because, reasons));
            reasons.Add($"not {bits} bits: {refused}");
        }
        foreach (IEncoding encoding in new IEncoding[] { EncodingTable.GatherRows, EncodingTable.MatMulDequantize, EncodingTable.CastMul })
        {
            if (IsTooSmallFor(encoding, site) || (!fusedWeightsPay && encoding == EncodingTable.MatMulDequantize) || encoding.Refuses(site, opset) is not null) continue;
            if (runtime.Refuses(encoding.Id) is not { } refused) return new(site.Name, WeightForm.Weights, encoding.Id, 8, Join(because, reasons));
            reasons.Add($"not {encoding.Id}: {refused}");
        }
        return new(site.Name, WeightForm.None, null, 32, Join("no integer form of this operator is known", reasons), Codes.WeightHasNoForm);
    }

    /// <summary>
    /// Makes decisions fit each other: an integer LSTM takes both of its matrices as integers or none, so one whose partner is left alone
    /// or asked for otherwise gets the weights form instead. A matrix that serves several LSTMs binds them all.
    /// </summary>
    /// <param name="decisions">One decision a site, in the order of the sites.</param>
    /// <param name="sites">The sites.</param>
    /// <param name="opset">Operator set of the prepared model.</param>
    /// <param name="runtime">As in <see cref="Resolve"/>.</param>
    public static IReadOnlyList<WeightDecision> Settle(IReadOnlyList<WeightDecision> decisions, IReadOnlyList<Site> sites, int opset, Capabilities? runtime = null)
    {
        var settled = decisions.ToArray();
        for (var changed = true; changed;)
        {
            changed = false;
            var follows = sites.Zip(settled).Where(p => p.Second.Encoding == EncodingTable.DynamicLstm.Id).Select(p => p.First.Weight).ToHashSet();
            for (var i = 0; i < settled.Length; i++)
            {
                if (settled[i].Encoding != EncodingTable.DynamicLstm.Id || sites[i].Uses.All(u => follows.Contains(u.Node.Input(1)!) && follows.Contains(u.Node.Input(2)!))) continue;
                settled[i] = Resolve(sites[i], WeightForm.Weights, opset, observed: false, $"{settled[i].Because} (not dynamic: the other matrix of its LSTM has another form)", runtime: runtime);
                changed = true;
            }
        }
        return settled;
    }

    // Both forms run more nodes than floats do, at every call: that pays where they save reading a large weight.
    private static bool IsTooSmallFor(IEncoding encoding, Site site) =>
        (encoding == EncodingTable.GatherRows && site.Tensor.ByteCount < LeastTableBytes)
        || ((encoding == EncodingTable.MatMulDequantize || encoding == EncodingTable.MatMulNBits) && site.Tensor.Count < LeastMatrixElements);

    /// <summary>Bytes of the weight after compression to <paramref name="bits"/>, scales and nodes included.</summary>
    public static long Bytes(Site site, int bits, bool palette = false)
    {
        var codes = (site.Tensor.Count * bits + 7) / 8;
        if (bits == 16) return codes + NodeBytes;
        long channels = 1;
        foreach (var axis in site.ChannelAxes) channels *= site.Tensor.Shape[axis];
        return codes + channels * sizeof(float) + NodeBytes + (bits < 8 ? BitPlanes.Of(bits).Count * PlaneBytes : 0) + (palette ? (sizeof(float) << bits) + PaletteNodeBytes : 0);
    }

    /// <inheritdoc cref="Bytes(Site, int, bool)"/>
    public static long Bytes(Site site, WeightDecision decision) => decision.Encoding is null ? site.StoredBytes
        : decision.Encoding == EncodingTable.Sparse.Id ? SparseBytes(site, decision) : decision.Block > 0 ? BlockBytes(site, decision.Bits, decision.Block) : Bytes(site, decision.Bits, decision.Form == WeightForm.Palette);

    private static long BlockBytes(Site site, int bits, int block)
    {
        var outputs = site.Tensor.Shape[site.ChannelAxes[0]];
        return outputs * ((site.Tensor.Count / outputs + block - 1) / block) * (block * bits / 8 + sizeof(float)) + NodeBytes;
    }

    private static long SparseBytes(Site site, WeightDecision decision)
    {
        // What its values take if they were the whole weight, less those that are zero.
        var values = Bytes(site, decision.Bits, decision.Form == WeightForm.Palette) - (long)(site.Tensor.Count * decision.Bits / 8.0 * decision.Pruning!.Share);
        return values + site.Tensor.Count / 8 + MaskBytes;
    }

    /// <summary><paramref name="decision"/> with zeros: as a mask and the others where that is smaller, else zeros among the codes. A weight that is left alone stays.</summary>
    public static WeightDecision Pruned(WeightDecision decision, PruningTarget? pruning, Site site, int opset)
    {
        if (pruning is null || decision.Block > 0 || decision.Form is not (WeightForm.Weights or WeightForm.Palette or WeightForm.Fp16)) return decision;
        var sparse = decision with { Pruning = pruning, Encoding = EncodingTable.Sparse.Id };
        var refused = EncodingTable.Sparse.Refuses(site, opset) ?? (Bytes(site, sparse) >= Bytes(site, decision) ? "the mask would take more than the zeros save" : null);
        if (refused is null) return sparse;
        // Integers have a zero of their own.
        return decision.Form == WeightForm.Weights ? decision with { Pruning = pruning, Because = $"{decision.Because} (zeros are stored as codes: {refused})" } : decision with { Because = $"{decision.Because} (no zeros: {refused})" };
    }

    private static string Join(string because, List<string> reasons) => reasons.Count == 0 ? because : $"{because} ({string.Join("; ", reasons)})";
}
