using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Encodings;

/// <summary>A quantized weight and the place it came from, in the model that is being written.</summary>
internal sealed record EncodedSite(Site Site, Quantized Weight);

/// <summary>How a quantized weight is spelled in ONNX. What a form needs of model and runtime is said by <see cref="Refuses"/>.</summary>
internal interface IEncoding
{
    /// <summary>Stable name in plans, locks and reports.</summary>
    string Id { get; }

    /// <summary>Null when the weight can be written this way at this operator set, else the reason why not.</summary>
    string? Refuses(Site site, int opset);

    /// <summary>Rewrites the model so that these weights are stored as integers; sites of one node come together.</summary>
    void Write(IReadOnlyList<EncodedSite> sites);
}

/// <summary>The encodings by name.</summary>
internal static class EncodingTable
{
    public static CastMul CastMul { get; } = new();
    public static PackedMul PackedMul { get; } = new();
    public static WeightDequantize Static { get; } = new("qdq");
    public static MatMulDequantize MatMulDequantize { get; } = new();
    public static DynamicMatMul DynamicMatMul { get; } = new();
    public static DynamicLstm DynamicLstm { get; } = new();
    public static GatherRows GatherRows { get; } = new();

    public static IReadOnlyList<IEncoding> All { get; } = [Static, DynamicMatMul, DynamicLstm, MatMulDequantize, GatherRows, CastMul, PackedMul];

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
