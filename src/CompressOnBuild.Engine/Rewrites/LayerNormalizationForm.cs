using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Writes a layer normalization (Ba, Kiros and Hinton 2016, "Layer Normalization", section 3) that an exporter took apart in its own way in the one
/// way that ONNX Runtime knows to be one, and runs as one kernel: (x - mean) / Sqrt(ReduceMean((x - mean)^2) + epsilon) * gamma + beta over the last axis. Another axis is
/// moved there and back.
/// Legal when
/// - mean is ReduceMean over one axis of known length N, or ReduceSum times 1/N or by N; its axis may have been dropped and put back by Reshape or Unsqueeze;
/// - the variance is the mean of (x - mean)^2, or mean(x^2) - mean^2, with Max(0, .) around it or without (the first is never below 0);
/// - it is divided by Sqrt(variance + epsilon), or multiplied by Reciprocal of it, or by 1 over it, before or after gamma;
/// - epsilon is a positive scalar; gamma and beta are constants with one number for each place of the axis, or one for all;
/// - all are floats of 32 bits, and nobody else reads what is in between.
/// </summary>
internal sealed class LayerNormalizationForm : IRewrite
{
    private const int ReducesByInput = 18, LowestOpset = 7;

    public string Name => "write-layer-normalizations";

    public string Describe(int count) => $"wrote {count} layer normalizations as the runtime knows them";

    public int Apply(Model model)
    {
        if (model.Opset() < LowestOpset) return 0;
        var symbols = new SymbolicShapes(ShapeFacts.Of(model));
        var (shown, changed) = (model.Shown(), 0);
        foreach (var graph in model.Graphs())
            foreach (var node in graph.Nodes)
                if (node.Is("Add") && Match.Of(node, symbols, shown) is { } found)
                {
                    Write(found, node, model.Opset());
                    changed++;
                }
        if (changed > 0) model.Graph.RemoveUnused();
        return changed;
    }

    private static void Write(Match m, Node last, int opset)
    {
        var graph = last.Graph;
        var stem = last.Output(0)!.Name;
        var rank = m.Rank;
        // The axis changes places with the last one.
        long[] swap = [.. Enumerable.Range(0, rank).Select(i => (long)(i == m.Axis ? rank - 1 : i == rank - 1 ? m.Axis : i))];
        var moved = m.Axis != rank - 1;
        Value Op(string op, string name, params Value[] inputs) => graph.Insert(last, op, $"{stem}_{name}", inputs).Output(0)!;
        Value Number(string name, float value) => graph.AddInitializer($"{stem}_{name}", Tensor.Scalar(value));
        Value Swapped(string name, Value value) => graph.Insert(last, "Transpose", $"{stem}_{name}", [value], [NodeAttribute.Ints("perm", swap)]).Output(0)!;
        Value Mean(string name, Value value) => opset >= ReducesByInput
            ? graph.Insert(last, "ReduceMean", $"{stem}_{name}", [value, graph.AddInitializer($"{stem}_axis", Tensor.Create([-1L], 1))], [NodeAttribute.Int("keepdims", 1)]).Output(0)!
            : graph.Insert(last, "ReduceMean", $"{stem}_{name}", [value], [NodeAttribute.Ints("axes", -1L), NodeAttribute.Int("keepdims", 1)]).Output(0)!;
        Value PerPlace(string name, float[] values) => graph.AddInitializer($"{stem}_{name}", Tensor.Create(values, values.Length));

        var x = moved ? Swapped("swapped", m.X) : m.X;
        var centred = Op("Sub", "centred", x, Mean("mean", x));
        var variance = Mean("variance", Op("Pow", "squared", centred, Number("two", 2)));
        var deviation = Op("Sqrt", "deviation", Op("Add", "kept", variance, Number("epsilon", m.Epsilon)));
        var scaled = Op("Mul", "scaled", Op("Div", "normalized", centred, deviation), PerPlace("gamma", m.Gamma));
        var output = last.Output(0)!;
        last.SetOutput(0, graph.NewValue(stem));
        var shifted = graph.Insert(last, "Add", $"{stem}_shifted", [scaled, PerPlace("beta", m.Beta)]);
        if (!moved) shifted.SetOutput(0, output);
        else graph.Insert(last, "Transpose", stem, [shifted.Output(0)], [NodeAttribute.Ints("perm", swap)]).SetOutput(0, output);
        graph.Remove(last);
    }

