using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites.Opsets;

/// <summary>
/// What changed in the operators between versions 7 and 13, each as the way to write the old meaning in the new form. A row is an operator, the version that
/// changed it, and the change, which returns null or the reason why this node cannot be written in the new form.
/// </summary>
internal sealed class OpsetAdapters
{
    private readonly ShapeFacts facts;
    private readonly bool oldScan;
    private readonly (string Op, int Version, Func<Node, string?> Change)[] rows;

    public OpsetAdapters(ShapeFacts facts, int from)
    {
        this.facts = facts;
        oldScan = from < 9;
        rows =
        [
            ("BatchNormalization", 9, BatchNormalization),
            ("Scan", 9, Scan),
            ("Upsample", 9, n => MoveToInput(n, "scales", 1, a => Tensor.Create(a.Proto.Floats.ToArray(), a.Proto.Floats.Count))),
            ("Slice", 10, Slice),
            ("TopK", 10, n => MoveToInput(n, "k", 1, a => Tensor.Create([a.Proto.I], 1))),
            ("Upsample", 10, n => { n.Shell.OpType = "Resize"; return null; }),
            ("Clip", 11, Clip),
            ("ConvTranspose", 11, ConvTranspose),
            ("Pad", 11, Pad),
            ("Resize", 11, Resize),
            ("Scatter", 11, n => { n.Shell.OpType = "ScatterElements"; return null; }),
            ("Dropout", 12, Dropout),
            ("Hardmax", 13, Softmax),
            ("LogSoftmax", 13, Softmax),
            ("NegativeLogLikelihoodLoss", 13, _ => "is only used in training"),
            ("ReduceSum", 13, n => MoveToInput(n, "axes", 1, Integers)),
            ("Resize", 13, n => n.String("coordinate_transformation_mode", "") == "tf_half_pixel_for_nn" ? "uses tf_half_pixel_for_nn, which operator set 13 took away" : null),
            ("Softmax", 13, Softmax),
            ("SoftmaxCrossEntropyLoss", 13, _ => "is only used in training"),
            ("Split", 13, n => MoveToInput(n, "split", 1, Integers)),
            ("Squeeze", 13, n => MoveToInput(n, "axes", 1, Integers)),
            ("Unsqueeze", 13, n => MoveToInput(n, "axes", 1, Integers)),
        ];
    }

    /// <summary>Writes one node the new way.</summary>
    public (bool Touched, string? Refusal) Adapt(Node node, int from, int target)
    {
        var known = UnchangedOperators.Contains(node.OpType);
        var touched = false;
        foreach (var (op, version, change) in rows)
        {
            if (node.OpType != op) continue;
            known = true;
            if (version <= from || version > target) continue;
            if (change(node) is { } refusal) return (true, refusal);
            touched = true;
        }
        return (touched, known ? null : "is not known to mean the same in both");
    }

    private static Tensor Integers(NodeAttribute attribute) => Tensor.Create(attribute.Proto.Ints.ToArray(), attribute.Proto.Ints.Count);

    private static string? MoveToInput(Node node, string name, int index, Func<NodeAttribute, Tensor> tensor)
    {
        if (node.Attribute(name) is not { } attribute) return null;
        node.RemoveAttribute(name);
        node.SetInput(index, node.Graph.AddInitializer($"{node.Output(0)}_{name}", tensor(attribute)));
        return null;
    }

    // 9 took the attribute spatial away: statistics are per channel. Outputs beyond the first belong to training.
    private static string? BatchNormalization(Node node)
    {
        if (node.Int("spatial", 1) == 0) return "normalizes every element by itself (spatial = 0), which operator set 9 took away";
        node.RemoveAttribute("spatial");
        return null;
    }

    // 9 took the batch axis and the sequence lengths away.
    private string? Scan(Node node) => oldScan ? "scans batches, which operator set 9 took away" : null;

    private static string? Slice(Node node)
    {
        MoveToInput(node, "starts", 1, Integers);
        MoveToInput(node, "ends", 2, Integers);
        return MoveToInput(node, "axes", 3, Integers);
    }

    // 11: bounds are scalar inputs of the data's type; an absent attribute was the largest finite number, an absent input is no bound at all.
    private static string? Clip(Node node)
    {
        if (node.Attribute("min") is null && node.Attribute("max") is null) return null;
        if (FloatType(node.Input(0)!) is not { } type) return "clips values whose type the model does not state";
        foreach (var (name, index) in new[] { ("min", 1), ("max", 2) })
            if (node.Attribute(name) is { } bound)
            {
                // The largest float is infinity in fp16, where it means the same: no bound.
                double value = bound.Proto.F;
                var tensor = type switch
                {
                    ElementType.Double => Tensor.Scalar(value),
                    ElementType.Float16 => Tensor.Scalar((Half)value),
                    _ => Tensor.Scalar((float)value),
                };
                node.RemoveAttribute(name);
                node.SetInput(index, node.Graph.AddInitializer($"{node.Output(0)}_{name}", tensor));
            }
        return null;
    }

