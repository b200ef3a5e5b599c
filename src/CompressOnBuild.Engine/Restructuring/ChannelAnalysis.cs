using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;

namespace CompressOnBuild.Restructuring;

/// <summary>
/// Finds which output channels of layers live and die together. Every layer with a constant weight makes new channels on one axis of its output; the channels are
/// followed from node to node, and where two meet (a residual Add, a depthwise convolution) they become one. One axis of a value is followed. What cannot be followed
/// keeps its channels, with the reason.
/// </summary>
internal sealed class ChannelAnalysis
{
    /// <summary>The oldest operator set whose operators it knows.</summary>
    public const int LowestOpset = 13;

    /// <summary>Index i of the axis belongs to channel Channels[i]; several indices may belong to one (a flattened picture, the columns of an attention head).</summary>
    private sealed record Labels(int Axis, int[] Channels);

    private static readonly HashSet<string> Elementwise =
    [
        "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "ThresholdedRelu", "Gelu", "Mish", "Clip", "Erf", "Exp", "Log",
        "Sqrt", "Reciprocal", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Not", "Sin", "Cos", "Identity", "Cast", "Dropout", "IsNaN", "IsInf",
    ];
    private static readonly HashSet<string> Broadcasting =
        ["Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "PRelu", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Where", "Mod"];
    private static readonly HashSet<string> Pools = ["MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"];

    private readonly Func<Value, IReadOnlyList<long>?> shapeOf;
    private readonly Dictionary<Value, Labels> labels = [];
    private readonly List<Slot> slots = [];
    private readonly List<SizeSlot> sizes = [];
    private readonly JoinedChannels joined = new();

    private ChannelAnalysis(Func<Value, IReadOnlyList<long>?> shapeOf) => this.shapeOf = shapeOf;

    /// <summary>Every group, in the order of the graph.</summary>
    public IReadOnlyList<ChannelGroup> Groups { get; private set; } = [];
    /// <summary>Every slot, with the channels' final numbers.</summary>
    public IReadOnlyList<Slot> Slots => slots;
    /// <summary>Every size, with the channels' final numbers.</summary>
    public IReadOnlyList<SizeSlot> Sizes => sizes;
    /// <summary>Values whose shape depends on the channels.</summary>
    public IReadOnlyCollection<Value> Values => labels.Keys;

    /// <summary>The same with the axis and its channels' final numbers.</summary>
    public IEnumerable<(Value Value, int Axis, int[] Channels)> Places => labels.Select(l => (l.Key, l.Value.Axis, Array.ConvertAll(l.Value.Channels, joined.Root)));

    /// <summary>Looks at the main graph.</summary>
    /// <param name="model">The model, of opset 13 or later.</param>
    /// <param name="shapeOf">The shape of a value in one run; null where it was not seen.</param>
    public static ChannelAnalysis Of(Model model, Func<Value, IReadOnlyList<long>?> shapeOf)
    {
        var analysis = new ChannelAnalysis(shapeOf);
        foreach (var node in model.Graph.Nodes) analysis.Visit(node);
        foreach (var (value, known) in analysis.labels.ToArray())
        {
            if (value.IsGraphOutput) analysis.Block(known, $"they are those of the model's output '{value}'");
            if (value.Uses.Any(u => u.Node.Graph != model.Graph)) analysis.Block(known, "a body of If, Loop or Scan reads them");
        }
        analysis.Groups = analysis.joined.Groups(analysis.slots, analysis.sizes);
        return analysis;
    }

