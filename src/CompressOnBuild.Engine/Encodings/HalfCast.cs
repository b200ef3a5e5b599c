using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Encodings;

/// <summary>16-bit floats, Cast to 32 bits at load: half the bytes, float speed. (Computing in fp16 is slower on processors without it.)</summary>
internal static class HalfCast
{
    /// <summary>Stable name in plans and reports.</summary>
    public const string Id = "fp16-cast";

    public static void Write(Site site, HalfWeight weight)
    {
        var graph = site.Weight.Graph;
        var halves = graph.AddInitializer("w", Tensor.Create(weight.Values, weight.Shape));
        var cast = graph.Insert(RestoredWeight.Spot(site), "Cast", "r", [halves], [NodeAttribute.Int("to", (int)ElementType.Float)]);
        RestoredWeight.Replace(site, cast.Output(0)!);
    }
}
