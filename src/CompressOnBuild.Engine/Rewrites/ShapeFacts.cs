using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// What is certain about shapes before a model runs. A fact comes from a declared input (ONNX Runtime refuses other inputs), from a constant, or from
/// the shape rule of an operator (<see cref="ShapeRules"/>) applied to facts. Declared shapes inside a graph are only hints: exporters leave stale ones.
/// </summary>
internal sealed class ShapeFacts
{
    private readonly Dictionary<Value, long[]> shapes = [];

    /// <summary>Dimensions of which only the rank is known.</summary>
    internal const long Unknown = -1;

    private ShapeFacts() { }

    /// <summary>Facts of every value of the model, nested bodies included, as it stands now.</summary>
    public static ShapeFacts Of(Model model)
    {
        var facts = new ShapeFacts();
        facts.Visit(model.Graph);
        return facts;
    }

    /// <summary>The number of axes; null when it is not certain.</summary>
    public int? RankOf(Value value) => Of(value)?.Length;

    /// <summary>The shape with -1 for dimensions only known at run time; null when not even the rank is certain.</summary>
    public long[]? Of(Value value) => value.Fixed() is { } tensor ? tensor.Shape.ToArray() : shapes.GetValueOrDefault(value);

    /// <summary>The shape when every dimension is certain, else null.</summary>
    public long[]? StaticOf(Value value) => Of(value) is { } shape && !shape.Contains(Unknown) ? shape : null;

    private void Visit(Graph graph)
    {
        foreach (var input in graph.Inputs)
            // Inputs of bodies change from one iteration to the next; only callers' inputs are checked by the runtime.
            if (graph.Outer is null && input.Info?.Type?.TensorType?.Shape is { } declared)
                shapes[input] = [.. declared.Dim.Select(d => d.HasDimValue && d.DimValue > 0 ? d.DimValue : Unknown)];
        foreach (var node in graph.Nodes)
        {
            foreach (var body in node.Bodies) Visit(body);
            if (node.Domain.Length > 0) continue;
            for (var i = 0; i < node.Outputs.Count; i++)
                if (node.Outputs[i] is { } output && ShapeRules.Output(node, i, this) is { } shape) shapes[output] = shape;
        }
    }
}
