namespace CompressOnBuild.Restructuring;

/// <summary>
/// Channels by number, of which some turned out to be one: disjoint sets (Tarjan 1975, "Efficiency of a Good But Not Linear Set Union Algorithm"), each with the
/// first reason why it cannot go.
/// </summary>
internal sealed class JoinedChannels
{
    private readonly List<int> parents = [];
    private readonly List<string?> reasons = [];

    /// <summary>How many there are.</summary>
    public int Count => parents.Count;

    /// <summary>New channels that may go.</summary>
    public int[] New(int count)
    {
        var first = parents.Count;
        for (var i = 0; i < count; i++) { parents.Add(first + i); reasons.Add(null); }
        return [.. Enumerable.Range(first, count)];
    }

    /// <summary>New channels that may not go.</summary>
    public int[] Fixed(int count, string why)
    {
        var made = New(count);
        foreach (var channel in made) Block(channel, why);
        return made;
    }

    /// <summary>The number that all channels have that are one with <paramref name="channel"/>.</summary>
    public int Root(int channel)
    {
        while (parents[channel] != channel) channel = parents[channel] = parents[parents[channel]];
        return channel;
    }

    /// <summary>Why it may not go; null: it may.</summary>
    public string? Reason(int channel) => reasons[Root(channel)];

    /// <summary>Both are one from here on.</summary>
    public void Join(int a, int b)
    {
        var (first, second) = (Math.Min(Root(a), Root(b)), Math.Max(Root(a), Root(b)));
        if (first == second) return;
        parents[second] = first;
        reasons[first] ??= reasons[second];
    }

    /// <summary>It may not go; the first reason stays.</summary>
    public void Block(int channel, string why) => reasons[Root(channel)] ??= why;

    /// <summary>Gives slots and sizes their final numbers and puts together what stands in the same slots, in the order of the graph.</summary>
    public IReadOnlyList<ChannelGroup> Groups(IReadOnlyList<Slot> slots, IReadOnlyList<SizeSlot> sizes)
    {
        foreach (var slot in slots) for (var i = 0; i < slot.Channels.Length; i++) slot.Channels[i] = Root(slot.Channels[i]);
        foreach (var size in sizes) for (var i = 0; i < size.Channels.Length; i++) size.Channels[i] = Root(size.Channels[i]);
        var standing = new Dictionary<int, List<int>>();
        for (var s = 0; s < slots.Count; s++)
            foreach (var channel in slots[s].Channels.Distinct())
            {
                if (!standing.TryGetValue(channel, out var list)) standing.Add(channel, list = []);
                list.Add(s);
            }
        var names = new HashSet<string>(StringComparer.Ordinal);
        var groups = new List<ChannelGroup>();
        // Channels in the order of the slots, so that groups are in the order of the graph.
        foreach (var group in slots.SelectMany(s => s.Channels).Distinct().GroupBy(c => string.Join(' ', standing[c]), StringComparer.Ordinal))
        {
            int[] channels = [.. group];
            Slot[] own = [.. standing[channels[0]].Select(s => slots[s])];
            if (own.FirstOrDefault(s => s.Role == SlotRole.Makes) is not { } maker) continue;
            var stem = maker.Node.Input(maker.Input)!.Name;
            var name = stem;
            for (var i = 2; !names.Add(name); i++) name = $"{stem}#{i}";
            var why = channels.Select(c => reasons[c]).FirstOrDefault(r => r is not null) ?? (own.Any(s => s.Role == SlotRole.Sums) ? null : "no layer with a constant weight sums over them");
            groups.Add(new ChannelGroup(name, channels, own, why));
        }
        return groups;
    }
}
