namespace CompressOnBuild.Weights;

/// <summary>A tensor seen as [outer, channels, inner], channels being the product of neighbouring axes.</summary>
internal readonly record struct ChannelView(int Outer, int Channels, int Inner)
{
    /// <summary>The view of <paramref name="shape"/> whose channels are <paramref name="axes"/> (neighbours, ascending).</summary>
    public static ChannelView Of(ReadOnlySpan<long> shape, IReadOnlyList<int> axes)
    {
        long outer = 1, channels = 1, inner = 1;
        for (var i = 0; i < shape.Length; i++)
        {
            if (i < axes[0]) outer *= shape[i];
            else if (i > axes[^1]) inner *= shape[i];
            else channels *= shape[i];
        }
        return new(checked((int)outer), checked((int)channels), checked((int)inner));
    }

    /// <summary>First element of channel <paramref name="channel"/> in outer block <paramref name="outer"/>; its elements are <see cref="Inner"/> neighbours.</summary>
    public int Offset(int outer, int channel) => (outer * Channels + channel) * Inner;
}

/// <summary>
/// A weight as symmetric integers: w = scale[channel] * code. Codes have the weight's shape and order, the zero point is 0.
/// </summary>
internal sealed class Quantized
{
    public required sbyte[] Codes { get; init; }
    public required long[] Shape { get; init; }
    /// <summary>Neighbouring axes of <see cref="Shape"/> that have scales of their own.</summary>
    public required int[] ChannelAxes { get; init; }
    /// <summary>One positive scale per channel.</summary>
    public required float[] Scales { get; init; }
    public required int Bits { get; init; }

    public ChannelView View => ChannelView.Of(Shape, ChannelAxes);

    /// <summary>Shape of the scales that broadcasts over the weight: its own length on the channel axes, 1 elsewhere.</summary>
    public long[] ScaleShape => [.. Shape.Select((d, i) => i >= ChannelAxes[0] && i <= ChannelAxes[^1] ? d : 1)];

    /// <summary>The weight that the codes stand for, as the runtime computes it: float(code) * scale.</summary>
    public float[] Decompress()
    {
        var result = new float[Codes.Length];
        var view = View;
        for (var o = 0; o < view.Outer; o++)
            for (var c = 0; c < view.Channels; c++)
            {
                var at = view.Offset(o, c);
                var scale = Scales[c];
                for (var i = at; i < at + view.Inner; i++) result[i] = Codes[i] * scale;
            }
        return result;
    }

    /// <summary>Codes of a matrix [rows, columns] turned to [columns, rows]; scales stay with their channel.</summary>
    public Quantized Transposed()
    {
        if (Shape.Length != 2) throw new InvalidOperationException($"Only a matrix can be transposed, not rank {Shape.Length}.");
        var (rows, columns) = ((int)Shape[0], (int)Shape[1]);
        var codes = new sbyte[Codes.Length];
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < columns; c++) codes[c * rows + r] = Codes[r * columns + c];
        return new Quantized { Codes = codes, Shape = [columns, rows], ChannelAxes = [1 - ChannelAxes[0]], Scales = Scales, Bits = Bits };
    }
}
