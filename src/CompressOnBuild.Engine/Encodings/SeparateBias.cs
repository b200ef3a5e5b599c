using CompressOnBuild.Onnx;

namespace CompressOnBuild.Encodings;

/// <summary>
/// Keeps a matrix product and its bias two nodes. ONNX Runtime makes a Gemm of MatMul and Add before it looks for integer kernels, and has
/// none for a Gemm with a float bias (QGemm wants it as integers in the scale of activations times weights; MatMulNBits wants a vector).
/// So the negated bias is subtracted: exactly the same sum, and never made a Gemm.
/// </summary>
internal static class SeparateBias
{
    /// <summary>Makes MatMul and Sub of a Gemm (alpha = beta = 1, nothing transposed) or of a MatMul with an Add behind it. Returns the product.</summary>
    public static Node Of(Node product)
    {
        var graph = product.Graph;
        if (product.Is("Gemm"))
        {
            var output = product.Output(0)!;
            var matmul = graph.Insert(product, "MatMul", "m", [product.Input(0), product.Input(1)]);
            (product.Input(2) is { } bias ? Subtract(product, matmul.Output(0)!, bias) : matmul).SetOutput(0, output);
            graph.Remove(product);
            return matmul;
        }
        if (AddBehind(product) is not { } use) return product;
        var sum = use.Node.Output(0)!;
        Subtract(use.Node, product.Output(0)!, use.Node.Input(1 - use.Index)!).SetOutput(0, sum);
        graph.Remove(use.Node);
        return product;
    }

    /// <summary>The bias of a Gemm, or what the Add behind a MatMul adds; null without one.</summary>
    public static Value? BiasOf(Node product) => product.Is("Gemm") ? product.Input(2) : AddBehind(product) is { } use ? use.Node.Input(1 - use.Index) : null;

    /// <summary>Where an Add that alone reads the product reads it; null where there is none.</summary>
    public static Use? AddBehind(Node product) =>
        product.Output(0) is { Uses: [var use], IsGraphOutput: false } && use.Node.Is("Add") && use.Node.Graph == product.Graph ? use : null;

    private static Node Subtract(Node before, Value product, Value bias)
    {
        var graph = before.Graph;
        var negated = bias.Constant is { ElementType: ElementType.Float } tensor
            ? graph.AddInitializer("b", Tensor.Create(Array.ConvertAll(tensor.ToFloats(), b => -b), [.. tensor.Shape]))
            : graph.Insert(before, "Neg", "n", [bias]).Output(0);
        return graph.Insert(before, "Sub", "a", [product, negated]);
    }
}
