using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>One entry of evaluation.json's <c>states</c>: the output whose value is the input of the next run, and the value before the first run.</summary>
internal sealed record StateLink(string Output, FixedInput? Initial, PositionedJson Place)
{
    /// <summary>The key <c>states</c>: <c>{ "h_in": "h_out" }</c>, beginning with zeros, or <c>{ "h_in": { "output": "h_out", "initial": 0.5 } }</c>.</summary>
    public static Dictionary<string, StateLink> Read(PositionedJson json, string key)
    {
        var links = new Dictionary<string, StateLink>(StringComparer.Ordinal);
        foreach (var (input, value) in json.AsObject(key)) links[input.Text] = Read(input, value);
        return links;
    }

    private static StateLink Read(PositionedJson input, PositionedJson value)
    {
        if (value.Kind == JsonTokenType.String) return new(value.Text, null, input);
        PositionedJson? output = null, initial = null;
        foreach (var (name, part) in value.AsObject(input.Text))
        {
            if (name.Text == "output") output = part;
            else if (name.Text == "initial") initial = part;
            else throw name.Error($"the key '{name.Text}' of the state '{input.Text}' is unknown. Valid keys are output, initial. Correct or remove it.");
        }
        if (output is null) throw value.Error($"the state '{input.Text}' has no 'output'. Valid is the name of the output that becomes this input in the next run. Add it.");
        return new(output.AsString("output"), initial is null ? null : new FixedInput(input.Text, initial), input);
    }
}
