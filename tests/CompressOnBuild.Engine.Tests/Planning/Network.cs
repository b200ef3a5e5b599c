using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

/// <summary>
/// Three convolutions, each large enough for integers to be faster, and a classifier: x[1,32,16,16] -> w1, Tanh, a factor per channel -> w2, Relu -> w3,
/// mean over the picture -> w4 -> y[1,8]. Pictures are one of eight patterns and noise. What is hard to quantize is made at one place, and floats do not notice it.
/// </summary>
internal static class Network
{
    public const int Channels = 32, Side = 16, Classes = 8;

    /// <param name="activation">Channel 0 of the second convolution's input is this many times larger than the others, and nobody listens to it.</param>
    /// <param name="weight">The third convolution has this weight for a channel that is always 0, in every row.</param>
    public static ModelBuilder Build(float activation = 1, float weight = 0)
    {
        var factors = Enumerable.Repeat(1f, Channels).ToArray();
        factors[0] = activation;
        var (w1, w2, w3) = (Weight(1), Weight(2), Weight(3));
        const int Kernel = 9, Row = Channels * Kernel;
        if (activation != 1) for (var row = 0; row < Channels; row++) w2.AsSpan(row * Row, Kernel).Clear();
        if (weight != 0)
        {
            w2.AsSpan(0, Row).Clear();
            for (var row = 0; row < Channels; row++) w3.AsSpan(row * Row, Kernel).Fill(weight);
        }
        var pads = NodeAttribute.Ints("pads", 1, 1, 1, 1);
        return new ModelBuilder().Input("x", -1, Channels, Side, Side).Output("y", -1, Classes)
            .Initializer("w1", w1, Channels, Channels, 3, 3).Initializer("w2", w2, Channels, Channels, 3, 3).Initializer("w3", w3, Channels, Channels, 3, 3)
            .Weight("w4", 4, 1, Channels, Classes).Initializer("b4", new float[Classes], Classes).Initializer("f", factors, 1, Channels, 1, 1)
            .Node("Conv", ["x", "w1"], ["c1"], pads).Node("Tanh", ["c1"], ["t"]).Node("Mul", ["t", "f"], ["u"])
            .Node("Conv", ["u", "w2"], ["c2"], pads).Node("Relu", ["c2"], ["r2"])
            .Node("Conv", ["r2", "w3"], ["c3"], pads).Node("GlobalAveragePool", ["c3"], ["g"]).Node("Flatten", ["g"], ["v"]).Node("Gemm", ["v", "w4", "b4"], ["y"]);
    }

    /// <summary>The picture of one sample; the sign of each channel depends on the pattern.</summary>
    public static float[] Picture(int pattern, int sample)
    {
        var signs = new Random(1000 + pattern);
        var values = ModelBuilder.Random(sample + 1, 0.2f, Channels * Side * Side).ToFloats();
        for (var c = 0; c < Channels; c++)
        {
            var sign = signs.Next(2) * 2 - 1;
            foreach (ref var v in values.AsSpan(c * Side * Side, Side * Side)) v += sign;
        }
        return values;
    }

    /// <summary>Pictures of all patterns in turn.</summary>
    public static float[][] Pictures(int count) => [.. Enumerable.Range(0, count).Select(i => Picture(i % Classes, i))];

    /// <summary>Data with the model's own answers as labels, so the original is always right.</summary>
    public static NpzBuilder Labelled(ModelBuilder model, float[][] pictures)
    {
        using var session = new Session(model.Build(), new SessionSettings("labels"));
        var labels = pictures.Select(p =>
        {
            var scores = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(p, 1, Channels, Side, Side) })[0].ToFloats();
            return (long)Array.IndexOf(scores, scores.Max());
        }).ToArray();
        return Unlabelled(pictures).Longs("labels", labels, labels.Length);
    }

    public static NpzBuilder Unlabelled(float[][] pictures) => new NpzBuilder().Floats("x", [.. pictures.SelectMany(p => p)], pictures.Length, Channels, Side, Side);

    private static float[] Weight(int seed) => ModelBuilder.Random(seed, 0.1f, Channels, Channels, 3, 3).ToFloats();
}
