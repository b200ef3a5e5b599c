using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Restructuring;

/// <summary>
/// Writes a factored weight: a chain of nodes of the same operator in place of one. What the node did to positions (strides, pads, dilations) stays where the kernel is.
/// </summary>
internal static class FactorWriter
{
    /// <summary>Replaces the weight of <paramref name="site"/>; returns the names of the new weights.</summary>
    public static IReadOnlyList<string> Write(Site site, FactorForm form, int rank, int inputRank, Factors factors)
    {
        var node = site.SingleNode!;
        var names = node.Is("Conv") ? Convolutions(site, node, form, rank, inputRank, factors) : Products(site, node, rank, factors);
        if (factors.BiasChange is { } change && LayerMatrix.BiasOf(site) is { } bias) Move(bias, change);
        return names;
    }

    private static string[] Products(Site site, Node node, int rank, Factors factors)
    {
        var (graph, stem) = (node.Graph, site.Weight.Name);
        var (n, k) = (factors.Matrices[1].Length / rank, factors.Matrices[0].Length / rank);
        var first = graph.AddInitializer($"{stem}_a", Floats(Dense.Transpose(factors.Matrices[0], rank, k), k, rank));
        var second = graph.AddInitializer($"{stem}_b", Floats(Dense.Transpose(factors.Matrices[1], n, rank), rank, n));
        var between = graph.Insert(node, "MatMul", stem, [node.Input(0), first]).Output(0);
        node.SetInput(0, between);
        node.SetInput(1, second);
        node.RemoveAttribute("transB");
        return [first.Name, second.Name];
    }

    private static string[] Convolutions(Site site, Node node, FactorForm form, int rank, int inputRank, Factors factors)
    {
        long[] kernel = [.. site.Tensor.Shape[2..]];
        long[] one = [.. kernel.Select(_ => 1L)];
        var (c, n) = (site.Tensor.Shape[1], site.Tensor.Shape[0]);
        // The node itself becomes the last: it keeps its output and its bias. Moved copies of its attributes stand where the kernel is.
        var names = new List<string>();
        var given = node.Attributes.ToArray();
        switch (form)
        {
            case FactorForm.Svd:
                Before(factors.Matrices[0], [rank, c, .. kernel], given);
                Last(factors.Matrices[1], [n, rank, .. one], null);
                break;
            case FactorForm.Input:
                Before(factors.Matrices[0], [rank, c, .. one], []);
                Last(factors.Matrices[1], [n, rank, .. kernel], given);
                break;
            case FactorForm.Tucker:
                Before(factors.Matrices[0], [inputRank, c, .. one], []);
                Before(factors.Matrices[1], [rank, inputRank, .. kernel], given);
                Last(factors.Matrices[2], [n, rank, .. one], null);
                break;
            default:
                Before(factors.Matrices[0], [rank, c, kernel[0], 1], Along(node, 0));
                Last(factors.Matrices[1], [n, rank, 1, kernel[1]], Along(node, 1));
                break;
        }
        return [.. names];

        void Before(double[] matrix, long[] shape, NodeAttribute[] attributes)
        {
            var weight = Weight(matrix, shape);
            var made = node.Graph.Insert(node, "Conv", site.Weight.Name, [node.Input(0), weight], attributes.Where(a => a.Name != "kernel_shape"));
            made.SetAttribute(NodeAttribute.Ints("kernel_shape", shape[2..]));
            node.SetInput(0, made.Output(0));
        }

        void Last(double[] matrix, long[] shape, NodeAttribute[]? attributes)
        {
            if (attributes != given)
            {
                foreach (var attribute in given) node.RemoveAttribute(attribute.Name);
                foreach (var attribute in attributes ?? []) node.SetAttribute(attribute);
            }
            node.SetAttribute(NodeAttribute.Ints("kernel_shape", shape[2..]));
            node.SetInput(1, Weight(matrix, shape));
        }

        Value Weight(double[] matrix, long[] shape)
        {
            var value = node.Graph.AddInitializer($"{site.Weight.Name}_{(char)('a' + names.Count)}", Floats(matrix, shape));
            names.Add(value.Name);
            return value;
        }
    }

    /// <summary>What a 2-D convolution does along one axis, and nothing along the other.</summary>
    private static NodeAttribute[] Along(Node node, int axis)
    {
        var result = new List<NodeAttribute>();
        if (node.String("auto_pad", "NOTSET") is var pad && pad != "NOTSET") result.Add(NodeAttribute.String("auto_pad", pad));
        long[] Of(string name, long absent) => [axis == 0 ? node.Ints(name)?[0] ?? absent : absent, axis == 1 ? node.Ints(name)?[1] ?? absent : absent];
        if (node.Ints("strides") is not null) result.Add(NodeAttribute.Ints("strides", Of("strides", 1)));
        if (node.Ints("dilations") is not null) result.Add(NodeAttribute.Ints("dilations", Of("dilations", 1)));
        if (node.Ints("pads") is { Length: 4 } pads) result.Add(NodeAttribute.Ints("pads", axis == 0 ? [pads[0], 0, pads[2], 0] : [0, pads[1], 0, pads[3]]));
        return [.. result];
    }

    private static void Move(Use bias, double[] change)
    {
        var old = bias.Node.Input(bias.Index)?.Constant?.ToFloats() ?? new float[change.Length];
        bias.Node.SetInput(bias.Index, bias.Node.Graph.AddInitializer("bias", Tensor.Create(Array.ConvertAll([.. old.Zip(change, (b, c) => b + c)], v => (float)v), change.Length)));
    }

    private static Tensor Floats(double[] matrix, params long[] shape) => Tensor.Create(Array.ConvertAll(matrix, v => (float)v), shape);
}
