using CompressOnBuild.Onnx;

namespace CompressOnBuild.Emulation;

/// <summary>Where the kernel of a convolution looks; dimensions are filled up to three with ones in front.</summary>
internal sealed class Window
{
    private readonly int[] input, output, kernel, strides, dilations, pads;

    public Window(Node node, long[] spatial, int[] kernel)
    {
        this.kernel = kernel;
        input = Three(spatial, 1);
        strides = Three(node.Ints("strides"), 1);
        dilations = Three(node.Ints("dilations"), 1);
        var given = node.Ints("pads");
        pads = Three(given?[..spatial.Length], 0);
        var after = Three(given?[spatial.Length..], 0);
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

    /// <summary>Spatial dimensions of the output.</summary>
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

    /// <summary>Three numbers of which the last are <paramref name="values"/>.</summary>
    internal static int[] Three(long[]? values, int absent)
    {
        var result = new[] { absent, absent, absent };
        for (var i = 0; i < (values?.Length ?? 0); i++) result[3 - values!.Length + i] = (int)values[i];
        return result;
    }
}
