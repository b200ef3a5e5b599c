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
        if (!TensorText.Supports(input.ElementType)) throw json.Error($"the input '{name}' has the type {input.ElementType}, which no fixed value can have. Put it into the data.");
        var (shape, values) = JsonArray.Flatten(json, name);
        if (json.Kind != JsonTokenType.StartArray)
        {
            shape = [.. (input.Shape ?? []).Select(d => d ?? 1)];
            long count = 1;
            foreach (var d in shape) count = d is >= 0 and <= 1 << 24 && count <= 1 << 24 ? count * d : throw json.Error($"the input '{name}' of shape {input} is too large to be filled with one number. At most 16777216 elements are valid. Put it into the data.");
            values = [.. Enumerable.Repeat(json, (int)Math.Min(count, 1 << 24))];
        }
        if (!InputCheck.Fits(input, shape)) throw json.Error($"the fixed value of '{name}' has the shape [{string.Join(",", shape)}]. The model's input is {input}. Give a value of that shape.");
        return TensorText.Create(input, shape, JsonArray.Texts(values), (i, valid) => values[i].Invalid(name, valid));
    }
}
