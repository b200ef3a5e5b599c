using CompressOnBuild.Onnx;

namespace CompressOnBuild.Planning;

/// <summary>Groups of static weights whose integer nodes hand integers to each other.</summary>
internal static class Islands
{
    /// <summary>The names of the sites of each island, in graph order.</summary>
    public static IReadOnlyList<IReadOnlyList<string>> Find(Planner planner, IReadOnlyList<WeightDecision> decisions)
    {
        var statics = decisions.Where(d => d.Form == WeightForm.Static).Select(d => d.Site).ToHashSet(StringComparer.Ordinal);
        var region = planner.Region(statics);
        var nodes = region.Integers.ToHashSet();
        var leader = region.Integers.ToDictionary(n => n, n => n);
        foreach (var value in region.Values.Where(v => v.FromInteger))
        {
            // The value comes from the node itself or through the activation that was absorbed.
            var source = value.Activation is null ? value.Value.Producer! : value.Activation.Input(0)!.Producer!;
            if (!nodes.Contains(source)) continue;
            foreach (var use in value.Value.Uses) if (nodes.Contains(use.Node)) Join(source, use.Node);
        }
        // A weight of several nodes goes with all of them.
        var sites = planner.Sites.Where(s => statics.Contains(s.Name)).ToArray();
        foreach (var site in sites) foreach (var use in site.Uses) Join(site.Uses[0].Node, use.Node);
        return [.. sites.GroupBy(s => Root(s.Uses[0].Node)).Select(g => (IReadOnlyList<string>)[.. g.Select(s => s.Name)])];

        Node Root(Node node)
        {
            while (leader[node] != node) node = leader[node] = leader[leader[node]];
            return node;
        }
        void Join(Node a, Node b) => leader[Root(a)] = Root(b);
    }
}
