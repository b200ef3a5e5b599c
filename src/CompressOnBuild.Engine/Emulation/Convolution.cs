using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Emulation;

/// <summary>
/// QLinearConv of ONNX Runtime, up to three spatial dimensions. A row of the product is what one output point sees, ordered by the place in
/// the kernel, then by channel; pairs are neighbours in that row.
/// </summary>
internal sealed class Convolution : EmulatedNode
{
    /// <summary>The operator.</summary>
    public const string Operator = "QLinearConv";
    /// <summary>The index of the kernel.</summary>
    public const int WeightInput = 3;
    /// <summary>The index of the activation's zero point.</summary>
    public const int ZeroPointInput = 2;
    /// <summary>Rows that are multiplied at once: their bytes stay in the cache.</summary>
    private const int Rows = 256;

    private readonly int group, outputs, inputs;
    private readonly int[] kernel;
    private readonly SaturatingWeights[] weights;

    public Convolution(Node node) : base(node)
    {
        group = (int)node.Int("group", 1);
        var tensor = node.Input(WeightInput)!.Constant!;
        (outputs, inputs) = ((int)tensor.Shape[0] / group, (int)tensor.Shape[1]);
        kernel = Window.Three(tensor.Shape[2..].ToArray(), 1);
        var places = kernel[0] * kernel[1] * kernel[2];
        var depth = places * inputs;
        var codes = tensor.AsSpan<sbyte>();
        var ordered = new sbyte[outputs * depth];
        weights = new SaturatingWeights[group];
        for (var g = 0; g < group; g++)
        {
            var own = codes.Slice(g * outputs * depth, outputs * depth);
            for (var n = 0; n < outputs; n++)
                for (var c = 0; c < inputs; c++)
                    for (var p = 0; p < places; p++) ordered[n * depth + p * inputs + c] = own[n * depth + c * places + p];
            weights[g] = SaturatingWeights.Pack(ordered, depth, outputs, 1, depth);
        }
    }

    /// <summary>The matrix of each group.</summary>
    public IReadOnlyList<SaturatingWeights> Weights => weights;

    public override Tensor?[] Run(IReadOnlyDictionary<string, Tensor> values, PairCount? count)
    {
        var x = Need(0, values);
        var zero = IntegerArithmetic.ZeroPoint(Get(2, values));
        var zeros = IntegerArithmetic.ZeroPoints(Get(5, values), group * outputs);
        var (scales, yZero) = (Scales(values), IntegerArithmetic.ZeroPoint(Get(7, values)));
        var bias = Get(8, values) is { } b ? b.AsSpan<int>().ToArray() : new int[group * outputs];
        var window = new Window(Node, x.Shape[2..].ToArray(), kernel);
        var (channels, points, seen) = (inputs * group, window.Inputs, window.Outputs);
        var codes = new byte[x.Shape[0] * group * outputs * seen];

        var image = new byte[channels * points];
        var rows = new byte[Rows * weights[0].PaddedDepth];
        var products = new int[Rows * outputs];
        for (var i = 0; i < x.Shape[0]; i++)
        {
            ChannelsLast(x.Data.Span.Slice(i * channels * points, channels * points), channels, points, image);
            for (var g = 0; g < group; g++)
                for (var first = 0; first < seen; first += Rows)
                {
                    var length = Math.Min(Rows, seen - first);
                    for (var r = 0; r < length; r++) Gather(window, first + r, image, channels, g * inputs, (byte)zero, rows.AsSpan(r * weights[g].PaddedDepth));
                    IntegerArithmetic.Product(rows, length, weights[g], zero, zeros is null ? default : zeros.AsSpan(g * outputs), products, count);
                    for (var n = 0; n < outputs; n++)
                    {
                        var channel = g * outputs + n;
                        var at = (i * group * outputs + channel) * seen + first;
                        for (var r = 0; r < length; r++) codes[at + r] = IntegerArithmetic.Requantize(products[r * outputs + n] + bias[channel], scales[channel], yZero);
                    }
                }
        }
        return [new Tensor(ElementType.UInt8, [x.Shape[0], group * outputs, .. window.Shape], codes)];
    }

    private float[] Scales(IReadOnlyDictionary<string, Tensor> values)
    {
        float x = Need(1, values).AsSpan<float>()[0], y = Need(6, values).AsSpan<float>()[0];
        var scales = IntegerArithmetic.Scales(Need(4, values), group * outputs);
        for (var n = 0; n < scales.Length; n++) scales[n] = x * scales[n] / y;
        return scales;
    }

    // What lies outside of the picture is the zero point.
    private void Gather(Window window, int output, byte[] image, int channels, int channel, byte zero, Span<byte> row)
    {
        for (var p = 0; p < window.Places; p++)
        {
            var point = window.Input(output, p);
            var part = row.Slice(p * inputs, inputs);
            if (point < 0) part.Fill(zero); else image.AsSpan(point * channels + channel, inputs).CopyTo(part);
        }
    }

    private static void ChannelsLast(ReadOnlySpan<byte> picture, int channels, int points, byte[] image)
    {
        const int Tile = 32;
        for (var start = 0; start < points; start += Tile)
        {
            var end = Math.Min(points, start + Tile);
            for (var c = 0; c < channels; c++)
                for (var p = start; p < end; p++) image[p * channels + c] = picture[c * points + p];
        }
    }
}
