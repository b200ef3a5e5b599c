using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>Whether a tensor can be fed to an input.</summary>
internal static class InputCheck
{
    /// <summary>The shape has the input's rank and its fixed dimensions.</summary>
    public static bool Fits(ModelValue input, ReadOnlySpan<long> shape)
    {
        if (input.Shape is null) return true;
        if (input.Shape.Count != shape.Length) return false;
        for (var d = 0; d < shape.Length; d++)
            if (input.Shape[d] is { } fixedDimension && fixedDimension != shape[d]) return false;
        return true;
    }

    /// <exception cref="CompressionException">COB1108 if <paramref name="tensor"/> is not of the input's type, rank and fixed dimensions.</exception>
    public static void Check(ModelValue input, Tensor tensor, string what, string file)
    {
        if (tensor.ElementType == input.ElementType && Fits(input, tensor.Shape)) return;
        throw new CompressionException(Codes.InputMismatch, $"{what} is {tensor} but the model's input '{input.Name}' is {input}. Type, rank and fixed dimensions have to be equal. Save the data in that form.", file);
    }

    /// <summary>The constants of evaluation.json, checked to be inputs of the model.</summary>
    public static Dictionary<string, Tensor> Fixed(EvaluationConfiguration configuration, DatasetContext context)
    {
        foreach (var name in configuration.Inputs.Keys.Concat(configuration.Fixed.Keys))
            if (!context.Inputs.Any(i => i.Name == name))
                throw new CompressionException(Codes.EvaluationConfigurationInvalid, $"'{name}' is no input of the model. Its inputs are {Names(context.Inputs)}. Correct the name.", configuration.Files.FirstOrDefault());
        if (configuration.Output is { } output && context.Outputs.Count > 0 && !context.Outputs.Any(o => o.Name == output))
            throw new CompressionException(Codes.EvaluationConfigurationInvalid, $"'{output}' is no output of the model. Its outputs are {Names(context.Outputs)}. Correct 'output'.", configuration.Files.FirstOrDefault());
        return context.Inputs.Where(i => configuration.Fixed.ContainsKey(i.Name)).ToDictionary(i => i.Name, i => configuration.Fixed[i.Name].ToTensor(i), StringComparer.Ordinal);
    }

    /// <summary>The one input that <paramref name="what"/> (files such as pictures) feed: the one without a constant.</summary>
    /// <exception cref="CompressionException">COB1107: there is none, or more than one.</exception>
    public static ModelValue Single(DatasetContext context, IReadOnlyDictionary<string, Tensor> constants, string what, string path)
    {
        var open = context.Inputs.Where(i => !constants.ContainsKey(i.Name)).ToList();
        if (open.Count == 1) return open[0];
        throw new CompressionException(Codes.InputMissing, open.Count == 0
            ? $"every input of the model has a fixed value, so there is none for the {what}. Leave one input out of 'fixed' in evaluation.json."
            : $"the model takes {Names(open)} but a folder of {what} feeds one input. Give the others a value under 'fixed' in evaluation.json, or store all inputs as .npz.", path);
    }

    public static string Names(IEnumerable<ModelValue> values) => string.Join(", ", values.Select(v => $"'{v.Name}'"));
}
