using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// How a stateful model is run along a sequence: after each run the outputs of its states become inputs of the next, as in the app.
/// Each model carries its own states, so that what quantization changes adds up as it will in production.
/// </summary>
/// <param name="States">The state's input, the index of its output, and its value before the first run.</param>
internal sealed record Recurrence(IReadOnlyList<(string Input, int Output, Tensor Initial)> States)
{
    private const long MostBytes = 1L << 28;

    /// <summary>What evaluation.json says, checked against the model; null where it declares no states.</summary>
    /// <exception cref="CompressionException">COB1142: no such input or output, different types, or the same input has a fixed value.</exception>
    public static Recurrence? Of(EvaluationConfiguration configuration, DatasetContext context)
    {
        if (configuration.States.Count == 0) return null;
        var states = new List<(string, int, Tensor)>();
        foreach (var (name, link) in configuration.States)
        {
            if (context.Inputs.FirstOrDefault(i => i.Name == name) is not { } input)
                throw Error(link, $"'{name}' is no input of the model. Its inputs are {InputCheck.Names(context.Inputs)}. Correct the name");
            var index = context.Outputs.TakeWhile(o => o.Name != link.Output).Count();
            if (index == context.Outputs.Count) throw Error(link, $"'{link.Output}' is no output of the model. Its outputs are {InputCheck.Names(context.Outputs)}. Correct the name");
            var output = context.Outputs[index];
            if (output.ElementType != input.ElementType || output.Shape is { } shape && input.Shape is { } wanted && (shape.Count != wanted.Count || shape.Zip(wanted).Any(d => d.First is { } a && d.Second is { } b && a != b)))
                throw Error(link, $"the output '{output.Name}' is {output} but the state's input '{name}' is {input}. Valid is an output of the same type and shape. Name that output");
            if (configuration.Fixed.ContainsKey(name)) throw Error(link, $"'{name}' is a state and has a fixed value too. Valid is one of both; a state begins with its 'initial'. Remove it from 'fixed' or from 'states'");
            states.Add((name, index, link.Initial?.ToTensor(input) ?? Zeros(input, link)));
        }
        return new(states);
    }

    private static Tensor Zeros(ModelValue input, StateLink link)
    {
        long bytes = input.ElementType.Bits() / 8;
        var shape = input.Shape?.Select(d => d ?? 1).ToArray();
        foreach (var d in shape ?? []) bytes = d is >= 0 and <= MostBytes && bytes <= MostBytes ? bytes * d : MostBytes + 1;
        return shape is not null && bytes <= MostBytes && input.ElementType.Bits() >= 8 ? new Tensor(input.ElementType, shape, new byte[bytes])
            : throw Error(link, $"the state '{input.Name}' is {input}, which cannot begin with zeros. Valid is a shape that says its rank. Give its 'initial': {{ \"{input.Name}\": {{ \"output\": \"{link.Output}\", \"initial\": [...] }} }}");
    }

    private static CompressionException Error(StateLink link, string what) => link.Place.Error(Codes.StatesInvalid, what + ".");
}
