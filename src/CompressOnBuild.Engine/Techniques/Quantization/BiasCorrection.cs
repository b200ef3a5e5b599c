using CompressOnBuild.Onnx;
using CompressOnBuild.Encodings;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Bias correction by calibration data (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
/// section 4.2, with measured instead of derived means).
/// Symbols: W weights, Q(W) what they are rounded to, E[x] mean of each input channel.
/// 1. The rounded layer is off by E[y - y_q] = (W - Q(W)) E[x] for each output channel, the padding taken as mean too.
/// 2. That constant is added to the bias.
/// Departure: a correction larger than twice the bias' own spread is a sign of a channel that is dead or saturated and is left out.
/// </summary>
public static class BiasCorrection
{
    /// <summary>Corrects the bias of the Conv that reads <paramref name="site"/>, when it has a constant bias and the input's means are known.</summary>
    /// <param name="site">A Conv weight [M, C/group, k...] with one reader.</param>
    /// <param name="weight">What the weight is rounded to.</param>
    /// <param name="inputMeans">Mean of each channel, by name of the value.</param>
    public static void Apply(Operators.Site site, Quantized weight, IReadOnlyDictionary<string, float[]> inputMeans)
    {
        if (site.SingleNode is not { } node || !node.Is("Conv") || node.Input(2)?.Constant is not { } bias) return;
        if (node.Input(0) is not { } input || !inputMeans.TryGetValue(input.Name, out var means)) return;
        var shape = site.Tensor.Shape;
        var (rows, columns) = ((int)shape[0], (int)shape[1]);
        var groups = (int)node.Int("group", 1);
        if (means.Length != columns * groups || rows % groups != 0) return;
        var correction = Correction(site.Tensor.ToFloats(), weight.Decompress(), means, rows, columns, groups);
        var corrected = bias.ToFloats();
        var spread = 0.0;
        foreach (var b in corrected) spread = Math.Max(spread, Math.Abs(b));
        for (var m = 0; m < rows; m++)
            if (Math.Abs(correction[m]) <= 2 * spread) corrected[m] += (float)correction[m];
        node.SetInput(2, node.Graph.AddInitializer("b", Tensor.Create(corrected, rows)));
    }

    /// <summary>Step 1: (W - Q) E[x], one figure a row, accumulated in double in the order of the weights.</summary>
    public static double[] Correction(ReadOnlySpan<float> w, ReadOnlySpan<float> q, ReadOnlySpan<float> means, int rows, int columns, int groups)
    {
        var kernel = w.Length / (rows * columns);
        var result = new double[rows];
        for (var m = 0; m < rows; m++)
        {
            var first = m / (rows / groups) * columns;
            double sum = 0;
            for (var c = 0; c < columns; c++)
            {
                double difference = 0;
                var at = (m * columns + c) * kernel;
                for (var i = at; i < at + kernel; i++) difference += (double)w[i] - q[i];
                sum += difference * means[first + c];
            }
            result[m] = sum;
        }
        return result;
    }
}
