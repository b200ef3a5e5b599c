using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Encodings;

/// <summary>
/// An embedding table as integers: Gather on the codes and on the scales of the rows, then Cast and Mul of the few rows that were
/// asked for. (DequantizeLinear before the Gather would restore the whole table at every run.)
/// </summary>
internal sealed class GatherRows : IEncoding
{
    public string Id => "gather";

    public string? Refuses(Site site, int opset)
    {
        if (site.Tensor.ElementType != ElementType.Float) return $"the table is {site.Tensor.ElementType}";
        if (site.Operator is not { Role: WeightRole.Lookup }) return "only a table read by Gather";
        if (site.Uses.Any(u => site.Operator.ChannelAxes(u.Node, site.Tensor.Rank) is not [0])) return "Gather reads another axis than the rows";
        return null;
    }

    public void Write(IReadOnlyList<EncodedSite> sites)
    {
        foreach (var encoded in sites)
        {
            var (site, weight) = (encoded.Site, encoded.Integers);
            var graph = site.Weight.Graph;
            var codes = graph.AddInitializer("w", Tensor.Create(weight.Codes, weight.Shape));
            var scales = graph.AddInitializer("s", Tensor.Create(weight.Scales, weight.ScaleShape));
            foreach (var use in site.Uses)
            {
                var node = use.Node;
                var rows = node.Graph.Insert(node, "Gather", "g", [codes, node.Input(1)], [NodeAttribute.Int("axis", 0)]);
                var rowScales = node.Graph.Insert(node, "Gather", "t", [scales, node.Input(1)], [NodeAttribute.Int("axis", 0)]);
                var cast = node.Graph.Insert(node, "Cast", "c", [rows.Output(0)], [NodeAttribute.Int("to", (int)ElementType.Float)]);
                var mul = node.Graph.Insert(node, "Mul", "r", [cast.Output(0), rowScales.Output(0)]);
                mul.SetOutput(0, node.Output(0)!);
                node.Graph.Remove(node);
            }
            if (site.Weight.Producer is { } constant) constant.Graph.Remove(constant);
            else graph.RemoveInitializer(site.Weight);
        }
    }
}
