using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>Nested JSON arrays of equal length as a tensor's shape and elements.</summary>
internal static class JsonArray
{
    /// <summary>The shape of <paramref name="json"/> and its elements, row-major; a value that is no array has the shape [].</summary>
    /// <exception cref="CompressionException">Arrays that differ in length or depth, with the code of the file's kind.</exception>
    public static (long[] Shape, List<PositionedJson> Values) Flatten(PositionedJson json, string name)
    {
        var shape = new List<long>();
        var values = new List<PositionedJson>();
        Add(json, 0);
        return ([.. shape], values);

        void Add(PositionedJson node, int depth)
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
            foreach (var item in node.Items) Add(item, depth + 1);
        }

        CompressionException Ragged(PositionedJson node) => node.Error($"the arrays of '{name}' differ in length or depth. Nested arrays of equal length are valid. Correct the value.");
    }

    /// <summary>The elements as written; null for what is neither number nor truth value.</summary>
    public static List<string?> Texts(List<PositionedJson> values) =>
        values.ConvertAll(v => v.Kind is JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False ? v.Text : null);
}
