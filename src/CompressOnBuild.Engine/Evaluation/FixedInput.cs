using System.Globalization;
using System.Text.Json;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// An input of evaluation.json's <c>fixed</c>: a number, true/false, or nested arrays of them. A number fills the input's shape
/// (dynamic dimensions taken as 1); an array gives its own shape.
/// </summary>
internal sealed class FixedInput(string name, PositionedJson json)
{
    /// <summary>The constant in the element type of <paramref name="input"/>.</summary>
    public Tensor ToTensor(ModelValue input)
    {
        var values = new List<PositionedJson>();
        var shape = new List<long>();
        if (json.Kind == JsonTokenType.StartArray) Flatten(json, 0, shape, values);
        else
        {
            if (input.Shape is not null) shape.AddRange(input.Shape.Select(d => d ?? 1));
            long count = 1;
            foreach (var d in shape) count = d is >= 0 and <= 1 << 24 && count <= 1 << 24 ? count * d : throw json.Error($"the input '{name}' of shape {input} is too large to be filled with one number. At most 16777216 elements are valid. Put it into the data.");
            values.AddRange(Enumerable.Repeat(json, (int)Math.Min(count, 1 << 24)));
        }
        if (!InputCheck.Fits(input, [.. shape])) throw json.Error($"the fixed value of '{name}' has the shape [{string.Join(",", shape)}]. The model's input is {input}. Give a value of that shape.");
        return Fill(input, [.. shape], values);
    }

    private void Flatten(PositionedJson node, int depth, List<long> shape, List<PositionedJson> values)
    {
        if (node.Kind != JsonTokenType.StartArray)
        {
            if (depth != shape.Count) throw Ragged(node);
            values.Add(node);
            return;
        }
        // The first way down gives the shape; every other one has to repeat it.
        if (depth == shape.Count)
        {
            if (values.Count > 0) throw Ragged(node);
            shape.Add(node.Items.Count);
        }
        else if (shape[depth] != node.Items.Count) throw Ragged(node);
        foreach (var item in node.Items) Flatten(item, depth + 1, shape, values);
    }

    private CompressionException Ragged(PositionedJson node) => node.Error($"the arrays of '{name}' differ in length or depth. Nested arrays of equal length are valid. Correct the value.");

    private Tensor Fill(ModelValue input, long[] shape, List<PositionedJson> values) => input.ElementType switch
    {
        ElementType.Float => Tensor.Create(Numbers(values, v => (float)v), shape),
        ElementType.Double => Tensor.Create(Numbers(values, v => v), shape),
        ElementType.Float16 => Tensor.Create(Numbers(values, v => (Half)v), shape),
        ElementType.Int64 => Tensor.Create(Whole(values, long.MinValue, long.MaxValue, v => v), shape),
        ElementType.Int32 => Tensor.Create(Whole(values, int.MinValue, int.MaxValue, v => (int)v), shape),
        ElementType.Int16 => Tensor.Create(Whole(values, short.MinValue, short.MaxValue, v => (short)v), shape),
        ElementType.Int8 => Tensor.Create(Whole(values, sbyte.MinValue, sbyte.MaxValue, v => (sbyte)v), shape),
        ElementType.UInt8 => Tensor.Create(Whole(values, 0, byte.MaxValue, v => (byte)v), shape),
        ElementType.UInt16 => Tensor.Create(Whole(values, 0, ushort.MaxValue, v => (ushort)v), shape),
        ElementType.UInt32 => Tensor.Create(Whole(values, 0, uint.MaxValue, v => (uint)v), shape),
        ElementType.UInt64 => Tensor.Create(Whole(values, 0, long.MaxValue, v => (ulong)v), shape),
        ElementType.Bool => Tensor.Create(values.Select(v => v.AsBool(name)).ToArray(), shape),
        _ => throw json.Error($"the input '{name}' has the type {input.ElementType}, which no fixed value can have. Put it into the data."),
    };

    private T[] Numbers<T>(List<PositionedJson> values, Func<double, T> convert) => [.. values.Select(v => convert(v.AsNumber(name)))];

    private T[] Whole<T>(List<PositionedJson> values, long lowest, long highest, Func<long, T> convert) => [.. values.Select(v =>
        v.Kind == JsonTokenType.Number && long.TryParse(v.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= lowest && number <= highest
            ? convert(number) : throw v.Invalid(name, $"a whole number from {lowest} to {highest}"))];
}
