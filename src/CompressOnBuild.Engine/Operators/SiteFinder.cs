using CompressOnBuild.Onnx;

namespace CompressOnBuild.Operators;

/// <summary>
/// Finds the weights of a model: initializers (also those that are inputs too), Constant nodes, in the main graph and in every body,
/// read where they stand or captured from an outer scope.
/// </summary>
internal static class SiteFinder
{
    /// <summary>All weights in the order in which the graphs hold them, the same order and names for a clone.</summary>
    public static IReadOnlyList<Site> Find(Model model)
    {
        var sites = new List<Site>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        // A weight that a graph shows as its output belongs to the model's surface: name and values stay.
        var shown = model.Graphs().SelectMany(g => g.Outputs).ToHashSet();
        foreach (var graph in model.Graphs())
        {
            foreach (var value in graph.Initializers) Add(value);
            foreach (var node in graph.Nodes)
                if (node.Is("Constant") && node.Output(0) is { } value) Add(value);
        }
        return sites;

        void Add(Value value)
        {
            if (value.Constant is not { } tensor || !tensor.ElementType.IsFloat() || tensor.Count < 2) return;
            SiteUse[] uses = [.. value.Uses.Select(u => new SiteUse(u.Node, u.Index, OperatorTable.Find(u.Node, u.Index)))];
            var first = uses.FirstOrDefault(u => u.Operator is not null);
            if (first is null || tensor.Rank < 2 || shown.Contains(value)) return;
            // From IR version 4 on, an initializer that is an input too is a default that a caller may replace.
            if (model.IrVersion >= 4 && value.IsGraphInput) return;
            var axes = first.Operator!.ChannelAxes(first.Node, tensor.Rank);
            if (axes.Any(a => a < 0 || a >= tensor.Rank)) return; // no valid model: the runtime says so
            var name = value.Name;
            for (var i = 2; !names.Add(name); i++) name = $"{value.Name}#{i}";
            sites.Add(new Site(name, value, tensor, uses, axes));
        }
    }
}
