using CompressOnBuild.Onnx;
using CompressOnBuild.Restructuring;
using CompressOnBuild.Rewrites;

namespace CompressOnBuild.Scaling;

/// <summary>
/// Finds where channels can be scaled. Every layer whose constants can be divided makes new channels on one axis of its output; they are followed through whatever
/// gives half of its output for half of its input (Relu, pools, another factor); where two meet in a sum they become one. A layer with a constant weight that sums
/// over them ends them: its own outputs are channels anew. What is not of this kind, an output of the model or the body of a loop keeps its channels as they are.
/// A constant that several nodes read is left alone, too. The main graph only.
/// </summary>
internal sealed class ChannelFlow
{
    private sealed record Labels(int Axis, int[] Channels);

    // f(a x) = a f(x) for a > 0, element by element or of a channel alone.
    private static readonly HashSet<string> Homogeneous = ["Relu", "LeakyRelu", "Identity", "Dropout", "Abs", "Neg"];
    private static readonly HashSet<string> Pools = ["MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"];
    private static readonly HashSet<string> Reductions = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2"];

    private readonly Func<Value, IReadOnlyList<long>?> shapeOf;
    private readonly IReadOnlySet<Value> dead;
    private readonly Dictionary<Value, Labels> labels = [];
    private readonly List<ScaleSlot> slots = [];
    private readonly Dictionary<Value, int[]> made = [];
    private readonly JoinedChannels joined = new();

    private ChannelFlow(Func<Value, IReadOnlyList<long>?> shapeOf, IReadOnlySet<Value> dead) => (this.shapeOf, this.dead) = (shapeOf, dead);

    /// <summary>Every place, in the order of the graph.</summary>
    /// <param name="model">The model.</param>
    /// <param name="shapeOf">The shape of a value; null where it is not known.</param>
    public static IReadOnlyList<ScalePlace> Of(Model model, Func<Value, IReadOnlyList<long>?> shapeOf)
    {
        // What cannot be scaled where it is made may be where a factor follows: found by looking again without it.
        var dead = new HashSet<Value>();
        while (true)
        {
            var flow = new ChannelFlow(shapeOf, dead);
            flow.Visit(model);
            var more = flow.made.Where(m => m.Value.All(c => flow.joined.Reason(c) is not null)).Select(m => m.Key).ToArray();
            if (more.Length == 0) return flow.Places();
            dead.UnionWith(more);
        }
    }

    private void Visit(Model model)
    {
        foreach (var node in model.Graph.Nodes) Visit(node);
        foreach (var (value, known) in labels)
            if (value.IsGraphOutput || value.Uses.Any(u => u.Node.Graph != model.Graph)) Block(known);
    }

    private IReadOnlyList<ScalePlace> Places()
    {
        // Channels of one constant are chosen together.
        var together = new JoinedChannels();
        together.New(joined.Count);
        int[] Roots(ScaleSlot slot) => [.. slot.Channels.Select(joined.Root)];
        var isMade = new HashSet<int>();
        var isRead = new HashSet<int>();
        foreach (var slot in slots) (slot.Consumes ? isRead : isMade).UnionWith(Roots(slot));
        bool IsFree(int root) => joined.Reason(root) is null && isMade.Contains(root) && isRead.Contains(root);
        foreach (var slot in slots)
        {
            int[] free = [.. Roots(slot).Where(IsFree)];
            for (var i = 1; i < free.Length; i++) together.Join(free[0], free[i]);
        }
        var places = new List<ScalePlace>();
        foreach (var group in slots.GroupBy(s => Roots(s).Where(IsFree).Select(c => (int?)together.Root(c)).FirstOrDefault()).Where(g => g.Key is not null))
        {
            var numbers = new Dictionary<int, int>();
            foreach (var root in group.SelectMany(Roots).Where(IsFree)) numbers.TryAdd(root, numbers.Count);
            ScaleSlot[] own = [.. group.Select(s => s with { Channels = [.. Roots(s).Select(r => numbers.GetValueOrDefault(r, -1))] })];
            places.Add(new ScalePlace(own.First(s => !s.Consumes).Node.Input(own.First(s => !s.Consumes).Input)!.Name, numbers.Count, [.. own.Where(s => !s.Consumes)], [.. own.Where(s => s.Consumes)]));
        }
        return places;
    }

