using CompressOnBuild.Onnx;

namespace CompressOnBuild.Restructuring;

/// <summary>Takes channels out of a copy of a model: a slice of every constant that they index, and every number that counts them.</summary>
internal sealed class ChannelCut(Model model, ChannelAnalysis analysis, IReadOnlySet<int> gone)
{
    private readonly Dictionary<(Node Node, int Input), Tensor> edited = [];
    private readonly List<Slot> added = [];

    /// <summary>Puts <paramref name="tensor"/>, not cut yet, in the place of a constant.</summary>
    public void Replace(Node node, int input, Tensor tensor) => edited[(node, input)] = tensor;

    /// <summary>Adds to a bias, which a convolution or Gemm may not have yet.</summary>
    /// <param name="bias">Where it stands.</param>
    /// <param name="change">One figure an output of the layer.</param>
    /// <param name="outputs">The layer's own output channels.</param>
    public void AddToBias(Use bias, double[] change, Slot outputs)
    {
        var old = Current(bias.Node, bias.Index);
        if (old is null) added.Add(new Slot(bias.Node, bias.Index, 0, outputs.Channels, SlotRole.Follows));
        var values = old?.ToFloats() ?? new float[change.Length];
        Replace(bias.Node, bias.Index, Tensor.Create(Array.ConvertAll([.. values.Zip(change, (b, c) => b + c)], v => (float)v), change.Length));
    }

    /// <summary>The copy, cut.</summary>
    public Model Run()
    {
        foreach (var slot in analysis.Slots.Concat(added).Where(s => s.Channels.Any(gone.Contains)))
            edited[(slot.Node, slot.Input)] = Slice(Current(slot.Node, slot.Input)!, slot.Axis, Kept(slot.Channels));
        var copy = model.Clone();
        var nodes = model.Graph.Nodes.Zip(copy.Graph.Nodes).ToDictionary(p => p.First, p => p.Second);
        var replaced = new List<(Value Made, Value Old)>();
        foreach (var ((node, input), tensor) in edited)
        {
            var old = nodes[node].Input(input);
            var made = copy.Graph.AddInitializer(old?.Name ?? "bias", tensor);
            nodes[node].SetInput(input, made);
            if (old is not null) replaced.Add((made, old));
        }
        foreach (var size in analysis.Sizes.Where(s => s.Channels.Any(gone.Contains))) Resize(size, nodes[size.Node]);
        // What the model says of shapes inside is not true any more.
        var stale = analysis.Values.Select(v => v.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var value in copy.Graph.Declared.Where(v => stale.Contains(v.Name)).ToArray())
        {
            copy.Graph.Declared.Remove(value);
            value.Info = null;
        }
        copy.Graph.RemoveUnused();
        // A weight keeps its name, by which rules and reports know it, unless others still read it whole or in another cut.
        foreach (var (made, old) in replaced.DistinctBy(r => r.Old))
            if (old.Uses.Count == 0 && !copy.Graph.Initializers.Contains(old) && old.Producer is not { IsInGraph: true }) made.Name = old.Name;
        return copy;
    }

    /// <summary>Of values that lose channels, by name: those of the graph, and constants that are cut.</summary>
    public IReadOnlyDictionary<string, KeptIndices> Left()
    {
        var left = new Dictionary<string, KeptIndices>(StringComparer.Ordinal);
        foreach (var (value, axis, channels) in analysis.Places) if (channels.Any(gone.Contains)) left[value.Name] = new KeptIndices(axis, channels.Length, Kept(channels));
        return left;
    }

    private Tensor? Current(Node node, int input) => edited.TryGetValue((node, input), out var own) ? own : node.Input(input)?.Constant;

    private int[] Kept(int[] channels) => [.. Enumerable.Range(0, channels.Length).Where(i => !gone.Contains(channels[i]))];

    private void Resize(SizeSlot size, Node node)
    {
        var count = Kept(size.Channels).Length;
        switch (size.Kind)
        {
            case SizeKind.Groups: node.SetAttribute(NodeAttribute.Int("group", count)); break;
            case SizeKind.HiddenSize: node.SetAttribute(NodeAttribute.Int("hidden_size", count)); break;
            case SizeKind.ReshapeTarget: State(node, 1, size.Index, count); break;
            case SizeKind.ResizeTarget: State(node, 3, size.Index, count); break;
            default:
                // All parts of a Split at once: their sizes may have been equal and unsaid.
                var parts = analysis.Sizes.Where(s => s.Node == size.Node && s.Kind == SizeKind.SplitSizes).OrderBy(s => s.Index).Select(s => (long)Kept(s.Channels).Length).ToArray();
                node.RemoveAttribute("num_outputs");
                node.SetInput(1, node.Graph.AddInitializer("split", Tensor.Create(parts, parts.Length)));
                break;
        }
    }

    private static void State(Node node, int input, int index, int count)
    {
        var numbers = node.Input(input)!.Constant!.ToLongs();
        numbers[index] = count;
        node.SetInput(input, node.Graph.AddInitializer(node.Input(input)!.Name, Tensor.Create(numbers, numbers.Length)));
    }

    /// <summary>The indices <paramref name="kept"/> of one axis.</summary>
    internal static Tensor Slice(Tensor tensor, int axis, int[] kept)
    {
        var shape = tensor.Shape.ToArray();
        long outer = 1, inner = tensor.ElementType.Bits() / 8;
        for (var i = 0; i < axis; i++) outer *= shape[i];
        for (var i = axis + 1; i < shape.Length; i++) inner *= shape[i];
        var source = tensor.Data.Span;
        var result = new byte[outer * kept.Length * inner];
        for (var o = 0; o < outer; o++)
            for (var k = 0; k < kept.Length; k++)
                source.Slice((int)((o * shape[axis] + kept[k]) * inner), (int)inner).CopyTo(result.AsSpan((int)((o * kept.Length + k) * inner)));
        shape[axis] = kept.Length;
        return new Tensor(tensor.ElementType, shape, result);
    }
}