    /// <summary>What was found: y = (x - mean) / Sqrt(variance + <paramref name="Epsilon"/>) * gamma + beta along <paramref name="Axis"/>; gamma and beta [N].</summary>
    private sealed record Match(Value X, int Axis, int Rank, float Epsilon, float[] Gamma, float[] Beta)
    {
        public static Match? Of(Node add, SymbolicShapes symbols, HashSet<Value> shown)
        {
            foreach (var (product, beta) in Both(add))
            {
                if (product.Producer is not { } scaled || beta.Fixed() is not { ElementType: ElementType.Float } b || Factors(scaled) is not var (centred, kept, g)) continue;
                if (centred.Producer is not { } sub || !sub.Is("Sub") || sub.Input(0) is not { } x || sub.Input(1) is not { } mean || symbols.ShapeOf(x) is not { } shape) continue;
                if (MeanOf(Bare(mean)) is not var (of, given, keeps) || of != x || AxisOf(given, shape) is not { } axis || !LinesUp(mean, keeps, shape, axis, symbols)) continue;
                if (kept.Producer is not { } grown || !grown.Is("Add")) continue;
                var epsilon = Both(grown).Where(p => p.Second.Fixed() is { Count: 1, ElementType: ElementType.Float } && IsVariance(p.First, x, mean, centred, shape, axis, symbols)).Select(p => p.Second.Fixed()!.ToFloats()[0]).FirstOrDefault();
                var n = (int)shape[axis].Number;
                if (!(epsilon > 0) || PerPlace(g, shape.Length, axis, n) is not { } gammas || PerPlace(b, shape.Length, axis, n) is not { } betas) continue;
                if (!IsWritten(scaled, sub, grown, axis, shape.Length) && StaysInside(add, x, shape.Length, shown)) return new Match(x, axis, shape.Length, epsilon, gammas, betas);
            }
            return null;
        }

        /// <summary>The runtime's own form needs no writing.</summary>
        private static bool IsWritten(Node scaled, Node centred, Node kept, int axis, int rank) => axis == rank - 1
            && Both(scaled).Any(p => p.First.Producer is { OpType: "Div", Domain: "" }) && centred.Input(1)!.Producer!.Is("ReduceMean")
            && Both(kept).Any(p => p.First.Producer is { OpType: "ReduceMean", Domain: "" } m && m.Input(0)!.Producer is { } square && (square.Is("Pow") || square.Is("Mul")) && square.Input(0) == centred.Output(0));

        // x - mean, variance + epsilon, and gamma, however the three were multiplied.
        private static (Value Centred, Value Kept, Tensor Gamma)? Factors(Node node)
        {
            foreach (var (a, b) in node.Is("Mul") ? Both(node) : [])
            {
                // (centred * 1/s) * gamma, or (centred / s) * gamma
                if (b.Fixed() is { ElementType: ElementType.Float } outer && a.Producer is { } inner)
                {
                    if (inner.Is("Div") && RootOf(inner.Input(1)!) is { } divided) return (inner.Input(0)!, divided, outer);
                    if (inner.Is("Mul"))
                        foreach (var (c, r) in Both(inner))
                            if (InverseRootOf(r) is { } kept) return (c, kept, outer);
                }
                // centred * (1/s * gamma)
                if (b.Producer is { } factor && factor.Is("Mul"))
                    foreach (var (r, g) in Both(factor))
                        if (g.Fixed() is { ElementType: ElementType.Float } gamma && InverseRootOf(r) is { } kept) return (a, kept, gamma);
            }
            return null;
        }

        private static Value? RootOf(Value value) => value.Producer is { } root && root.Is("Sqrt") ? root.Input(0) : null;

        private static Value? InverseRootOf(Value value) => value.Producer is not { } node ? null
            : node.Is("Reciprocal") ? RootOf(node.Input(0)!)
            : node.Is("Div") && IsNumber(node.Input(0), 1) ? RootOf(node.Input(1)!)
            : node.Is("Pow") && IsNumber(node.Input(1), -0.5f) ? node.Input(0) : null;

        private static bool IsVariance(Value value, Value x, Value mean, Value centred, Extent[] shape, int axis, SymbolicShapes symbols)
        {
            var bare = Bare(value);
            if (bare.Producer is { } max && max.Is("Max") && Both(max).FirstOrDefault(p => IsNumber(p.Second, 0)).First is { } positive) bare = positive;
            if (MeanOf(bare) is var (squared, given, keeps)) return IsSquare(squared, centred) && AxisOf(given, shape) == axis && LinesUp(value, keeps, shape, axis, symbols);
            // mean(x^2) - mean^2, both with their axis or both without.
            return bare.Producer is { } sub && sub.Is("Sub") && MeanOf(sub.Input(0)!) is var (squares, along, keep) && IsSquare(squares, x) && AxisOf(along, shape) == axis
                && sub.Input(1) is { Producer: { } square } && square.Is("Mul") && square.Input(0) == square.Input(1) && MeanOf(square.Input(0)!) is var (same, _, keepsToo)
                && keep == keepsToo && same == x && square.Input(0) == Bare(mean) && LinesUp(value, keep, shape, axis, symbols);
        }