    private void Visit(Node node)
    {
        if (node.Bodies.Any() || node.Domain.Length > 0) { BlockInputs(node); return; }
        switch (node.OpType)
        {
            case "Constant" or "Shape" or "Size": return;
            case "Conv" or "ConvTranspose": Convolution(node); return;
            case "Gemm": Gemm(node); return;
            case "MatMul": MatMul(node); return;
            case "LSTM" or "GRU" or "RNN": Recurrent(node); return;
            case "BatchNormalization" or "InstanceNormalization" or "LayerNormalization": Normalization(node); return;
            case "Add" or "Sum" or "Sub": Sum(node); return;
            case "Mul": Product(node); return;
            case "Div" or "PRelu": Follow(node, 0); return;
            case "Clip": Clip(node); return;
            case "Concat": Concat(node); return;
            case "Split": Split(node); return;
            case "Transpose": Transpose(node); return;
            case "Squeeze" or "Unsqueeze" or "Flatten" or "Reshape": Reshape(node); return;
            case "Pad": Pad(node); return;
            case "Resize": Resize(node); return;
        }
        if (Homogeneous.Contains(node.OpType)) Pass(node, LabelsOf(node.Input(0)));
        else if (Pools.Contains(node.OpType) && LabelsOf(node.Input(0)) is { Axis: 1 } pooled && node.Output(1) is null) Pass(node, pooled);
        else if (Reductions.Contains(node.OpType)) Reduce(node);
        else BlockInputs(node);
    }

    private void Convolution(Node node)
    {
        var input = LabelsOf(node.Input(0));
        var transposed = node.Is("ConvTranspose");
        if (Own(node, 1) is not { Rank: > 2 } w || !HasFixedBias(node) || node.Int("group", 1) is not (>= 1 and var groups) || w.Shape[0] % groups != 0) { BlockInputs(node); return; }
        long kernel = 1;
        for (var i = 2; i < w.Rank; i++) kernel *= w.Shape[i];
        // Conv W: [M, C/groups, k...]; ConvTranspose W: [C, M/groups, k...].
        var first = ChannelIndex.Along(w.Shape, 0);
        var second = new ChannelIndex(kernel, w.Shape[1], w.Count / groups);
        var (ins, outs) = transposed ? (first, second) : (second, first);
        var (inputs, outputs) = transposed ? (w.Shape[0], w.Shape[1] * groups) : (w.Shape[1] * groups, w.Shape[0]);
        if (input is { Axis: 1 } && input.Channels.Length == inputs) slots.Add(new ScaleSlot(node, 1, ins, input.Channels, Consumes: true));
        else if (input is not null) Block(input);
        Make(node, 1, (int)outputs, (1, outs), Bias(node, (int)outputs));
    }

    private void Gemm(Node node)
    {
        var input = LabelsOf(node.Input(0));
        if (node.Int("transA", 0) != 0 || Own(node, 1) is not { Rank: 2 } w || !HasFixedBias(node)) { BlockInputs(node); return; }
        var rows = node.Int("transB", 0) != 0 ? 1 : 0;
        if (input is { Axis: 1 } && input.Channels.Length == w.Shape[rows]) slots.Add(new ScaleSlot(node, 1, ChannelIndex.Along(w.Shape, rows), input.Channels, Consumes: true));
        else if (input is not null) Block(input);
        var n = (int)w.Shape[1 - rows];
        var bias = node.Input(2)?.Constant;
        if (bias is not null && (bias.Count != n || bias.Rank == 0 || bias.Shape[^1] != n)) return; // not one figure a channel
        Make(node, 1, n, (1, ChannelIndex.Along(w.Shape, 1 - rows)), Bias(node, n));
    }

