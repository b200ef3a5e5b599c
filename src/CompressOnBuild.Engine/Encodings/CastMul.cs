using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Encodings;

/// <summary>
/// Integer codes, Cast to float, Mul by the scales: ordinary operators on constants, which ONNX Runtime computes once at load.
/// The model is small on disk and runs at float speed, for any operator and from operator set 7 on. (A DequantizeLinear in this
/// place would run at every call: the runtime never folds it.)
/// </summary>
internal sealed class CastMul : IEncoding
{
    public string Id => "cast-mul";

    public string? Refuses(Site site, int opset) =>
        site.Tensor.ElementType != ElementType.Float ? $"the weight is {site.Tensor.ElementType}, and only Float is restored by Cast and Mul" : null;

    public void Write(IReadOnlyList<EncodedSite> sites)
    {
        foreach (var (site, weight) in sites)
        {
            var graph = site.Weight.Graph;
            var spot = RestoredWeight.Spot(site);
            var codes = graph.AddInitializer("w", Tensor.Create(weight.Codes, weight.Shape));
            var scales = graph.AddInitializer("s", Tensor.Create(weight.Scales, weight.ScaleShape));
            var cast = graph.Insert(spot, "Cast", "c", [codes], [NodeAttribute.Int("to", (int)ElementType.Float)]);
            var mul = graph.Insert(spot, "Mul", "r", [cast.Output(0), scales]);
            RestoredWeight.Replace(site, mul.Output(0)!);
        }
    }
}
