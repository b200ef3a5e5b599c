using System.Runtime.InteropServices;
using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Emulation;

/// <summary>
/// QLinearConv and ConvInteger of ONNX Runtime, up to three spatial dimensions. A row of the product is what one output point sees:
/// QLinearConv orders it by the place in the kernel, then by channel; ConvInteger by channel, then by place. Pairs are neighbours in that row.
/// </summary>
internal sealed class Convolution : EmulatedNode
{
    /// <summary>Rows that are multiplied at once: their bytes stay in the cache.</summary>
    private const int Rows = 256;

    private readonly bool isQLinear;
    private readonly int group, outputs, inputs;
    private readonly int[] kernel;
    private readonly SaturatingWeights[] weights;

    public Convolution(Node node) : base(node)
    {
        isQLinear = node.OpType == "QLinearConv";
        group = (int)node.Int("group", 1);
        var tensor = node.Input(WeightInput(node.OpType))!.Constant!;
        (outputs, inputs) = ((int)tensor.Shape[0] / group, (int)tensor.Shape[1]);
        kernel = Three(tensor.Shape[2..].ToArray(), 1);
        var places = kernel[0] * kernel[1] * kernel[2];
        var depth = places * inputs;
        var codes = MemoryMarshal.Cast<byte, sbyte>(tensor.Data.Span);
        weights = new SaturatingWeights[group];
        var ordered = new sbyte[outputs * depth];
        for (var g = 0; g < group; g++)
        {
            var own = codes.Slice(g * outputs * depth, outputs * depth);
            if (isQLinear)
            {
                for (var n = 0; n < outputs; n++)
                    for (var c = 0; c < inputs; c++)
                        for (var p = 0; p < places; p++) ordered[n * depth + p * inputs + c] = own[n * depth + c * places + p];
                own = ordered;
            }
            weights[g] = SaturatingWeights.Pack(own, depth, outputs, 1, depth);
        }
    }

    /// <summary>The index of the kernel; -1 for other operators.</summary>
    public static int WeightInput(string opType) => opType switch { "QLinearConv" => 3, "ConvInteger" => 1, _ => -1 };

    /// <summary>The matrix of each group.</summary>
    public IReadOnlyList<SaturatingWeights> Weights => weights;

    public override Tensor?[] Run(IReadOnlyDictionary<string, Tensor> values, PairCount? count)
    {
        var x = Need(0, values);
        var flip = IntegerArithmetic.Flip(x);
        var zero = IntegerArithmetic.ZeroPoint(Get(2, values), flip);
        var zeros = IntegerArithmetic.ZeroPoints(Get(isQLinear ? 5 : 3, values), group * outputs);
        var place = new Window(Node, x.Shape[2..].ToArray(), kernel);
        var (channels, points, seen) = (inputs * group, place.Inputs, place.Outputs);
        var batch = (int)x.Shape[0];
        var shape = (long[])[x.Shape[0], group * outputs, .. place.Shape];
        var finish = isQLinear ? new Finish(this, values) : null;
        var sums = finish is null ? new int[batch * group * outputs * seen] : [];
        var codes = finish is null ? [] : new byte[batch * group * outputs * seen];

        var image = new byte[channels * points];
        var rows = new byte[Rows * weights[0].PaddedDepth];
        var products = new int[Rows * outputs];
        for (var b = 0; b < batch; b++)
        {
            ChannelsLast(x.Data.Span.Slice(b * channels * points, channels * points), channels, points, flip, image);
            for (var g = 0; g < group; g++)
                for (var first = 0; first < seen; first += Rows)
                {
                    var length = Math.Min(Rows, seen - first);
                    for (var i = 0; i < length; i++) Gather(place, first + i, image, channels, g * inputs, (byte)zero, rows.AsSpan(i * weights[g].PaddedDepth, weights[g].Depth));
                    IntegerArithmetic.Product(rows, length, weights[g], zero, zeros?[(g * outputs)..], products, count);
                    for (var n = 0; n < outputs; n++)
                    {
                        var channel = g * outputs + n;
                        var at = (b * group * outputs + channel) * seen + first;
                        if (finish is null) for (var i = 0; i < length; i++) sums[at + i] = products[i * outputs + n];
                        else for (var i = 0; i < length; i++) codes[at + i] = finish.Code(products[i * outputs + n], channel);
                    }
                }
        }
        return [finish is null ? Tensor.Create(sums, shape) : new Tensor(finish.Type, shape, codes)];
    }