    private void MatMul(Node node)
    {
        var (a, b) = (LabelsOf(node.Input(0)), LabelsOf(node.Input(1)));
        if (Own(node, 1) is { Rank: 2 } w && shapeOf(node.Input(0)!) is { Count: >= 2 } left)
        {
            if (a is not null && a.Axis == left.Count - 1 && a.Channels.Length == w.Shape[0]) slots.Add(new ScaleSlot(node, 1, ChannelIndex.Along(w.Shape, 0), a.Channels, Consumes: true, a.Axis));
            else if (a is not null) Block(a);
            Make(node, left.Count - 1, (int)w.Shape[1], (1, ChannelIndex.Along(w.Shape, 1)));
            return;
        }
        if (a is null && b is null) return;
        // Columns of the second factor stay columns: values that an attention weighs.
        if (a is null && shapeOf(node.Input(1)!) is { Count: >= 2 } y && b!.Axis == y.Count - 1 && shapeOf(node.Output(0)!) is { Count: >= 2 } z) labels[node.Output(0)!] = b with { Axis = z.Count - 1 };
        else BlockInputs(node);
    }

    private void Recurrent(Node node)
    {
        BlockInputs(node, from: 1);
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (input.Axis == 2 && Own(node, 1) is { Rank: 3 } w) slots.Add(new ScaleSlot(node, 1, ChannelIndex.Along(w.Shape, 2), input.Channels, Consumes: true, 2));
        else Block(input);
    }

    // Its own factors are applied after what it makes of any input.
    private void Normalization(Node node)
    {
        BlockInputs(node);
        if (Own(node, 1) is not { Rank: 1 } scale || (node.Input(2) is { } b && (b.Fixed() is not { ElementType: ElementType.Float } shift || shift.Count != scale.Count))) return;
        var isLast = node.Is("LayerNormalization");
        if (node.Int("training_mode", 0) != 0 || shapeOf(node.Output(0)!) is not { } shape || (isLast && node.Int("axis", -1) is not -1 and var axis && axis != shape.Count - 1)) return;
        var index = ChannelIndex.Along(scale.Shape, 0);
        Make(node, isLast ? shape.Count - 1 : 1, (int)scale.Count, (1, index), node.Input(2) is null ? null : (2, index));
    }

    private void Sum(Node node)
    {
        if (Common(node) is not { } common) return;
        var (rank, axis, first) = common;
        foreach (var input in node.Inputs.OfType<Value>())
            if (!labels.ContainsKey(input) && (input.Fixed() is not { ElementType: ElementType.Float } constant || axis - (rank - constant.Rank) is not (>= 0 and var at) || constant.Shape[at] != first.Length)) { BlockInputs(node); return; }
        for (var i = 0; i < node.Inputs.Count; i++)
        {
            if (node.Input(i) is not { } value) continue;
            if (labels.TryGetValue(value, out var other)) for (var c = 0; c < first.Length; c++) joined.Join(first[c], other.Channels[c]);
            else slots.Add(new ScaleSlot(node, i, ChannelIndex.Along(value.Constant!.Shape, axis - (rank - value.Constant.Rank)), first, Consumes: false));
        }
        labels[node.Output(0)!] = new Labels(axis, first);
    }

    private void Product(Node node)
    {
        var (a, b) = (LabelsOf(node.Input(0)), LabelsOf(node.Input(1)));
        if (a is not null && b is not null) { BlockInputs(node); return; }
        if (a is not null || b is not null) { Follow(node, a is not null ? 0 : 1); return; }
        // A factor for each channel of what could not be scaled before: the last step of a normalization.
        for (var i = 0; i < 2; i++)
        {
            if (Own(node, i) is not { } factor || shapeOf(node.Output(0)!) is not { } shape || factor.Shape.ToArray().Count(d => d > 1) != 1) continue;
            var at = factor.Shape.ToArray().ToList().FindIndex(d => d > 1);
            var axis = at + shape.Count - factor.Rank;
            if (axis >= 0 && shape[axis] == factor.Count) Make(node, axis, (int)factor.Count, (i, ChannelIndex.Along(factor.Shape, at)));
            return;
        }
    }