    private void Visit(Node node)
    {
        if (node.Bodies.Any() || node.Domain.Length > 0) { BlockInputs(node, $"{node.OpType} is not followed"); return; }
        switch (node.OpType)
        {
            case "Constant" or "Shape" or "Size": return;
            case "Conv": Convolution(node); return;
            case "ConvTranspose": Transposed(node); return;
            case "Gemm": Gemm(node); return;
            case "MatMul": MatMul(node); return;
            case "LSTM" or "GRU": Recurrent(node); return;
            case "BatchNormalization" or "InstanceNormalization": Normalization(node); return;
            case "Concat": Concat(node); return;
            case "Split": Split(node); return;
            case "Transpose": Transpose(node); return;
            case "Squeeze" or "Unsqueeze" or "Flatten" or "Reshape": Reshape(node); return;
            case "Gather": Gather(node); return;
            case "Pad": Pad(node); return;
            case "Resize": Resize(node); return;
            case "Softmax" or "LogSoftmax": Along(node, node.Int("axis", -1)); return;
        }
        if (Elementwise.Contains(node.OpType)) Pass(node);
        else if (Broadcasting.Contains(node.OpType)) Broadcast(node);
        else if (Pools.Contains(node.OpType)) Pool(node);
        else if (node.OpType.StartsWith("Reduce", StringComparison.Ordinal)) Reduce(node);
        else BlockInputs(node, $"{node.OpType} is not followed");
    }

    private void Convolution(Node node)
    {
        var input = LabelsOf(node.Input(0));
        if (Weight(node, 1) is not { Rank: > 2 } w || node.Input(2) is { } b && b.Fixed() is null) { BlockInputs(node, "a convolution computes with a weight or bias that is no constant"); return; }
        var groups = node.Int("group", 1);
        if (groups == 1)
        {
            if (input is { Axis: 1 }) slots.Add(new Slot(node, 1, 1, input.Channels, SlotRole.Sums));
            else if (input is not null) Block(input, "a convolution runs along them");
            Made(node, node.Output(0)!, 1, (int)w.Shape[0], 1, 0, node.Input(2) is null ? null : 2);
            return;
        }
        if (input is null) return;
        if (input.Axis != 1 || w.Shape[1] != 1 || groups != input.Channels.Length || w.Shape[0] % groups != 0) { Block(input, "a convolution of several groups reads them"); return; }
        var each = (int)(w.Shape[0] / groups);
        int[] outputs = [.. input.Channels.SelectMany(c => Enumerable.Repeat(c, each))];
        slots.Add(new Slot(node, 1, 0, outputs, SlotRole.Follows));
        if (node.Input(2) is not null) slots.Add(new Slot(node, 2, 0, outputs, SlotRole.Follows));
        sizes.Add(new SizeSlot(node, SizeKind.Groups, 0, input.Channels));
        labels[node.Output(0)!] = new Labels(1, outputs);
    }

    private void Transposed(Node node)
    {
        var input = LabelsOf(node.Input(0));
        if (node.Int("group", 1) != 1 || Weight(node, 1) is not { Rank: > 2 } w || node.Input(2) is { } b && b.Fixed() is null || node.Attribute("output_shape") is not null) { BlockInputs(node, "a transposed convolution of several groups or of no constants reads them"); return; }
        if (input is { Axis: 1 }) slots.Add(new Slot(node, 1, 0, input.Channels, SlotRole.Sums));
        else if (input is not null) Block(input, "a convolution runs along them");
        Made(node, node.Output(0)!, 1, (int)w.Shape[1], 1, 1, node.Input(2) is null ? null : 2);
    }

    private void Gemm(Node node)
    {
        var input = LabelsOf(node.Input(0));
        if (node.Int("transA", 0) != 0 || Weight(node, 1) is not { Rank: 2 } w || node.Input(2) is { } c && c.Fixed() is null) { BlockInputs(node, "Gemm computes with a weight or bias that is no constant"); return; }
        var transposed = node.Int("transB", 0) != 0;
        if (input is { Axis: 1 }) slots.Add(new Slot(node, 1, transposed ? 1 : 0, input.Channels, SlotRole.Sums));
        else if (input is not null) Block(input, "Gemm runs along them");
        var n = (int)w.Shape[transposed ? 0 : 1];
        var made = Made(node, node.Output(0)!, 1, n, 1, transposed ? 0 : 1, null);
        if (node.Input(2)?.Fixed() is { Rank: > 0 } bias && bias.Shape[^1] == n) slots.Add(new Slot(node, 2, bias.Rank - 1, made, SlotRole.Follows));
    }

