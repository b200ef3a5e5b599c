using CompressOnBuild.Onnx;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Encodings;

/// <summary>Constants that several restored weights of a model share, where every body sees them.</summary>
internal sealed class RestoringTables
{
    private readonly Dictionary<string, Value> values = new(StringComparer.Ordinal);

    /// <summary>The constant of that key, made at first use.</summary>
    public Value Get(Model model, string key, Func<Tensor> make)
    {
        if (!values.TryGetValue(key, out var value)) values.Add(key, value = model.Graph.AddInitializer("t", make()));
        return value;
    }
}

/// <summary>
/// Writes the nodes that restore a weight, in <paramref name="graph"/> before <paramref name="spot"/>. A weight inside another one is restored
/// by the same method, so that kinds nest without a word about pairs.
/// </summary>
internal sealed class RestoringNodes(Graph graph, Node? spot, RestoringTables tables)
{
    // Slice got its bounds as inputs.
    private const int SliceInputs = 10;

    private static readonly Dictionary<Type, Func<RestoringNodes, CompressedWeight, Value>> s_steps = new()
    {
        [typeof(DenseWeight)] = (n, w) => n.Constant("w", ((DenseWeight)w).Values, w.Shape),
        [typeof(HalfWeight)] = (n, w) => n.Cast(n.Constant("w", ((HalfWeight)w).Values, w.Shape), ElementType.Float),
        [typeof(Quantized)] = (n, w) => n.Restore((Quantized)w),
        [typeof(Scaled)] = (n, w) => n.Scale(n.Restore(((Scaled)w).Inner), ((Scaled)w).Scales, ((Scaled)w).ScaleShape),
        [typeof(Codebook)] = (n, w) => n.Restore((Codebook)w),
        [typeof(Sparse)] = (n, w) => n.Restore((Sparse)w),
    };

    /// <summary>The restored weight, Float of its shape.</summary>
    public Value Restore(CompressedWeight weight) => s_steps[weight.GetType()](this, weight);

    // Codes to float, times the scales; whole bytes are stored as they are, fewer bits in planes.
    private Value Restore(Quantized weight)
    {
        var codes = weight.Bits == 8 ? Cast(Constant("w", weight.Codes, weight.Shape), ElementType.Float)
            : Unpack(BitPlanes.OffsetBinary(weight.Codes, weight.Bits), weight.Bits, signed: true, weight.Shape);
        return Scale(codes, weight.Scales, weight.ScaleShape);
    }

    // Indices, moved to the palette of their group, look up the entries.
    private Value Restore(Codebook weight)
    {
        var indices = Unpack(weight.Indices, weight.Bits, signed: false, weight.Shape);
        if (weight.Groups > 1)
        {
            float[] first = [.. weight.GroupOfChannel().Select(g => (float)(g << weight.Bits))];
            indices = Node("Add", [indices, Constant("o", first, ChannelView.Broadcast(weight.Shape, weight.ChannelAxes))]);
        }
        var entries = Restore(weight.Entries);
        if (weight.Entries.Shape.Length != 1) entries = Node("Reshape", [entries, Shape(-1)]);
        return Node("Gather", [entries, Cast(indices, ElementType.Int32)]);
    }

    // Of an element that is not zero, the ones up to it count which of the values it is; a zero is put before them for all others.
    private Value Restore(Sparse weight)
    {
        var mask = Cast(Unpack([.. weight.Mask.Select(m => (byte)(m ? 1 : 0))], 1, signed: false, [weight.Mask.Length]), ElementType.Int32);
        var rank = Node("CumSum", [mask, Shared("axis", () => Tensor.Scalar(0))]);
        var index = Node("Mul", [rank, mask]);
        var values = Node("Concat", [Shared("zero", () => Tensor.Create([0f], 1)), Restore(weight.Values)], NodeAttribute.Int("axis", 0));
        return Node("Reshape", [Node("Gather", [values, index]), Shape(weight.Shape)]);
    }

    private Value Scale(Value value, float[] scales, long[] shape) => scales is [1f] ? value : Node("Mul", [value, Constant("s", scales, shape)]);

    /// <summary>Packed codes as floats: for each plane Cast, Gather from a table of bytes, Cast, Reshape; Add of the planes.</summary>
    private Value Unpack(byte[] codes, int bits, bool signed, long[] shape)
    {
        if (bits == 8) return Cast(Constant("w", codes, shape), ElementType.Float);
        var whole = (codes.Length + BitPlanes.Alignment - 1) / BitPlanes.Alignment * BitPlanes.Alignment;
        var fills = whole == codes.Length;
        if (!fills) Array.Resize(ref codes, whole);
        var target = fills ? Shape(shape) : Shape(whole);
        Value? sum = null;
        foreach (var plane in BitPlanes.Of(bits))
        {
            var table = Shared($"{bits} {plane} {signed}", () => Tensor.Create(BitPlanes.Table(bits, plane, signed), 256, plane.CodesPerByte));
            var packed = BitPlanes.Pack(codes, plane);
            var rows = Node("Gather", [table, Cast(Constant("w", packed, packed.Length), ElementType.Int32)]);
            var part = Node("Reshape", [Cast(rows, ElementType.Float), target]);
            sum = sum is null ? part : Node("Add", [sum, part]);
        }
        return fills ? sum! : Node("Reshape", [First(sum!, Product(shape)), Shape(shape)]);
    }

    private Value First(Value flat, long count) => graph.Model.Opset() >= SliceInputs
        ? Node("Slice", [flat, Shared("start", () => Tensor.Create([0L], 1)), Shape(count)])
        : Node("Slice", [flat], NodeAttribute.Ints("starts", 0), NodeAttribute.Ints("ends", count));

    private static long Product(long[] shape) => shape.Aggregate(1L, (a, b) => a * b);

    private Value Shape(params long[] shape) => Shared($"shape {string.Join(',', shape)}", () => Tensor.Create(shape, shape.Length));

    private Value Shared(string key, Func<Tensor> make) => tables.Get(graph.Model, key, make);

    private Value Constant<T>(string stem, T[] values, params long[] shape) where T : unmanaged => graph.AddInitializer(stem, Tensor.Create(values, shape));

    private Value Cast(Value value, ElementType to) => Node("Cast", [value], NodeAttribute.Int("to", (int)to));

    private Value Node(string opType, Value[] inputs, params NodeAttribute[] attributes) =>
        graph.Insert(spot, opType, char.ToLowerInvariant(opType[0]).ToString(), inputs, attributes).Output(0)!;
}