    /// <summary>One input is scaled, whatever the others are: a product, a quotient, a slope.</summary>
    private void Follow(Node node, int input)
    {
        if (node.Inputs.Where((v, i) => i != input && LabelsOf(v) is not null).Any() || LabelsOf(node.Input(input)) is not { } known || shapeOf(node.Input(input)!) is not { } from || shapeOf(node.Output(0)!) is not { } to) { BlockInputs(node); return; }
        var axis = known.Axis + to.Count - from.Count;
        // One channel that is spread over many is a factor of all of them.
        if (to[axis] != known.Channels.Length) { BlockInputs(node); return; }
        labels[node.Output(0)!] = known with { Axis = axis };
    }

    // 0 and infinity are the bounds that stay what they are.
    private void Clip(Node node)
    {
        var (low, high) = node.Inputs.Count > 1 || node.Attributes.Count == 0
            ? (Bound(node.Input(1), float.NegativeInfinity), Bound(node.Input(2), float.PositiveInfinity))
            : (node.Float("min", float.NegativeInfinity), node.Float("max", float.PositiveInfinity));
        if ((low is 0 || low <= float.MinValue) && (high is 0 || high >= float.MaxValue)) Pass(node, LabelsOf(node.Input(0)));
        else BlockInputs(node);

        static float Bound(Value? value, float absent) => value is null ? absent : value.Fixed() is { ElementType: ElementType.Float, Count: 1 } t ? t.ToFloats()[0] : float.NaN;
    }

    private void Concat(Node node)
    {
        if (!node.Inputs.Any(i => LabelsOf(i) is not null)) return;
        if (node.Inputs.Any(i => i is null || shapeOf(i) is null)) { BlockInputs(node); return; }
        var axis = Positive(node.Int("axis", 0), shapeOf(node.Input(0)!)!.Count);
        if (node.Inputs.All(i => LabelsOf(i) is not { } l || l.Axis == axis))
        {
            labels[node.Output(0)!] = new Labels(axis, [.. node.Inputs.SelectMany(i => LabelsOf(i)?.Channels ?? joined.Fixed((int)shapeOf(i!)![axis], "not scaled"))]);
            return;
        }
        var first = LabelsOf(node.Inputs.First(i => LabelsOf(i) is not null))!;
        if (node.Inputs.Any(i => LabelsOf(i) is not { } l || l.Axis != first.Axis || l.Channels.Length != first.Channels.Length)) { BlockInputs(node); return; }
        foreach (var other in node.Inputs) for (var c = 0; c < first.Channels.Length; c++) joined.Join(first.Channels[c], labels[other!].Channels[c]);
        labels[node.Output(0)!] = first;
    }

    private void Split(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (shapeOf(node.Input(0)!) is not { } shape || node.Outputs.Any(o => o is null || shapeOf(o) is null)) { Block(input); return; }
        var (axis, at) = (Positive(node.Int("axis", 0), shape.Count), 0);
        foreach (var output in node.Outputs.OfType<Value>())
        {
            var count = (int)shapeOf(output)![axis];
            labels[output] = axis == input.Axis ? new Labels(axis, input.Channels[at..(at + count)]) : input;
            at += count;
        }
    }

    private void Transpose(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (shapeOf(node.Input(0)!) is not { } shape) { Block(input); return; }
        var order = node.Ints("perm") ?? [.. Enumerable.Range(0, shape.Count).Reverse().Select(i => (long)i)];
        labels[node.Output(0)!] = input with { Axis = Array.IndexOf(order, (long)input.Axis) };
    }

    // The axis stays, or is joined with its neighbours: every channel then has several indices.
    private void Reshape(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (shapeOf(node.Input(0)!) is not { } from || shapeOf(node.Output(0)!) is not { } to) { Block(input); return; }
        long before = 1, outer = 1, size = input.Channels.Length;
        for (var i = 0; i < input.Axis; i++) before *= from[i];
        for (var axis = 0; axis < to.Count && size > 1; outer *= to[axis++])
        {
            if (outer > before || before % outer != 0 || outer * to[axis] % (before * size) != 0 || outer * to[axis] == 0) continue;
            var inner = outer * to[axis] / (before * size);
            labels[node.Output(0)!] = new Labels(axis, [.. Enumerable.Range(0, (int)to[axis]).Select(i => input.Channels[(int)(i / inner % size)])]);
            return;
        }
        Block(input);
    }