    // What lies outside of the picture is the zero point.
    private void Gather(Window window, int output, byte[] image, int channels, int channel, byte zero, Span<byte> row)
    {
        var places = window.Places;
        for (var p = 0; p < places; p++)
        {
            var point = window.Input(output, p);
            if (isQLinear)
            {
                var part = row.Slice(p * inputs, inputs);
                if (point < 0) part.Fill(zero); else image.AsSpan(point * channels + channel, inputs).CopyTo(part);
            }
            else
                for (var c = 0; c < inputs; c++) row[c * places + p] = point < 0 ? zero : image[point * channels + channel + c];
        }
    }

    private static void ChannelsLast(ReadOnlySpan<byte> picture, int channels, int points, byte flip, byte[] image)
    {
        const int Tile = 32;
        for (var start = 0; start < points; start += Tile)
        {
            var end = Math.Min(points, start + Tile);
            for (var c = 0; c < channels; c++)
                for (var p = start; p < end; p++) image[p * channels + c] = (byte)(picture[c * points + p] ^ flip);
        }
    }

    internal static int[] Three(long[]? values, int absent)
    {
        var result = new[] { absent, absent, absent };
        if (values is null) return result;
        for (var i = 0; i < values.Length; i++) result[3 - values.Length + i] = (int)values[i];
        return result;
    }

    private sealed class Finish
    {
        private readonly float[] scales;
        private readonly int[]? bias;
        private readonly int zero;
        private readonly bool signed;

        public Finish(Convolution node, IReadOnlyDictionary<string, Tensor> values)
        {
            var channels = node.group * node.outputs;
            float x = node.Need(1, values).AsSpan<float>()[0], y = node.Need(6, values).AsSpan<float>()[0];
            scales = IntegerArithmetic.Scales(node.Need(4, values), channels);
            for (var n = 0; n < channels; n++) scales[n] = x * scales[n] / y;
            bias = node.Get(8, values)?.AsSpan<int>().ToArray();
            var zeroPoint = node.Need(7, values);
            Type = zeroPoint.ElementType;
            signed = Type == ElementType.Int8;
            zero = IntegerArithmetic.OutputZero(zeroPoint, signed);
        }

        public ElementType Type { get; }

        public byte Code(int sum, int channel) => IntegerArithmetic.Requantize(bias is null ? sum : sum + bias[channel], scales[channel], zero, signed);
    }
}

/// <summary>Where the kernel of a convolution looks; dimensions are filled up to three with ones in front.</summary>
internal sealed class Window
{
    private readonly int[] input, output, kernel, strides, dilations, pads;

    public Window(Node node, long[] spatial, int[] kernel)
    {
        this.kernel = kernel;
        input = Convolution.Three(spatial, 1);
        strides = Convolution.Three(node.Ints("strides"), 1);
        dilations = Convolution.Three(node.Ints("dilations"), 1);
        var given = node.Ints("pads");
        pads = Convolution.Three(given?[..spatial.Length], 0);
        var after = Convolution.Three(given?[spatial.Length..], 0);
        var automatic = node.String("auto_pad", "NOTSET");
        output = new int[3];
        for (var d = 0; d < 3; d++)
        {
            var span = (kernel[d] - 1) * dilations[d] + 1;
            if (automatic is "SAME_UPPER" or "SAME_LOWER")
            {
                output[d] = (input[d] + strides[d] - 1) / strides[d];
                var all = Math.Max(0, (output[d] - 1) * strides[d] + span - input[d]);
                pads[d] = automatic == "SAME_UPPER" ? all / 2 : (all + 1) / 2;
            }
            else
            {
                if (automatic == "VALID") pads[d] = after[d] = 0;
                output[d] = (input[d] + pads[d] + after[d] - span) / strides[d] + 1;
            }
        }
        Shape = [.. output[^spatial.Length..].Select(d => (long)d)];
    }

    public long[] Shape { get; }
    public int Inputs => input[0] * input[1] * input[2];
    public int Outputs => output[0] * output[1] * output[2];
    public int Places => kernel[0] * kernel[1] * kernel[2];

    /// <summary>The point of the input that one place of the kernel sees from one point of the output; -1 outside.</summary>
    public int Input(int point, int place)
    {
        var z = point / (output[1] * output[2]) * strides[0] - pads[0] + place / (kernel[1] * kernel[2]) * dilations[0];
        var y = point / output[2] % output[1] * strides[1] - pads[1] + place / kernel[2] % kernel[1] * dilations[1];
        var x = point % output[2] * strides[2] - pads[2] + place % kernel[2] * dilations[2];
        return (uint)z < (uint)input[0] && (uint)y < (uint)input[1] && (uint)x < (uint)input[2] ? (z * input[1] + y) * input[2] + x : -1;
    }
}