    private void MatMul(Node node)
    {
        var (a, b) = (LabelsOf(node.Input(0)), LabelsOf(node.Input(1)));
        if (Weight(node, 1) is { Rank: 2 } w && shapeOf(node.Input(0)!) is { Count: >= 2 } left)
        {
            if (a is not null && a.Axis == left.Count - 1) slots.Add(new Slot(node, 1, 0, a.Channels, SlotRole.Sums));
            else if (a is not null) Block(a, "MatMul runs along them");
            Made(node, node.Output(0)!, left.Count - 1, (int)w.Shape[1], 1, 1, null);
            return;
        }
        if (a is null && b is null) return;
        if (shapeOf(node.Input(0)!) is not { Count: >= 2 } x || shapeOf(node.Input(1)!) is not { Count: >= 2 } y) { BlockInputs(node, "MatMul of values of unknown shape reads them"); return; }
        // Seen from the end: 1 is the last axis.
        int? first = a is null ? null : x.Count - a.Axis, second = b is null ? null : y.Count - b.Axis;
        var output = Math.Max(x.Count, y.Count);
        if (first > 2 && second > 2 && first == second && a!.Channels.Length == b!.Channels.Length)
        {
            for (var i = 0; i < a.Channels.Length; i++) joined.Join(a.Channels[i], b.Channels[i]);
            labels[node.Output(0)!] = new Labels(output - first.Value, a.Channels);
        }
        else if (first == 2 && b is null) labels[node.Output(0)!] = new Labels(output - 2, a!.Channels);
        else if (second == 1 && a is null) labels[node.Output(0)!] = new Labels(output - 1, b!.Channels);
        else BlockInputs(node, "a product of two computed values sums over them or meets others there");
    }

    /// <summary>Hidden units: W [directions, gates * hidden, input], R [directions, gates * hidden, hidden], B [directions, 2 * gates * hidden], states [directions, batch, hidden].</summary>
    private void Recurrent(Node node)
    {
        var input = LabelsOf(node.Input(0));
        if (Weight(node, 1) is not { Rank: 3 } w || Weight(node, 2) is not { Rank: 3 } r || node.Input(3) is { } b && b.Fixed() is null || node.Input(7) is not null || node.Int("layout", 0) != 0)
        {
            BlockInputs(node, $"{node.OpType} with peepholes, batches first or weights that are no constants reads them");
            return;
        }
        if (input is { Axis: 2 }) slots.Add(new Slot(node, 1, 2, input.Channels, SlotRole.Sums));
        else if (input is not null) Block(input, $"{node.OpType} runs along them");
        var hidden = (int)r.Shape[2];
        var gates = (int)(r.Shape[1] / hidden);
        if (gates * hidden != r.Shape[1]) { BlockInputs(node, "its matrices do not fit"); return; }
        var units = joined.New(hidden);
        int[] Times(int count) => [.. Enumerable.Range(0, count).SelectMany(_ => units)];
        slots.Add(new Slot(node, 1, 1, Times(gates), SlotRole.Makes));
        slots.Add(new Slot(node, 2, 1, Times(gates), SlotRole.Follows));
        slots.Add(new Slot(node, 2, 2, units, SlotRole.Follows));
        if (node.Input(3) is not null) slots.Add(new Slot(node, 3, 1, Times(2 * gates), SlotRole.Follows));
        sizes.Add(new SizeSlot(node, SizeKind.HiddenSize, 0, units));
        foreach (var state in new[] { 5, 6 })
        {
            if (node.Input(state) is not { } value) continue;
            if (value.Fixed() is { Rank: 3 }) slots.Add(new Slot(node, state, 2, units, SlotRole.Follows));
            else if (LabelsOf(value) is { Axis: 2 } given && given.Channels.Length == hidden) for (var i = 0; i < hidden; i++) joined.Join(given.Channels[i], units[i]);
            else
            {
                foreach (var unit in units) joined.Block(unit, $"the state '{value}' comes from outside the layer");
                if (LabelsOf(value) is { } other) Block(other, $"the state of {node.OpType} is made of them");
            }
        }
        for (var o = 0; o < node.Outputs.Count; o++) if (node.Outputs[o] is { } output) labels[output] = new Labels(o == 0 ? 3 : 2, units);
    }

