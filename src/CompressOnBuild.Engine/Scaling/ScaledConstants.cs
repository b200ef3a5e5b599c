using CompressOnBuild.Onnx;

namespace CompressOnBuild.Scaling;

/// <summary>The constants of a model while factors go into them, in double precision; written back once.</summary>
internal sealed class ScaledConstants
{
    private readonly Dictionary<(Node Node, int Input), double[]> values = [];
    private readonly HashSet<(Node, int)> changed = [];
    private readonly List<(Node Node, int Input)> order = [];

    /// <summary>What a slot holds now.</summary>
    public double[] Of(ScaleSlot slot)
    {
        if (values.TryGetValue((slot.Node, slot.Input), out var known)) return known;
        order.Add((slot.Node, slot.Input));
        return values[(slot.Node, slot.Input)] = Array.ConvertAll(slot.Tensor.ToFloats(), v => (double)v);
    }

    /// <summary>Divides what makes the channels of a place and multiplies what sums over them.</summary>
    public void Scale(ScalePlace place, double[] factors)
    {
        double[] inverse = [.. factors.Select(f => 1 / f)];
        foreach (var slot in place.Producers.Concat(place.Consumers))
        {
            slot.Multiply(Of(slot), slot.Consumes ? factors : inverse);
            changed.Add((slot.Node, slot.Input));
        }
    }

    /// <summary>Stores them in the model. A constant that others read as well is stored anew for the node.</summary>
    public void Write()
    {
        foreach (var (node, input) in order.Where(changed.Contains))
        {
            var value = node.Input(input)!;
            var tensor = Tensor.Create(Array.ConvertAll(values[(node, input)], v => (float)v), value.Constant!.Shape.ToArray());
            if (value is { Uses.Count: 1, IsGraphOutput: false }) value.SetConstant(tensor);
            else node.SetInput(input, node.Graph.AddInitializer(value.Name, tensor));
        }
    }
}
