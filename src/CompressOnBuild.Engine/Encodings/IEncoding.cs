using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Encodings;

/// <summary>A compressed weight and the place it came from, in the model that is being written.</summary>
internal sealed record EncodedSite(Site Site, CompressedWeight Weight)
{
    /// <summary>The weight of a form that computes on its codes.</summary>
    public Quantized Integers => (Quantized)Weight;
}

/// <summary>How a compressed weight is spelled in ONNX. What a form needs of model and runtime is said by <see cref="Refuses"/>.</summary>
internal interface IEncoding
{
    /// <summary>Stable name in plans, locks and reports.</summary>
    string Id { get; }

    /// <summary>Null when the weight can be written this way at this operator set, else the reason why not.</summary>
    string? Refuses(Site site, int opset);

    /// <summary>Rewrites the model so that these weights are stored in this form; sites of one node come together.</summary>
    void Write(IReadOnlyList<EncodedSite> sites);
}

/// <summary>The encodings by name.</summary>
internal static class EncodingTable
{
    /// <summary>Integers of 8 bits, restored at load.</summary>
    public static RestoredAtLoad CastMul { get; } = new("cast-mul");
    /// <summary>Integers of fewer bits, restored at load.</summary>
    public static RestoredAtLoad PackedMul { get; } = new("packed-mul");
    /// <summary>16-bit floats, restored at load: half the bytes, float speed. (Computing in fp16 is slower on processors without it.)</summary>
    public static RestoredAtLoad HalfCast { get; } = new("fp16-cast");
    /// <summary>Indices into a palette, restored at load.</summary>
    public static RestoredAtLoad Palette { get; } = new("palette");
    /// <summary>A bit mask and the values that are not zero, restored at load. CumSum came with operator set 11.</summary>
    public static RestoredAtLoad Sparse { get; } = new("sparse-mask", 11, "CumSum");
    public static WeightDequantize Static { get; } = new("qdq");
    public static MatMulDequantize MatMulDequantize { get; } = new();
    public static MatMulNBits MatMulNBits { get; } = new();
    public static DynamicMatMul DynamicMatMul { get; } = new();
    public static DynamicLstm DynamicLstm { get; } = new();
    public static GatherRows GatherRows { get; } = new();

    public static IReadOnlyList<IEncoding> All { get; } = [Static, DynamicMatMul, DynamicLstm, MatMulDequantize, MatMulNBits, GatherRows, CastMul, PackedMul, HalfCast, Palette, Sparse];

    public static IEncoding Find(string id) => All.First(e => e.Id == id);
}

/// <summary>What encodings that restore the whole weight have in common: the place of the restoring nodes.</summary>
internal static class RestoredWeight
{
    /// <summary>Where nodes that restore the weight go: before its Constant node, or at the start of the graph that stores it.</summary>
    public static Node? Spot(Site site) => site.Weight.Producer ?? site.Weight.Graph.Nodes.First;

    /// <summary>Lets every reader read <paramref name="restored"/> and drops what stored the weight before.</summary>
    public static void Replace(Site site, Value restored)
    {
        var weight = site.Weight;
        weight.ReplaceAllUses(restored);
        if (weight.Producer is { } constant) constant.Graph.Remove(constant);
        else weight.Graph.RemoveInitializer(weight);
    }

    /// <summary>The weight of a matrix product as [K, N] with the scales on N, whatever transB says; the node is changed to match.</summary>
    public static Quantized AsKN(Quantized weight, Node node)
    {
        if (!node.Is("Gemm") || node.Int("transB", 0) == 0) return weight;
        return weight.Transposed();
    }
}
