using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Forms;

/// <summary>A layer that is repeated in a chain: <paramref name="Kernel"/> 0 is a MatMul of <paramref name="Side"/> rows by a square weight of <paramref name="Channels"/>, else a Conv (with ReLU) on <paramref name="Side"/> x <paramref name="Side"/> pixels.</summary>
internal sealed record Layer(int Channels, int Side, int Kernel, bool Depthwise = false)
{
    public long MultiplyAdds => Kernel == 0 ? (long)Side * Channels * Channels : (long)Side * Side * Channels * Kernel * Kernel * (Depthwise ? 1 : Channels);

    public override string ToString() => Kernel == 0 ? $"MatMul {Side} x {Channels} x {Channels}" : $"{(Depthwise ? "depthwise" : "Conv")} {Kernel}x{Kernel}, {Channels} channels, {Side} x {Side}";

    /// <summary>Input of a chain: floats between 0 and 2, as after a ReLU.</summary>
    public Tensor Input()
    {
        var tensor = ModelBuilder.Random(1, 0.5f, Shape);
        return Tensor.Create([.. tensor.ToFloats().Select(Math.Abs)], Shape);
    }

    public long[] Shape => Kernel == 0 ? [Side, Channels] : [1, Channels, Side, Side];
    public long[] WeightShape => Kernel == 0 ? [Channels, Channels] : [Channels, Depthwise ? 1 : Channels, Kernel, Kernel];
    public int FanIn => Kernel == 0 ? Channels : Kernel * Kernel * (Depthwise ? 1 : Channels);
}

/// <summary>
/// Chains of one layer in the forms that the product writes. In a chain the costs at its ends (layout changes, quantizing the input) are paid
/// once: the difference of a long and a short one is what the layers themselves take.
/// </summary>
internal static class FormChains
{
    private const float ActivationScale = 2f / 127;

    /// <summary>Weights and activations in floats.</summary>
    public static Model Float(Layer layer, int length) => Build(layer, length, static (builder, layer, i, input, output) =>
        Product(builder.Initializer($"w{i}", Weights(layer)), layer, input, $"w{i}", output), quantized: false);

    /// <summary>Static QDQ: unsigned activations, signed weights with a scale per output channel.</summary>
    public static Model Static(Layer layer, int length) => Build(layer, length, static (builder, layer, i, input, output) =>
    {
        DequantizedWeight(builder, layer, i);
        Product(builder, layer, input, $"d{i}", output + "_f");
        builder.Node("QuantizeLinear", [output + "_f", "s", "z"], [output + "_q"]).Node("DequantizeLinear", [output + "_q", "s", "z"], [output]);
    }, quantized: true);

    /// <summary>DynamicQuantizeLinear and MatMulInteger, which ONNX Runtime fuses.</summary>
    public static Model Dynamic(Layer layer, int length) => Build(layer, length, static (builder, layer, i, input, output) =>
    {
        builder.Initializer($"w{i}", Codes(layer)).Initializer($"t{i}", Scales(layer));
        builder.Node("DynamicQuantizeLinear", [input], [$"q{i}", $"qs{i}", $"qz{i}"]).Node("MatMulInteger", [$"q{i}", $"w{i}", $"qz{i}"], [$"a{i}"])
            .Node("Cast", [$"a{i}"], [$"f{i}"], NodeAttribute.Int("to", (int)ElementType.Float)).Node("Mul", [$"qs{i}", $"t{i}"], [$"m{i}"]).Node("Mul", [$"f{i}", $"m{i}"], [output]);
    }, quantized: false);

    /// <summary>Integer weights alone: DequantizeLinear before the product, which ONNX Runtime fuses to MatMulNBits.</summary>
    public static Model Weights8(Layer layer, int length) => Build(layer, length, static (builder, layer, i, input, output) =>
    {
        DequantizedWeight(builder, layer, i);
        Product(builder, layer, input, $"d{i}", output);
    }, quantized: false);

    private static Model Build(Layer layer, int length, Action<ModelBuilder, Layer, int, string, string> add, bool quantized)
    {
        var builder = new ModelBuilder().Input("x", layer.Shape).Output("y", layer.Shape);
        var input = "x";
        if (quantized)
        {
            builder.Initializer("s", Tensor.Scalar(ActivationScale)).Initializer("z", Tensor.Scalar((byte)(layer.Kernel == 0 ? 128 : 0)));
            builder.Node("QuantizeLinear", [input, "s", "z"], ["x_q"]).Node("DequantizeLinear", ["x_q", "s", "z"], ["x_d"]);
            input = "x_d";
        }
        for (var i = 0; i < length; i++)
        {
            var output = i == length - 1 ? "y" : $"v{i}";
            add(builder, layer, i, input, output);
            input = output;
        }
        return builder.Build();
    }

    private static void Product(ModelBuilder builder, Layer layer, string input, string weight, string output)
    {
        if (layer.Kernel == 0)
        {
            builder.Node("MatMul", [input, weight], [output]);
            return;
        }
        long pad = layer.Kernel / 2;
        builder.Node("Conv", [input, weight], [output + "_c"], NodeAttribute.Ints("pads", [pad, pad, pad, pad]), NodeAttribute.Int("group", layer.Depthwise ? layer.Channels : 1))
            .Node("Relu", [output + "_c"], [output]);
    }

    private static void DequantizedWeight(ModelBuilder builder, Layer layer, int i) =>
        builder.Initializer($"w{i}", Codes(layer)).Initializer($"t{i}", Scales(layer)).Initializer($"o{i}", Tensor.Create(new sbyte[layer.Channels], layer.Channels))
            .Node("DequantizeLinear", [$"w{i}", $"t{i}", $"o{i}"], [$"d{i}"], NodeAttribute.Int("axis", layer.Kernel == 0 ? 1 : 0));

    // Variance 2 / fan-in keeps values of one size through the chain: denormal numbers would be slow, and no layer's own cost.
    private static float Size(Layer layer) => MathF.Sqrt((layer.Kernel == 0 ? 1f : 2f) / layer.FanIn) / 0.577f;
    private static Tensor Weights(Layer layer) => ModelBuilder.Random(2, Size(layer), layer.WeightShape);
    private static Tensor Codes(Layer layer) => Tensor.Create([.. ModelBuilder.Random(2, 63.5f, layer.WeightShape).ToFloats().Select(v => (sbyte)v)], layer.WeightShape);
    private static Tensor Scales(Layer layer) => Tensor.Create([.. Enumerable.Repeat(Size(layer) / 63.5f, layer.Channels)], layer.Channels);
}
