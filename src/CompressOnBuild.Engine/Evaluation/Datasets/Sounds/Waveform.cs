using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets.Sounds;

/// <summary>Samples of one channel as a model's input of shape [n], [1,n] or [1,1,n].</summary>
internal static class Waveform
{
    /// <summary>The n of the input's shape; null where it is dynamic.</summary>
    /// <exception cref="CompressionException">COB1108: the input takes something else than a waveform.</exception>
    public static int? FixedLength(ModelValue input, string file)
    {
        if (input.Shape is not { } shape) return null;
        if (shape.Count is < 1 or > 3 || shape.SkipLast(1).Any(d => d is not (null or 1)) || shape[^1] is < 1 or > WavFile.MostSamples || input.ElementType is not (ElementType.Float or ElementType.Float16 or ElementType.Double)) throw Mismatch(input, file);
        return (int?)shape[^1];
    }

    public static Tensor ToTensor(float[] samples, ModelValue input, string file)
    {
        long[] shape = input.Shape?.Count switch { 1 => [samples.Length], 3 => [1, 1, samples.Length], _ => [1, samples.Length] };
        var tensor = input.ElementType switch
        {
            ElementType.Float => Tensor.Create(samples, shape),
            ElementType.Double => Tensor.Create(Array.ConvertAll(samples, v => (double)v), shape),
            ElementType.Float16 => Tensor.Create(Array.ConvertAll(samples, v => (Half)v), shape),
            _ => throw Mismatch(input, file),
        };
        InputCheck.Check(input, tensor, "the recording", file);
        return tensor;
    }

    private static CompressionException Mismatch(ModelValue input, string file) => new(Codes.InputMismatch,
        $"recordings become floats of the shape [n], [1,n] or [1,1,n], but the model's input '{input.Name}' is {input}. Store what the model takes (spectra, several channels) as .npz instead.", file);
}
