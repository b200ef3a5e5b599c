using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Encodings;

/// <summary>
/// A smaller weight and the ordinary operators that restore it from constants, which ONNX Runtime computes once at load: the model is small
/// on disk and runs at float speed, for any operator. (A DequantizeLinear in this place would run at every call: the runtime never folds
/// it; and the types int4 and int2 of ONNX need operator sets 21 and 25, and no width between them exists.) Every kind of weight has a step
/// of its own (<see cref="RestoringNodes"/>); the ids say what the outermost of them is.
/// </summary>
internal sealed class RestoredAtLoad(string id, int lowestOpset = 1, string? newest = null) : IEncoding
{
    public string Id => id;

    public string? Refuses(Site site, int opset) =>
        site.Tensor.ElementType is not (ElementType.Float or ElementType.Float16) ? $"the weight is {site.Tensor.ElementType}, and only Float and Float16 are restored at load"
        : opset < lowestOpset ? $"{newest} needs operator set {lowestOpset}, the model has {opset}" : null;

    public void Write(IReadOnlyList<EncodedSite> sites) => WriteAll(sites);

    /// <summary>Writes weights of any kind; what they share is stored once.</summary>
    public static void WriteAll(IReadOnlyList<EncodedSite> sites)
    {
        var tables = new RestoringTables();
        foreach (var (site, weight) in sites)
        {
            var (graph, spot) = (site.Weight.Graph, RestoredWeight.Spot(site));
            var restored = new RestoringNodes(graph, spot, tables).Restore(weight);
            // A model that computes in 16 bits reads its weights in 16 bits.
            if (site.Tensor.ElementType == ElementType.Float16) restored = graph.Insert(spot, "Cast", "c", [restored], [NodeAttribute.Int("to", (int)ElementType.Float16)]).Output(0)!;
            RestoredWeight.Replace(site, restored);
        }
    }
}
