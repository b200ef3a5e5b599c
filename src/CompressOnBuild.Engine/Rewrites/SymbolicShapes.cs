using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>A length: <paramref name="Number"/>, or, where <paramref name="Of"/> is given, that of axis <paramref name="Axis"/> of a value, known only at run time.</summary>
internal readonly record struct Extent(long Number, Value? Of = null, int Axis = 0);

/// <summary>
/// Shapes whose unknown lengths have a name, so that two of them can be shown to be equal: exporters of dynamic batches compute the shape of a value from
/// that of an input (Shape, Slice, Concat), and what they do with it may change nothing. Follows <see cref="ShapeFacts"/>; where it does not know the rank, neither
/// is known here but for Reshape.
/// </summary>
internal sealed class SymbolicShapes(ShapeFacts facts)
{
    private readonly Dictionary<Value, Extent[]?> shapes = [];

    /// <summary>The shape of a value; null where its rank is not certain.</summary>
    public Extent[]? ShapeOf(Value value)
    {
        if (shapes.TryGetValue(value, out var known)) return known;
        shapes[value] = null; // bodies of loops: what asks for itself is not known
        return shapes[value] = Computed(value);
    }

    /// <summary>The elements of a vector (or scalar) of integers, null for those that are not known; null where not even their number is.</summary>
    public Extent?[]? ElementsOf(Value value)
    {
        if (value.Fixed() is { } tensor)
            return tensor.Rank <= 1 && tensor.ElementType is ElementType.Int64 or ElementType.Int32 ? [.. tensor.ToLongs().Select(n => (Extent?)new Extent(n))] : null;
        return Elements(value) ?? (facts.StaticOf(value) is { Length: <= 1 } s && (s.Length == 0 ? 1 : s[0]) is >= 0 and <= 64 and var count ? new Extent?[count] : null);
    }

    private Extent[]? Computed(Value value)
    {
        var node = value.Producer is { Domain: "" } producer && value.OutputIndex == 0 ? producer : null;
        if (node is not null && node.Is("Reshape") && node.Input(0) is { } input && node.Input(1) is { } target && ElementsOf(target) is { } elements
            && node.Int("allowzero", 0) == 0 && Reshaped(ShapeOf(input), elements) is { } shape) return shape;
        if (node?.OpType is "Cast" or "Identity" && ShapeOf(node.Input(0)!) is { } same) return same;
        return facts.Of(value) is { } dims ? [.. dims.Select((d, i) => d == ShapeFacts.Unknown ? new Extent(0, value, i) : new Extent(d))] : null;
    }

    /// <summary>What Reshape makes of <paramref name="from"/>: 0 copies, -1 is what is left over.</summary>
    private static Extent[]? Reshaped(Extent[]? from, Extent?[] elements)
    {
        if (elements.Any(e => e is null)) return null;
        var to = elements.Select(e => e!.Value).ToArray();
        for (var i = 0; i < to.Length; i++)
            if (to[i] == new Extent(0))
            {
                if (from is null || i >= from.Length) return null;
                to[i] = from[i];
            }
        var open = Array.IndexOf(to, new Extent(-1));
        if (open < 0) return to;
        if (from is null) return null;
        // Named lengths cancel; what stays is a number, or one name.
        var names = from.Where(e => e.Of is not null).ToList();
        foreach (var e in to)
            if (e.Of is not null && !names.Remove(e)) return null;
        long all = Product(from), others = Product(to.Where((_, i) => i != open));
        if (others <= 0 || all % others != 0) return null;
        if (names.Count == 0) to[open] = new Extent(all / others);
        else if (names.Count == 1 && all == others) to[open] = names[0];
        else return null;
        return to;

        static long Product(IEnumerable<Extent> extents) => extents.Where(e => e.Of is null).Aggregate(1L, (a, e) => a * e.Number);
    }

    private Extent?[]? Elements(Value value)
    {
        if (value.Producer is not { Domain: "" } node || node.Input(0) is not { } input) return null;
        switch (node.OpType)
        {
            case "Shape":
                return node.Attributes.Count == 0 && ShapeOf(input) is { } shape ? [.. shape.Select(e => (Extent?)e)] : null;
            case "Cast":
                return (ElementType)node.Int("to", 0) is ElementType.Int64 or ElementType.Int32 ? ElementsOf(input) : null;
            case "Identity":
                return ElementsOf(input);
            case "Squeeze" or "Unsqueeze":
                return ElementsOf(input) is [var one] && facts.Of(value) is { Length: <= 1 } ? [one] : null;
            case "Concat":
                var parts = node.Inputs.Select(i => i is null ? null : ElementsOf(i)).ToArray();
                return Array.TrueForAll(parts, p => p is not null) ? [.. parts.SelectMany(p => p!)] : null;
            case "Gather":
                return node.Int("axis", 0) == 0 && ElementsOf(input) is { } from && node.Input(1).Fixed() is { Rank: <= 1 } picked && picked.ToLongs() is var at
                    && Array.TrueForAll(at, a => a >= -from.Length && a < from.Length) ? [.. at.Select(a => from[a < 0 ? a + from.Length : a])] : null;
            case "Slice":
                return ElementsOf(input) is { } whole && node.Input(1).Fixed() is { Count: 1 } start && node.Input(2).Fixed() is { Count: 1 } end
                    && (node.Input(4) is null || node.Input(4).Fixed() is { Count: 1 } step && step.ToLongs()[0] == 1) ? Part(whole, start.ToLongs()[0], end.ToLongs()[0]) : null;
            default:
                return null;
        }
    }

    private static Extent?[] Part(Extent?[] whole, long start, long end)
    {
        long Inside(long at) => Math.Clamp(at < 0 ? at + whole.Length : at, 0, whole.Length);
        return Inside(start) < Inside(end) ? whole[(int)Inside(start)..(int)Inside(end)] : [];
    }
}