    // The rule which side gets the odd pixel of SAME padding was written down only in 11.
    private static string? ConvTranspose(Node node) =>
        node.String("auto_pad", "NOTSET").StartsWith("SAME", StringComparison.Ordinal) ? "pads automatically, for which operator set 11 made another rule" : null;

    private static string? Pad(Node node)
    {
        var value = node.Float("value", 0);
        if (value != 0 && FloatType(node.Input(0)!) is not ElementType.Float) return "pads with a number although its type is not known to be float";
        MoveToInput(node, "pads", 1, Integers);
        node.RemoveAttribute("value");
        if (value != 0) node.SetInput(2, node.Graph.AddInitializer($"{node.Output(0)}_value", Tensor.Scalar(value)));
        return null;
    }

    // 11 added ways to map coordinates; the old way is "asymmetric". For nearest, ONNX Runtime rounded down when enlarging and up when shrinking.
    private static string? Resize(Node node)
    {
        node.SetAttribute(NodeAttribute.String("coordinate_transformation_mode", "asymmetric"));
        if (node.String("mode", "nearest") == "nearest")
        {
            if (node.Input(1).Fixed() is not { ElementType: ElementType.Float } tensor) return "takes its scales at run time";
            var scales = tensor.ToFloats();
            if (scales.Any(s => s < 1) && scales.Any(s => s > 1)) return "enlarges one axis and shrinks another";
            node.SetAttribute(NodeAttribute.String("nearest_mode", scales.Any(s => s < 1) ? "ceil" : "floor"));
        }
        node.SetInput(2, node.Input(1));
        node.SetInput(1, node.Graph.AddInitializer($"{node.Output(0)}_roi", Tensor.Create(Array.Empty<float>(), 0)));
        return null;
    }

    // In inference the ratio means nothing; the mask became boolean in 10.
    private static string? Dropout(Node node)
    {
        if (node.Output(1) is { } mask && (mask.Uses.Count > 0 || mask.IsGraphOutput)) return "has a mask that is read";
        node.RemoveAttribute("ratio");
        return null;
    }

    // 13: normalizes along one axis; before, over all elements from that axis (default 1) on.
    private string? Softmax(Node node)
    {
        var input = node.Input(0)!;
        var axis = node.Int("axis", 1);
        var shape = facts.Of(input);
        if (shape is not null && axis < 0) axis += shape.Length;
        if (axis == -1 || (shape is not null && axis == shape.Length - 1))
        {
            node.SetAttribute(NodeAttribute.Int("axis", -1));
            return null;
        }
        if (shape is not null && axis >= 0 && axis < shape.Length && shape[(int)(axis + 1)..].All(d => d == 1))
        {
            node.SetAttribute(NodeAttribute.Int("axis", axis));
            return null;
        }
        var graph = node.Graph;
        var output = node.Output(0)!;
        var dims = graph.Insert(node, "Shape", $"{output}_shape", [input]);
        var flat = graph.Insert(node, "Flatten", $"{output}_flat", [input], [NodeAttribute.Int("axis", axis)]);
        node.SetInput(0, flat.Output(0));
        node.SetAttribute(NodeAttribute.Int("axis", 1));
        node.SetOutput(0, graph.NewValue($"{output}_rows"));
        graph.Insert(node.Next, "Reshape", output.Name, [node.Output(0), dims.Output(0)]).SetOutput(0, output);
        return null;
    }

    /// <summary>The float type of a value: declared, of a constant or a Cast, else the type of what it was computed from; null when that leads nowhere.</summary>
    private static ElementType? FloatType(Value value)
    {
        for (var steps = 0; steps < 10_000; steps++)
        {
            if (value.ElementType is not ElementType.Undefined and var type) return type.IsFloat() ? type : null;
            if (value.Producer is not { Domain: "" } producer || producer.Bodies.Any()) return null;
            if (producer.Is("Cast")) return (ElementType)producer.Int("to", 0) is var to && to.IsFloat() ? to : null;
            var source = producer.OpType switch
            {
                "Where" or "DequantizeLinear" => 1,
                "OneHot" => 2,
                "ConstantOfShape" or "EyeLike" or "RandomNormal" or "RandomUniform" or "RandomNormalLike" or "RandomUniformLike" => -1,
                _ => 0,
            };
            if (source < 0 || producer.Input(source) is not { } next) return null;
            value = next;
        }
        return null;
    }
}