        private static bool IsSquare(Value value, Value of) => value.Producer is { } node
            && (node.Is("Mul") && node.Input(0) == of && node.Input(1) == of || node.Is("Pow") && node.Input(0) == of && IsNumber(node.Input(1), 2));

        /// <summary>What <paramref name="value"/> is the mean of: ReduceMean of it, or ReduceSum and the number by which to divide; whether the axis is kept with length 1.</summary>
        private static (Value Of, (long Axis, double? Scale) Given, bool Keeps)? MeanOf(Value value)
        {
            if (value.Producer is not { } node) return null;
            var (sum, scale) = (node, (double?)null);
            if (node.Is("Mul") && Both(node).FirstOrDefault(p => p.Second.Fixed() is { Count: 1, ElementType: ElementType.Float }) is { First: { Producer: { } summed }, Second: { } factor })
                (sum, scale) = (summed, factor.Fixed()!.ToFloats()[0]);
            else if (node.Is("Div") && node.Input(1).Fixed() is { Count: 1, ElementType: ElementType.Float } divisor && node.Input(0)!.Producer is { } divided)
                (sum, scale) = (divided, 1.0 / divisor.ToFloats()[0]);
            if (!sum.Is(scale is null ? "ReduceMean" : "ReduceSum") || ShapeRules.Axes(sum) is not [var axis] || sum.Input(0) is not { } input) return null;
            return (input, (axis, scale), sum.Int("keepdims", 1) != 0);
        }

        /// <summary>The axis, if its length is known and the factor of a sum is one over it.</summary>
        private static int? AxisOf((long Axis, double? Scale) given, Extent[] shape)
        {
            if (given.Axis < -shape.Length || given.Axis >= shape.Length) return null;
            var axis = (int)(given.Axis < 0 ? given.Axis + shape.Length : given.Axis);
            if (shape[axis] is not { Of: null, Number: > 0 and var n }) return null;
            // 1/N was rounded to a float.
            return given.Scale is not { } scale || Math.Abs(scale * n - 1) < 1e-6 ? axis : null;
        }

        /// <summary>Whether a reduced value has length 1 at the axis: it was kept, or dropped and put back there.</summary>
        private static bool LinesUp(Value value, bool keeps, Extent[] shape, int axis, SymbolicShapes symbols)
        {
            if (Bare(value) == value) return keeps;
            if (keeps || symbols.ShapeOf(value) is not { } put || put.Length != shape.Length) return false;
            // The number of elements stays: where all other lengths agree, one that is only named does, too.
            var differs = Enumerable.Range(0, shape.Length).Where(i => put[i] != (i == axis ? new Extent(1) : shape[i])).ToArray();
            return differs.Length == 0 || differs is [var one] && one != axis && shape[one].Of is not null && put[one].Of is not null;
        }

        /// <summary>The value before its axis was put back.</summary>
        private static Value Bare(Value value) => value.Producer is { } node && (node.Is("Reshape") || node.Is("Unsqueeze")) ? node.Input(0)! : value;

        private static float[]? PerPlace(Tensor tensor, int rank, int axis, int n)
        {
            var values = tensor.ToFloats();
            if (values.Length == 1 && tensor.Rank <= rank) return [.. Enumerable.Repeat(values[0], n)];
            if (values.Length != n || tensor.Rank > rank || tensor.Rank < rank - axis) return null;
            return tensor.Shape[tensor.Rank - (rank - axis)] == n ? values : null;
        }

        /// <summary>Whether everything between x and the sum is read by nothing else, and no constant adds an axis.</summary>
        private static bool StaysInside(Node add, Value x, int rank, HashSet<Value> shown)
        {
            var inside = new HashSet<Node> { add };
            var open = new Stack<Node>([add]);
            while (open.TryPop(out var node))
                foreach (var input in node.Inputs)
                    if (input is not null && input != x && input.Constant is null && input.Producer is { } producer && IsOfData(input) && inside.Add(producer)) open.Push(producer);
            if (inside.Any(n => n.OpType is "Add" or "Sub" or "Mul" or "Div" or "Pow" or "Max" && n.Inputs.Any(i => i?.Constant?.Rank > rank))) return false;
            return inside.All(n => n == add || n.Outputs.All(o => o is null || !shown.Contains(o) && o.Uses.All(u => inside.Contains(u.Node))));
        }

        // Targets of Reshape are computed from elsewhere.
        private static bool IsOfData(Value value) => !value.Uses.All(u => u is { Index: 1, Node.OpType: "Reshape" or "Unsqueeze" or "Expand" });

        private static bool IsNumber(Value? value, float number) => value.Fixed() is { Count: 1, ElementType: ElementType.Float } t && t.ToFloats()[0] == number;

        private static IEnumerable<(Value First, Value Second)> Both(Node node) =>
            node.Inputs is [{ } a, { } b] ? [(a, b), (b, a)] : [];
    }
}
