namespace CompressOnBuild.Weights;

/// <summary>
/// A weight as symmetric integers: w = scale[channel] * code. Codes have the weight's shape and order, the zero point is 0.
/// </summary>
internal sealed class Quantized : CompressedWeight
{
    public required sbyte[] Codes { get; init; }
    /// <summary>Neighbouring axes of the shape that have scales of their own; none: one scale for all.</summary>
    public required int[] ChannelAxes { get; init; }
    /// <summary>One positive scale per channel.</summary>
    public required float[] Scales { get; init; }
    public required int Bits { get; init; }

    public ChannelView View => ChannelView.Of(Shape, ChannelAxes);

    /// <summary>Shape of the scales that broadcasts over the weight: its own length on the channel axes, 1 elsewhere.</summary>
    public long[] ScaleShape => ChannelView.Broadcast(Shape, ChannelAxes);

    /// <summary>The weight that the codes stand for, as the runtime computes it: float(code) * scale.</summary>
    public override float[] Decompress()
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

    public override long ByteCount => Packed(Codes.Length, Bits) + (long)Scales.Length * sizeof(float);

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
