namespace CompressOnBuild.Weights;

/// <summary>A weight with a scale of each channel taken out: w = scale[channel] * inner. What is left is alike in all channels, so that one palette serves them.</summary>
internal sealed class Scaled : CompressedWeight
{
    /// <summary>Of the same shape.</summary>
    public required CompressedWeight Inner { get; init; }
    /// <summary>Neighbouring axes of the shape that have scales of their own.</summary>
    public required int[] ChannelAxes { get; init; }
    /// <summary>One scale per channel.</summary>
    public required float[] Scales { get; init; }

    public long[] ScaleShape => ChannelView.Broadcast(Shape, ChannelAxes);

    public override float[] Decompress()
    {
        var result = Inner.Decompress();
        var view = ChannelView.Of(Shape, ChannelAxes);
        for (var o = 0; o < view.Outer; o++)
            for (var c = 0; c < view.Channels; c++)
            {
                var at = view.Offset(o, c);
                for (var i = at; i < at + view.Inner; i++) result[i] *= Scales[c];
            }
        return result;
    }

    public override long ByteCount => Inner.ByteCount + (long)Scales.Length * sizeof(float);
}
