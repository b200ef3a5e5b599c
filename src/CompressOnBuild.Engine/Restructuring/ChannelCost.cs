using CompressOnBuild.Onnx;

namespace CompressOnBuild.Restructuring;

/// <summary>Multiply-accumulates of a model while channels go: those of each layer shrink with what is left of every axis of its weight.</summary>
internal sealed class ChannelCost
{
    private readonly Dictionary<(Node Node, int Input), double> whole = [];
    private readonly Dictionary<(Node Node, int Input), List<Slot>> axes = [];
    private readonly Dictionary<Slot, int> left = new(ReferenceEqualityComparer.Instance);
    /// <summary>Where each channel stands, and how often.</summary>
    private readonly Dictionary<int, List<(Slot Slot, int Times)>> standing = [];

    /// <param name="analysis">Where channels stand.</param>
    /// <param name="nodes">All nodes.</param>
    /// <param name="multiplyAdds">Of a node, those with the weight at one of its inputs.</param>
    public ChannelCost(ChannelAnalysis analysis, IEnumerable<Node> nodes, Func<Node, int, long> multiplyAdds)
    {
        foreach (var slot in analysis.Slots.Where(s => multiplyAdds(s.Node, s.Input) > 0))
        {
            var weight = (slot.Node, slot.Input);
            if (!axes.TryGetValue(weight, out var list)) axes.Add(weight, list = []);
            list.Add(slot);
            whole[weight] = multiplyAdds(slot.Node, slot.Input);
            left[slot] = slot.Channels.Length;
            foreach (var channel in slot.Channels.GroupBy(c => c))
            {
                if (!standing.TryGetValue(channel.Key, out var places)) standing.Add(channel.Key, places = []);
                places.Add((slot, channel.Count()));
            }
        }
        Total = nodes.Sum(n => (double)multiplyAdds(n, 1) + multiplyAdds(n, 2));
    }

    /// <summary>Of the whole model, as it is now.</summary>
    public double Total { get; private set; }

    /// <summary>What would be saved if these went, too.</summary>
    public double Saved(IEnumerable<int> channels)
    {
        var fewer = new Dictionary<Slot, int>(ReferenceEqualityComparer.Instance);
        foreach (var (slot, times) in channels.SelectMany(c => standing.TryGetValue(c, out var places) ? places : [])) fewer[slot] = fewer.GetValueOrDefault(slot) + times;
        return fewer.Keys.Select(s => (s.Node, s.Input)).Distinct().Sum(w => Of(w, null) - Of(w, fewer));
    }

    /// <summary>These go.</summary>
    public void Remove(IEnumerable<int> channels)
    {
        int[] all = [.. channels];
        Total -= Saved(all);
        foreach (var (slot, times) in all.SelectMany(c => standing.TryGetValue(c, out var places) ? places : [])) left[slot] -= times;
    }

    private double Of((Node, int) weight, Dictionary<Slot, int>? fewer)
    {
        var cost = whole[weight];
        foreach (var slot in axes[weight]) cost *= (double)(left[slot] - (fewer?.GetValueOrDefault(slot) ?? 0)) / slot.Channels.Length;
        return cost;
    }
}
