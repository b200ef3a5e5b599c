using CompressOnBuild.Onnx;

namespace CompressOnBuild.Operators;

/// <summary>A float constant large enough to matter that nobody can compress, with the types of the operators that read it, and why.</summary>
internal sealed record UnmatchedWeight(string Name, Tensor Tensor, string Readers, string Because);

/// <summary>
/// Finds the weights of a model: initializers (also those that are inputs too), Constant nodes, in the main graph and in every body,
/// read where they stand or captured from an outer scope. One stored in 16-bit floats behind a Cast to 32 is found as what the Cast gives.
/// </summary>
internal static class SiteFinder
{
    // Below, the scales of a weight would take more than its codes save, whoever reads it.
    private const int LeastBytes = 1024;

    /// <summary>All weights in the order in which the graphs hold them, the same order and names for a clone.</summary>
    public static IReadOnlyList<Site> Find(Model model) => Search(model).Sites;

    /// <summary>
    /// Every other float constant of rank 2 or more and 1 KB or more that somebody reads or the model shows: with the sites, all there is
    /// to compress.
    /// </summary>
    public static IReadOnlyList<UnmatchedWeight> Unmatched(Model model)
    {
        var (_, names, others) = Search(model);
        return [.. others.Select(o => new UnmatchedWeight(NewName(o.Value.Name, names), o.Value.Constant!, Readers(o.Value), o.Because))];
    }

    /// <summary>
    /// The weights that are integers already, whoever made them so (DequantizeLinear, QLinear and Integer operators, MatMulNBits, codes that are restored at
    /// load): they are kept, because rounding what was rounded only adds error.
    /// </summary>
    public static IReadOnlyList<UnmatchedWeight> Integers(Model model)
    {
        var found = model.Graphs().SelectMany(g => g.Initializers.Concat(g.Nodes.Where(n => n.Is("Constant")).Select(n => n.Output(0)).OfType<Value>()))
            .Where(v => v.Constant is { } t && t.ElementType.Bits() is > 0 and <= 8 && t.ElementType != ElementType.Bool && t.ByteCount >= LeastBytes && v.Uses.Count > 0);
        return [.. found.Select(v => new UnmatchedWeight(v.Name, v.Constant!, Readers(v), $"stored as {v.Constant!.ElementType} already and read by {Readers(v)}: rounding it again would only add error"))];
    }

    private static string Readers(Value value) => value.Uses.Count == 0 ? "output"
        : string.Join(", ", value.Uses.Select(u => u.Node.OpType).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));

    private static (List<Site> Sites, HashSet<string> Names, List<(Value Value, string Because)> Others) Search(Model model)
    {
        var sites = new List<Site>();
        var others = new List<(Value Value, string Because)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        // A weight that a graph shows as its output belongs to the model's surface: name and values stay.
        var shown = model.Graphs().SelectMany(g => g.Outputs).ToHashSet();
        foreach (var graph in model.Graphs())
        {
            foreach (var value in graph.Initializers) Add(value);
            foreach (var node in graph.Nodes)
                if (node.Is("Constant") && node.Output(0) is { } value) Add(value);
        }
        return (sites, names, others);

        void Add(Value value)
        {
            if (value.Constant is not { } tensor || !tensor.ElementType.IsFloat() || tensor.Count < 2) return;
            var stored = tensor.ByteCount;
            if (tensor.ElementType is ElementType.Float16 or ElementType.BFloat16 && value.Uses is [var cast] && cast.Node.Is("Cast") && cast.Node.Int("to", 0) == (int)ElementType.Float
                && cast.Node.Graph == value.Graph && cast.Node.Output(0) is { } wide && !shown.Contains(value) && !(model.IrVersion >= 4 && value.IsGraphInput))
                (value, tensor) = (wide, Tensor.Create(tensor.ToFloats(), [.. tensor.Shape]));
            SiteUse[] uses = [.. value.Uses.Select(u => new SiteUse(u.Node, u.Index, OperatorTable.Find(u.Node, u.Index)))];
            var first = uses.FirstOrDefault(u => u.Operator is not null);
            if (tensor.Rank < 2) return;
            // From IR version 4 on, an initializer that is an input too is a default that a caller may replace.
            var left = shown.Contains(value) ? "the graph shows it as an output, whose values stay"
                : model.IrVersion >= 4 && value.IsGraphInput ? "it is an input of the graph too, which a caller may replace"
                : first is null ? "no operator that reads it has a compressed form for it" : null;
            if (left is not null && tensor.ByteCount >= LeastBytes && (uses.Length > 0 || shown.Contains(value))) others.Add((value, left));
            if (left is not null) return;
            var axes = first!.Operator!.ChannelAxes(first.Node, tensor.Rank);
            if (axes.Any(a => a < 0 || a >= tensor.Rank)) return; // no valid model: the runtime says so
            sites.Add(new Site(NewName(value.Name, names), value, tensor, uses, axes, stored));
        }
    }

    private static string NewName(string stem, HashSet<string> names)
    {
        var name = stem;
        for (var i = 2; !names.Add(name); i++) name = $"{stem}#{i}";
        return name;
    }
}
