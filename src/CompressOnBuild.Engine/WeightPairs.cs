using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild;

/// <summary>The weights of one model with what another model stores in their place, and how many have no counterpart.</summary>
internal sealed record WeightPairs(IReadOnlyList<WeightFacts> Found, int Missing)
{
    // Quantizing a product takes a dozen nodes; whoever put more between two values did something else.
    private const int MostNodes = 64;

    /// <summary>
    /// Pairs weights by name. Compressors rename: a weight without a namesake is looked for among what the other model stores between the
    /// values that its reader reads and the value that its reader computes, because values in between keep their names.
    /// </summary>
    public static WeightPairs Of(Model first, Model second)
    {
        var values = new Dictionary<string, Value>(StringComparer.Ordinal);
        foreach (var value in Values(second)) values.TryAdd(value.Name, value);
        var activations = Values(first).Where(v => v.Constant is null).Select(v => v.Name).ToHashSet(StringComparer.Ordinal);
        var found = new List<WeightFacts>();
        var missing = 0;
        foreach (var site in SiteFinder.Find(first))
        {
            var (stored, because) = values.TryGetValue(site.Weight.Name, out var namesake) && namesake.Constant is not null
                ? (namesake, "it has the same name in both models")
                : (Behind(site, values, activations), "it is stored between the same values in both models");
            if (stored?.Constant is not { } tensor) { missing++; continue; }
            var beside = stored.Uses.Select(u => u.Node).Where(n => site.Uses.All(u => u.Node.OpType != n.OpType)).Distinct()
                .SelectMany(n => n.Inputs).Where(v => v is not null && v != stored).Select(v => v!.Constant?.ByteCount ?? 0).Sum();
            var same = tensor.ElementType == site.Tensor.ElementType && tensor.Shape.SequenceEqual(site.Tensor.Shape) && tensor.Data.Span.SequenceEqual(site.Tensor.Data.Span);
            var plain = tensor.ElementType.Bits() >= 8;
            found.Add(new WeightFacts(site.Name, site.OperatorName, site.Tensor.Shape.ToArray(), same ? "unchanged" : tensor.ElementType == site.Tensor.ElementType ? "other values" : $"stored as {tensor.ElementType}",
                tensor.ElementType.ToString(), tensor.ElementType.Bits(), plain && !tensor.ElementType.IsFloat() ? (double)Zeros(tensor) / Math.Max(1, tensor.Count) : 0, null,
                site.Tensor.ByteCount, tensor.ByteCount + beside, because));
        }
        return new WeightPairs(found, missing);
    }

    private static Value? Behind(Site site, Dictionary<string, Value> values, HashSet<string> activations)
    {
        if (site.Uses[0].Node.Output(0) is not { } output || !values.TryGetValue(output.Name, out var end)) return null;
        var seen = new HashSet<Value> { end };
        var open = new Queue<Value>([end]);
        Value? largest = null;
        for (var nodes = 0; nodes < MostNodes && open.TryDequeue(out var value);)
        {
            if (value.Constant is { } tensor && value != end)
            {
                if (tensor.ByteCount > (largest?.Constant!.ByteCount ?? 0)) largest = value;
                continue;
            }
            if (value.Producer is not { } producer) continue;
            nodes++;
            foreach (var input in producer.Inputs)
                if (input is not null && seen.Add(input) && !activations.Contains(input.Name)) open.Enqueue(input);
        }
        // A bias is no counterpart: codes of two bits are the smallest that a weight becomes.
        return largest?.Constant is { } best && best.ByteCount * 16 >= site.Tensor.ByteCount ? largest : null;
    }

    private static IEnumerable<Value> Values(Model model) => model.Graphs().SelectMany(g =>
        g.Initializers.Concat(g.Inputs).Concat(g.Nodes.SelectMany(n => n.Outputs).OfType<Value>()));

    private static int Zeros(Tensor tensor) => Array.FindAll(tensor.ToFloats(), v => v == 0).Length;
}
