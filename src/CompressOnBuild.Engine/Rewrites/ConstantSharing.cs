using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Equal constants (type, shape and bytes) are stored once.
/// Legal when the readers of both are node inputs; a constant that is a graph's output or an input's default stays where it is.
/// Inside one graph every size counts, as each copy costs a name and a node. Between graphs (branches of If, bodies of Loop and Scan) only constants
/// of 1 KiB or more are shared: the survivor becomes an initializer of the innermost graph around all its readers, which the bodies capture.
/// Deterministic: the first in file order, outer graphs before inner ones, survives with its name.
/// </summary>
internal sealed class ConstantSharing : IRewrite
{
    private const int AcrossGraphsFrom = 1024;

    public string Name => "share-constants";

    public string Describe(int count) => $"stored {count} repeated constants once";

    public int Apply(Model model)
    {
        var shown = model.Shown();
        // The index only finds candidates; the list keeps the order in which they were met.
        var groups = new List<List<Value>>();
        var index = new Dictionary<(ElementType, long, int), List<List<Value>>>();
        foreach (var value in Constants(model))
        {
            if (value.Uses.Count == 0 || shown.Contains(value) || value.IsGraphInput || value.Fixed() is not { } tensor) continue;
            var key = (tensor.ElementType, tensor.Count, Hash(tensor));
            if (!index.TryGetValue(key, out var alike)) index.Add(key, alike = []);
            if (alike.Find(g => g[0].Constant!.SameAs(tensor)) is { } group) { group.Add(value); continue; }
            alike.Add([value]);
            groups.Add(alike[^1]);
        }
        var shared = 0;
        foreach (var group in groups.Where(g => g.Count > 1))
        {
            if (group[0].Constant!.ByteCount >= AcrossGraphsFrom) shared += Merge(group);
            else foreach (var local in group.GroupBy(v => v.Graph)) shared += Merge([.. local]);
        }
        if (shared > 0) model.Graph.RemoveUnused();
        return shared;
    }

    private static IEnumerable<Value> Constants(Model model) => model.Graphs().SelectMany(g =>
        g.Initializers.Concat(g.Nodes.Where(n => n.Is("Constant")).Select(n => n.Output(0)).OfType<Value>()));

    private static int Merge(List<Value> group)
    {
        if (group.Count < 2) return 0;
        var home = group[0].Graph;
        foreach (var value in group) home = Around(home, value.Graph);
        // A Constant node is visible only after its place in the order; an initializer is visible to the whole graph and its bodies.
        var kept = group.Find(v => v.Graph == home && v.Initializer is not null) ?? group.Find(v => v.Graph == home);
        if (kept is null) kept = home.AddInitializer(group[0].Name, group[0].Constant!);
        else if (kept.Initializer is null) home.MakeInitializer(kept);
        foreach (var value in group)
            if (value != kept) value.ReplaceAllUses(kept);
        return group.Count - 1;
    }

    private static Graph Around(Graph a, Graph b)
    {
        while (a != b)
            if (a.Depth >= b.Depth) a = a.Outer!;
            else b = b.Outer!;
        return a;
    }

    private static int Hash(Tensor tensor)
    {
        var hash = new HashCode();
        // A sample is enough to tell weights apart; equality is decided by all the bytes.
        var bytes = tensor.Data.Span;
        hash.AddBytes(bytes[..Math.Min(bytes.Length, 2048)]);
        hash.AddBytes(bytes[Math.Max(0, bytes.Length - 2048)..]);
        foreach (var text in tensor.Strings ?? []) hash.Add(text, StringComparer.Ordinal);
        return hash.ToHashCode();
    }
}
