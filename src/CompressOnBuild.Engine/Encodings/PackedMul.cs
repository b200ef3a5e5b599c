using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Encodings;

/// <summary>
/// Codes of 2 to 7 bits packed in bytes (<see cref="BitPlanes"/>): Cast, Gather from a table of bytes, Reshape for each plane, Add of the planes,
/// Mul by the scales. All are ordinary operators on constants, which ONNX Runtime computes once at load, from operator set 7 on: the model is
/// small on disk and runs at float speed. (The types int4 and int2 of ONNX need operator sets 21 and 25, and no width between them exists.)
/// </summary>
internal sealed class PackedMul : IEncoding
{
    public string Id => "packed-mul";

    public string? Refuses(Site site, int opset) =>
        site.Tensor.ElementType != ElementType.Float ? $"the weight is {site.Tensor.ElementType}, and only Float is restored by Gather and Mul"
        : site.Tensor.Count % BitPlanes.Alignment != 0 ? $"its {site.Tensor.Count} elements do not fill whole bytes (a multiple of {BitPlanes.Alignment} would)" : null;

    public void Write(IReadOnlyList<EncodedSite> sites)
    {
        // One table for all weights of the same width, where every body sees it.
        var tables = new Dictionary<(int Bits, BitPlane Plane), Value>();
        foreach (var (site, weight) in sites)
        {
            var graph = site.Weight.Graph;
            var spot = RestoredWeight.Spot(site);
            var shape = graph.AddInitializer("d", Tensor.Create(weight.Shape, weight.Shape.Length));
            Value? codes = null;
            foreach (var plane in BitPlanes.Of(weight.Bits))
            {
                if (!tables.TryGetValue((weight.Bits, plane), out var table))
                    tables.Add((weight.Bits, plane), table = graph.Model.Graph.AddInitializer("t", Tensor.Create(BitPlanes.Table(weight.Bits, plane), 256, plane.CodesPerByte)));
                var packed = BitPlanes.Pack(weight.Codes, weight.Bits, plane);
                var bytes = graph.AddInitializer("w", Tensor.Create(packed, packed.Length));
                var rows = graph.Insert(spot, "Cast", "c", [bytes], [NodeAttribute.Int("to", (int)ElementType.Int32)]).Output(0);
                var parts = graph.Insert(spot, "Gather", "g", [table, rows]).Output(0);
                var part = graph.Insert(spot, "Reshape", "p", [parts, shape]).Output(0)!;
                codes = codes is null ? part : graph.Insert(spot, "Add", "a", [codes, part]).Output(0);
            }
            var scales = graph.AddInitializer("s", Tensor.Create(weight.Scales, weight.ScaleShape));
            RestoredWeight.Replace(site, graph.Insert(spot, "Mul", "r", [codes, scales]).Output(0)!);
        }
    }
}