    private void Normalization(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (input.Axis != 1 || node.Inputs.Skip(1).Any(i => i.Fixed() is null)) { Block(input, $"{node.OpType} reads them"); return; }
        for (var i = 1; i < node.Inputs.Count; i++) slots.Add(new Slot(node, i, 0, input.Channels, SlotRole.Follows));
        labels[node.Output(0)!] = input;
    }

    private void Broadcast(Node node)
    {
        var tracked = node.Inputs.OfType<Value>().Where(v => labels.ContainsKey(v)).ToArray();
        if (tracked.Length == 0) return;
        if (node.Inputs.Any(i => i is not null && Shape(i) is null)) { BlockInputs(node, $"{node.OpType} meets values of unknown shape"); return; }
        var rank = node.Inputs.Max(i => i is null ? 0 : Shape(i)!.Count);
        int Axis(Value v) => labels[v].Axis + rank - Shape(v)!.Count;
        var (axis, first) = (Axis(tracked[0]), labels[tracked[0]]);
        if (tracked.Any(t => Axis(t) != axis || labels[t].Channels.Length != first.Channels.Length)) { BlockInputs(node, $"{node.OpType} meets channels of another axis there"); return; }
        for (var i = 0; i < node.Inputs.Count; i++)
        {
            if (node.Inputs[i] is not { } value) continue;
            if (labels.TryGetValue(value, out var other))
            {
                for (var c = 0; c < first.Channels.Length; c++) joined.Join(first.Channels[c], other.Channels[c]);
                continue;
            }
            var shape = Shape(value)!;
            var at = axis - (rank - shape.Count);
            if (at < 0 || shape[at] == 1) continue;
            if (value.Fixed() is not null) slots.Add(new Slot(node, i, at, first.Channels, SlotRole.Follows));
            else Block(first, $"{node.OpType} meets '{value}', which cannot be cut");
        }
        labels[node.Output(0)!] = new Labels(axis, first.Channels);
    }

    private void Concat(Node node)
    {
        var inputs = node.Inputs.OfType<Value>().ToArray();
        var tracked = inputs.Where(labels.ContainsKey).ToArray();
        if (tracked.Length == 0) return;
        if (inputs.Any(i => Shape(i) is null)) { BlockInputs(node, "Concat joins values of unknown shape"); return; }
        var rank = Shape(inputs[0])!.Count;
        var axis = (int)Positive(node.Int("axis", 0), rank);
        if (tracked.Any(t => labels[t].Axis != labels[tracked[0]].Axis)) { BlockInputs(node, "Concat joins channels of different axes"); return; }
        if (labels[tracked[0]].Axis == axis)
        {
            labels[node.Output(0)!] = new Labels(axis, [.. inputs.SelectMany(i => labels.TryGetValue(i, out var own) ? own.Channels : joined.Fixed((int)Shape(i)![axis], $"'{i}' cannot be cut"))]);
            return;
        }
        var first = labels[tracked[0]];
        if (tracked.Length < inputs.Length || tracked.Any(t => labels[t].Channels.Length != first.Channels.Length)) { BlockInputs(node, "Concat joins them with values that cannot be cut"); return; }
        foreach (var other in tracked.Skip(1)) for (var c = 0; c < first.Channels.Length; c++) joined.Join(first.Channels[c], labels[other].Channels[c]);
        labels[node.Output(0)!] = first;
    }

    private void Split(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (Shape(node.Input(0)!) is not { } shape || node.Outputs.Any(o => o is null || Shape(o) is null) || node.Input(1) is { } given && given.Fixed() is null) { Block(input, "Split gives values of unknown shape"); return; }
        var axis = (int)Positive(node.Int("axis", 0), shape.Count);
        var at = 0;
        for (var o = 0; o < node.Outputs.Count; o++)
        {
            var output = node.Outputs[o]!;
            if (axis != input.Axis) { labels[output] = input; continue; }
            var count = (int)Shape(output)![axis];
            labels[output] = new Labels(axis, input.Channels[at..(at + count)]);
            sizes.Add(new SizeSlot(node, SizeKind.SplitSizes, o, labels[output].Channels));
            at += count;
        }
    }