    private void Pad(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        var isZero = node.Input(2) is null || node.Input(2).Fixed() is { ElementType: ElementType.Float, Count: 1 } fill && fill.ToFloats()[0] == 0;
        if (isZero && node.Input(3) is null && node.Input(1)?.Fixed() is { ElementType: ElementType.Int64 } pads && shapeOf(node.Input(0)!) is { } shape && pads.Count == 2 * shape.Count
            && pads.ToLongs() is var counts && counts[input.Axis] == 0 && counts[input.Axis + shape.Count] == 0) labels[node.Output(0)!] = input;
        else Block(input);
    }

    private void Resize(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (node.String("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize" && shapeOf(node.Input(0)!) is { } from && shapeOf(node.Output(0)!) is { } to
            && from.Count == to.Count && from[input.Axis] == to[input.Axis]) labels[node.Output(0)!] = input;
        else Block(input);
    }

    private void Reduce(Node node)
    {
        if (LabelsOf(node.Input(0)) is not { } input) return;
        if (shapeOf(node.Input(0)!) is not { } shape || ShapeRules.Axes(node) is not { Length: > 0 } given) { Block(input); return; }
        var axes = given.Select(a => Positive(a, shape.Count)).ToHashSet();
        if (axes.Contains(input.Axis)) Block(input);
        else labels[node.Output(0)!] = node.Int("keepdims", 1) != 0 ? input : input with { Axis = input.Axis - axes.Count(a => a < input.Axis) };
    }

    private void Pass(Node node, Labels? input)
    {
        BlockInputs(node, from: 1);
        if (input is not null) labels[node.Output(0)!] = input;
    }

    /// <summary>What the scaled inputs of a sum have in common: the rank of the sum, its axis and its channels. Null, and the inputs stay, where they do not fit.</summary>
    private (int Rank, int Axis, int[] Channels)? Common(Node node)
    {
        Value[] known = [.. node.Inputs.OfType<Value>().Where(labels.ContainsKey)];
        if (known.Length == 0) return null;
        if (shapeOf(node.Output(0)!) is not { } shape || known.Any(v => shapeOf(v) is null)) { BlockInputs(node); return null; }
        int Axis(Value v) => labels[v].Axis + shape.Count - shapeOf(v)!.Count;
        var first = labels[known[0]].Channels;
        if (known.All(v => Axis(v) == Axis(known[0]) && labels[v].Channels.Length == first.Length)) return (shape.Count, Axis(known[0]), first);
        BlockInputs(node);
        return null;
    }

    private void Make(Node node, int axis, int count, params (int Input, ChannelIndex Index)?[] constants)
    {
        var output = node.Output(0)!;
        if (dead.Contains(output)) return;
        var channels = joined.New(count);
        made[output] = channels;
        foreach (var constant in constants) if (constant is { } c) slots.Add(new ScaleSlot(node, c.Input, c.Index, channels, Consumes: false));
        labels[output] = new Labels(axis, channels);
    }

    private static (int, ChannelIndex)? Bias(Node node, int count) => node.Input(2) is null ? null : (2, new ChannelIndex(1, count, count));

    private static bool HasFixedBias(Node node) => node.Input(2) is null || node.Input(2).Fixed() is { ElementType: ElementType.Float };

    private static Tensor? Own(Node node, int input) => node.Input(input).Fixed() is { ElementType: ElementType.Float, Count: > 0 } w && node.Input(input) is { Uses.Count: 1, IsGraphOutput: false } ? w : null;

    private Labels? LabelsOf(Value? value) => value is not null && labels.TryGetValue(value, out var known) ? known : null;

    private static int Positive(long axis, int rank) => (int)(axis < 0 ? axis + rank : axis);

    private void Block(Labels known)
    {
        foreach (var channel in known.Channels) joined.Block(channel, "not scaled");
    }

    private void BlockInputs(Node node, int from = 0)
    {
        foreach (var input in node.Inputs.Skip(from)) if (LabelsOf(input) is { } known) Block(known);
    }
}
