using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// A one-hot vector times a matrix is one of its rows: what an exporter writes as Equal(ids, 0..K-1) x W becomes Gather(W, ids), an embedding, which
/// reads M numbers where the product multiplies K x M. Ids outside of 0..K-1 have no one in their vector: they read a row of zeros that is appended.
/// Legal when
/// - W [K, M] is a constant of finite floats;
/// - the other operand is Cast to W's type of Equal of integers (int32, int64) with the constant 0..K-1 along its last axis;
/// - the ids end in an axis of length 1, which alone is widened to K, by Equal itself or by an Expand whose target has the ids' other lengths
///   (<see cref="SymbolicShapes"/>);
/// - the operator set is 13 or later (Clip on integers, axes as an input).
/// </summary>
internal sealed class OneHotLookup : IRewrite
{
    private const int LowestOpset = 13;

    public string Name => "look-up-one-hot";

    public string Describe(int count) => $"wrote {count} products with one-hot vectors as look-ups";

    public int Apply(Model model)
    {
        if (model.Opset() < LowestOpset) return 0;
        var symbols = new SymbolicShapes(ShapeFacts.Of(model));
        var changed = 0;
        foreach (var graph in model.Graphs())
            foreach (var node in graph.Nodes)
                if (node.Is("MatMul") && TryWrite(node, symbols)) changed++;
        if (changed > 0) model.Graph.RemoveUnused();
        return changed;
    }

    private static bool TryWrite(Node product, SymbolicShapes symbols)
    {
        if (product.Input(1) is not { } weight || weight.Fixed() is not { Rank: 2 } matrix || !matrix.IsComputable()) return false;
        long k = matrix.Shape[0], m = matrix.Shape[1];
        if (product.Input(0)?.Producer is not { OpType: "Cast", Domain: "" } cast || (ElementType)cast.Int("to", 0) != matrix.ElementType) return false;
        if (cast.Input(0)?.Producer is not { OpType: "Equal", Domain: "" } equal || Ids(equal, k, symbols) is not var (ids, type)) return false;
        if (!Array.TrueForAll(matrix.ToDoubles(), double.IsFinite)) return false;

        var graph = product.Graph;
        var stem = product.Output(0)!.Name;
        // -1 is the last row, and so is K: there the zeros are.
        Value Scalar(string name, long number) => graph.AddInitializer($"{stem}_{name}", type == ElementType.Int32 ? Tensor.Scalar((int)number) : Tensor.Scalar(number));
        var row = graph.Insert(product, "Clip", $"{stem}_row", [ids, Scalar("first", -1), Scalar("last", k)]).Output(0)!;
        var table = ConstantValues.FromDoubles([.. matrix.ToDoubles(), .. new double[m]], matrix.ElementType, k + 1, m)!;
        var rows = weight.Uses.Count == 1 && weight.Initializer is not null && !weight.IsGraphOutput ? weight : graph.AddInitializer($"{weight.Name}_rows", table);
        rows.SetConstant(table);
        var flat = graph.Insert(product, "Squeeze", $"{stem}_ids", [row, graph.AddInitializer($"{stem}_axis", Tensor.Create([-1L], 1))]).Output(0)!;
        var lookup = graph.Insert(product, "Gather", stem, [rows, flat], [NodeAttribute.Int("axis", 0)]);
        var output = product.Output(0)!;
        product.SetOutput(0, graph.NewValue(stem));
        lookup.SetOutput(0, output);
        graph.Remove(product);
        return true;
    }

    /// <summary>The integers [..., 1] whose one-hot vectors of length <paramref name="k"/> the node computes.</summary>
    private static (Value Ids, ElementType Type)? Ids(Node equal, long k, SymbolicShapes symbols)
    {
        foreach (var (left, right) in new[] { (equal.Input(0), equal.Input(1)), (equal.Input(1), equal.Input(0)) })
        {
            if (left is null || right.Fixed() is not { ElementType: ElementType.Int32 or ElementType.Int64, Rank: > 0 } numbers || numbers.Shape[^1] != k) continue;
            if (numbers.Count != k || !numbers.ToLongs().SequenceEqual(Enumerable.Range(0, (int)k).Select(i => (long)i))) continue;
            var ids = left;
            if (left.Producer is { OpType: "Expand", Domain: "" } expand)
            {
                ids = expand.Input(0)!;
                if (symbols.ShapeOf(ids) is not { } narrow || symbols.ElementsOf(expand.Input(1)!) is not { } wide || narrow.Length != wide.Length) continue;
                if (wide[^1] != new Extent(k) || !narrow[..^1].Select(e => (Extent?)e).SequenceEqual(wide[..^1])) continue;
            }
            // The constant must add no axis of its own.
            if (symbols.ShapeOf(ids) is not { } shape || shape.Length < numbers.Rank || shape.Length < 2 || shape[^1] != new Extent(1)) continue;
            return (ids, numbers.ElementType);
        }
        return null;
    }
}