    private void Transpose(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input || Shape(node.Input(0)!) is not { } shape) { BlockInputs(node, "Transpose of unknown shape"); return; }
        var order = node.Ints("perm") ?? [.. Enumerable.Range(0, shape.Count).Reverse().Select(i => (long)i)];
        labels[node.Output(0)!] = input with { Axis = Array.IndexOf(order, (long)input.Axis) };
    }

    /// <summary>
    /// The axis stays, is divided (the channels of one part then stand together: heads), or is joined with its neighbours (every channel then has several indices).
    /// </summary>
    private void Reshape(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (Shape(node.Input(0)!) is not { } from || Shape(node.Output(0)!) is not { } to) { Block(input, $"{node.OpType} gives a value of unknown shape"); return; }
        long before = 1, size = input.Channels.Length;
        for (var i = 0; i < input.Axis; i++) before *= from[i];
        long outer = 1;
        for (var axis = 0; axis < to.Count; outer *= to[axis++])
        {
            Labels? made = null;
            if (outer == before && to[axis] == size) made = new Labels(axis, input.Channels);
            else if (outer == before && to[axis] > 1 && to[axis] < size && size % to[axis] == 0 && axis + 1 < to.Count && Covers(to, axis, size))
            {
                var each = (int)(size / to[axis]);
                for (var i = 0; i < input.Channels.Length; i++) joined.Join(input.Channels[i / each * each], input.Channels[i]);
                made = new Labels(axis, [.. Enumerable.Range(0, (int)to[axis]).Select(i => input.Channels[i * each])]);
            }
            else if (outer <= before && outer * to[axis] >= before * size && to[axis] > size && before % outer == 0 && outer * to[axis] % (before * size) == 0)
            {
                var (repeats, inner) = (before / outer, outer * to[axis] / (before * size));
                made = new Labels(axis, [.. Enumerable.Range(0, (int)to[axis]).Select(i => input.Channels[(int)(i / inner % size)])]);
                if (repeats * inner * size != to[axis]) made = null;
            }
            if (made is null) continue;
            if (node.Is("Reshape") && Target(node, axis, from, to, made) is { } why) Block(input, why);
            else labels[node.Output(0)!] = made;
            return;
        }
        Block(input, $"{node.OpType} mixes them with another axis");
    }

    // The parts behind the axis make up the rest of what it was.
    private static bool Covers(IReadOnlyList<long> to, int axis, long size)
    {
        long product = 1;
        for (var i = axis; i < to.Count && product < size; i++) product *= to[i];
        return product == size;
    }

    /// <summary>Notes where the target shape states the number of channels; says why it cannot be changed there.</summary>
    private string? Target(Node node, int axis, IReadOnlyList<long> from, IReadOnlyList<long> to, Labels made)
    {
        if (node.Input(1)?.Fixed() is { ElementType: ElementType.Int64, Rank: 1 } target)
        {
            var stated = target.ToLongs();
            if (stated[axis] > 0) sizes.Add(new SizeSlot(node, SizeKind.ReshapeTarget, axis, made.Channels));
            else if (stated[axis] == 0 && (axis >= from.Count || from[axis] != to[axis])) return "a Reshape copies another dimension there";
            return null;
        }
        return "the target shape of a Reshape is computed";
    }

    private void Gather(Node node)
    {
        if (LabelsOf(node.Input(0)) is { } input)
        {
            if (Shape(node.Input(0)!) is not { } shape || Shape(node.Input(1)!) is not { } indices) { Block(input, "Gather of unknown shape"); return; }
            var axis = (int)Positive(node.Int("axis", 0), shape.Count);
            if (axis == input.Axis) Block(input, "Gather picks some of them by number");
            else labels[node.Output(0)!] = axis > input.Axis ? input : input with { Axis = input.Axis - 1 + indices.Count };
            return;
        }
        // A table: its columns are channels.
        if (node.Int("axis", 0) == 0 && Weight(node, 0) is { Rank: 2, ElementType: ElementType.Float } table && Shape(node.Input(1)!) is { } rows)
            Made(node, node.Output(0)!, rows.Count, (int)table.Shape[1], 0, 1, null);
        BlockInputs(node, "Gather takes them for numbers of rows");
    }

    private void Pad(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (node.Input(3) is null && node.Input(1)?.Fixed() is { } pads && Shape(node.Input(0)!) is { } shape && pads.Count == 2 * shape.Count
            && pads.ToLongs() is var counts && counts[input.Axis] == 0 && counts[input.Axis + shape.Count] == 0) labels[node.Output(0)!] = input;
        else Block(input, "Pad may add to them");
    }

    private void Resize(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (node.Input(3)?.Fixed() is { ElementType: ElementType.Int64 } target && node.Attribute("axes") is null && target.Count > input.Axis && target.ToLongs()[input.Axis] == input.Channels.Length)
        {
            sizes.Add(new SizeSlot(node, SizeKind.ResizeTarget, input.Axis, input.Channels));
            labels[node.Output(0)!] = input;
        }
        else if (node.Input(3) is null && node.Input(2)?.Fixed() is { } scales && node.Attribute("axes") is null && scales.Count > input.Axis && scales.ToFloats()[input.Axis] == 1) labels[node.Output(0)!] = input;
        else Block(input, "Resize computes its target");
    }

    private void Reduce(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (Shape(node.Input(0)!) is not { } shape || ShapeRules.Axes(node) is not { Length: > 0 } given) { Block(input, $"{node.OpType} runs over them"); return; }
        var axes = given.Select(a => (int)Positive(a, shape.Count)).ToHashSet();
        if (axes.Contains(input.Axis)) { Block(input, $"{node.OpType} runs over them"); return; }
        labels[node.Output(0)!] = node.Int("keepdims", 1) != 0 ? input : input with { Axis = input.Axis - axes.Count(a => a < input.Axis) };
    }

    private void Along(Node node, long axis)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (Shape(node.Input(0)!) is { } shape && Positive(axis, shape.Count) != input.Axis) labels[node.Output(0)!] = input;
        else Block(input, $"{node.OpType} runs over them");
    }

    private void Pool(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (node.Outputs.Count > 1 && node.Output(1) is not null) Block(input, "MaxPool gives the places of its maxima, which count channels");
        else if (input.Axis == 1) labels[node.Output(0)!] = input;
        else Block(input, $"{node.OpType} runs over them");
    }

    private void Pass(Node node)
    {
        BlockInputs(node, $"{node.OpType} takes them for a parameter", from: 1);
        if (LabelsOf(node.Input(0)) is not { } input) return;
        foreach (var output in node.Outputs) if (output is not null) labels[output] = input;
    }

    private int[] Made(Node node, Value output, int axis, int count, int weight, int weightAxis, int? bias)
    {
        var made = joined.New(count);
        slots.Add(new Slot(node, weight, weightAxis, made, SlotRole.Makes));
        if (bias is { } input) slots.Add(new Slot(node, input, 0, made, SlotRole.Follows));
        labels[output] = new Labels(axis, made);
        return made;
    }

    private static Tensor? Weight(Node node, int input) => node.Input(input).Fixed() is { ElementType: ElementType.Float } w && node.Input(input)!.Uses.Count == 1 ? w : null;

    private IReadOnlyList<long>? Shape(Value value) => value.Fixed() is { } tensor ? tensor.Shape.ToArray() : shapeOf(value);

    private Labels? LabelsOf(Value? value) => value is not null && labels.TryGetValue(value, out var known) ? known : null;

    private static long Positive(long axis, int rank) => axis < 0 ? axis + rank : axis;

    private void Block(Labels known, string why)
    {
        foreach (var channel in known.Channels) joined.Block(channel, why);
    }

    private void BlockInputs(Node node, string why, int from = 0)
    {
        foreach (var input in node.Inputs.Skip(from)) if (LabelsOf(input) is { } known) Block(known, why);
    }
}
