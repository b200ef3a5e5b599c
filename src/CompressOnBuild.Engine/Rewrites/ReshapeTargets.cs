using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Writes the target of a Reshape as a constant where the model computes it: exporters of dynamic batches ask an input for its shape (Shape, Slice,
/// Concat) and say again what the number of elements says already.
/// Legal when
/// - every element of the target is a positive number, but for one that is not known (written as -1: Reshape keeps the number of elements, so that it follows), or for
///   some that equal the length of the input's axis at the same place (written as 0; <see cref="SymbolicShapes"/>);
/// - allowzero is 0.
/// </summary>
internal sealed class ReshapeTargets : IRewrite
{
    public string Name => "fix-reshape-targets";

    public string Describe(int count) => $"wrote {count} computed shapes as constants";

    public int Apply(Model model)
    {
        var symbols = new SymbolicShapes(ShapeFacts.Of(model));
        var changed = 0;
        foreach (var graph in model.Graphs())
            foreach (var node in graph.Nodes)
            {
                if (!node.Is("Reshape") || node.Int("allowzero", 0) != 0 || node.Input(1) is not { } target || target.Constant is not null) continue;
                if (Written(symbols, node.Input(0)!, target) is not { } shape) continue;
                node.SetInput(1, graph.AddInitializer($"{node.Output(0)}_shape", Tensor.Create(shape, shape.Length)));
                changed++;
            }
        if (changed > 0) model.Graph.RemoveUnused();
        return changed;
    }

    private static long[]? Written(SymbolicShapes symbols, Value input, Value target)
    {
        if (symbols.ElementsOf(target) is not { } elements) return null;
        var from = symbols.ShapeOf(input);
        var shape = new long[elements.Length];
        for (var i = 0; i < shape.Length; i++)
        {
            shape[i] = elements[i] switch
            {
                { Of: null, Number: > 0 and var number } => number,
                { Of: null } => 0,
                { } named when elements.Count(e => e is not { Of: null }) > 1 && from is not null && i < from.Length && from[i] == named => 0,
                _ => -1,
            };
            if (shape[i] == 0 && elements[i] is { Of: null }) return null;
        }
        // ONNX Runtime divides by the product of the others to find -1, and a copied length may be 0.
        return shape.Count(d => d == -1) switch { 0 => shape, 1 when !shape.Contains(0) => shape, _ => null };
    }
}
