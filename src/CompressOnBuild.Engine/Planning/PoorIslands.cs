namespace CompressOnBuild.Planning;

/// <summary>Integer convolutions that would not pay: a form that is slower than floats is never chosen where a faster one exists.</summary>
internal static class PoorIslands
{
    // A region that gains less than this is not worth its roundings.
    private const double LeastGain = 0.05;

    /// <summary>
    /// Whole islands of connected integer convolutions go when they do not save more than their borders cost; then single
    /// convolutions whose neighbours do better without them. They get int8 weights in <paramref name="wanted"/>, with the figures.
    /// </summary>
    public static void Drop(Planner planner, IReadOnlyList<WeightDecision> decisions, Dictionary<string, (WeightForm Form, string Because)> wanted)
    {
        if (planner.Statistics is not { } seen) return;
        var statics = decisions.Where(d => d.Form == WeightForm.Static).Select(d => d.Site).ToHashSet(StringComparer.Ordinal);
        var sites = planner.Sites.Where(s => statics.Contains(s.Name)).ToDictionary(s => s.Name, StringComparer.Ordinal);
        var asFloat = sites.ToDictionary(p => p.Key, p => CostTable.Float(p.Value, seen), StringComparer.Ordinal);
        var total = Total();
        foreach (var island in Islands.Find(planner, decisions))
        {
            var before = island.Sum(name => asFloat[name]);
            var gain = Without(island) - total;
            if (gain >= before * LeastGain) continue;
            Drop(island, $"int8 weights: as an integer region, its borders included, it and its {island.Count - 1} neighbours would take {CostTable.Text(before - gain)} instead of {CostTable.Text(before)}");
        }
        foreach (var name in sites.Keys.Where(statics.Contains).ToArray())
        {
            var gain = Without([name]) - total;
            if (gain < 0) Drop([name], $"int8 weights: an integer kernel here, with its borders, would cost {CostTable.Text(-gain)} more than floats");
        }

        foreach (var name in statics)
        {
            var (integer, plain) = (CostTable.Integer(sites[name], seen), asFloat[name]);
            if (integer > plain) wanted[name] = (WeightForm.Static, $"static int8: {CostTable.Text(integer)} instead of {CostTable.Text(plain)} by itself, but its integer neighbours need no conversion around it");
        }

        double Total() => sites.Sum(p => statics.Contains(p.Key) ? CostTable.Integer(p.Value, seen) : asFloat[p.Key])
            + CostTable.Region(planner.Region(sites.Keys.Where(statics.Contains)), sites.Where(p => statics.Contains(p.Key)).SelectMany(p => p.Value.Uses.Select(u => u.Node)).ToHashSet(), seen);
        double Without(IReadOnlyList<string> names)
        {
            statics.ExceptWith(names);
            var cost = Total();
            statics.UnionWith(names);
            return cost;
        }
        void Drop(IReadOnlyList<string> names, string because)
        {
            statics.ExceptWith(names);
            foreach (var name in names) wanted[name] = (WeightForm.Weights, because);
            total = Total();
        }
    }
}
