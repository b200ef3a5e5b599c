using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Placement;

/// <summary>Writes QuantizeLinear and DequantizeLinear pairs; unsigned 8-bit activations, one scale a tensor.</summary>
internal static class QdqWriter
{
    /// <summary>Quantizes the values of <paramref name="region"/> in its own model; a value without parameters is an error of the caller.</summary>
    public static void Write(QuantizedRegion region, IReadOnlyDictionary<string, QuantizationParameters> parameters)
    {
        var integers = region.Integers.ToHashSet();
        var stored = new Dictionary<QuantizationParameters, (Value Scale, Value Zero)>();
        foreach (var (value, fromInteger, _, _) in region.Values)
        {
            var graph = value.Graph;
            var p = parameters[value.Name];
            if (!stored.TryGetValue(p, out var constants))
                stored.Add(p, constants = (graph.AddInitializer("s", Tensor.Scalar(p.Scale)), graph.AddInitializer("z", Tensor.Scalar(p.ZeroPoint))));
            var readers = value.Uses.Where(u => fromInteger || integers.Contains(u.Node)).ToArray();
            var shown = fromInteger && value.IsGraphOutput;
            var after = value.Producer is { } producer ? producer.Next : graph.Nodes.First;
            var quantize = graph.Insert(after, "QuantizeLinear", "q", [value, constants.Scale, constants.Zero]);
            var dequantize = graph.Insert(after, "DequantizeLinear", "d", [quantize.Output(0), constants.Scale, constants.Zero]);
            foreach (var reader in readers) reader.Node.SetInput(reader.Index, dequantize.Output(0));
            if (!shown) continue;
            // The output keeps its name: it belongs to the dequantized value now.
            var at = graph.Outputs.IndexOf(value);
            var output = dequantize.Output(0)!;
            (output.Name, value.Name) = (value.Name, graph.Model.NewName(value.Name));
            output.Info = value.Info;
            graph.Outputs[at] = output;
        }
    }
}
