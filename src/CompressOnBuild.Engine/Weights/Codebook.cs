namespace CompressOnBuild.Weights;

/// <summary>
/// A weight as indices into palettes: w = entries[group, index]. One palette serves all, or each group of neighbouring channels has its own.
/// </summary>
internal sealed class Codebook : CompressedWeight
{
    /// <summary>One index an element, below 2^<see cref="Bits"/>.</summary>
    public required byte[] Indices { get; init; }
    /// <summary>1 to 8.</summary>
    public required int Bits { get; init; }
    /// <summary>[groups, 2^<see cref="Bits"/>].</summary>
    public required CompressedWeight Entries { get; init; }
    /// <summary>Neighbouring axes of the shape whose channels are dealt to the groups, in order and equally many; without meaning where there is one group.</summary>
    public int[] ChannelAxes { get; init; } = [];

    public int Groups => (int)Entries.Shape[0];

    /// <summary>The group of each channel.</summary>
    public int[] GroupOfChannel()
    {
        var channels = ChannelView.Of(Shape, ChannelAxes).Channels;
        if (channels % Groups != 0) throw new InvalidOperationException($"{channels} channels cannot be dealt to {Groups} palettes equally.");
        return [.. Enumerable.Range(0, channels).Select(c => c / (channels / Groups))];
    }

    public override float[] Decompress()
    {
        var entries = Entries.Decompress();
        var result = new float[Indices.Length];
        var view = ChannelView.Of(Shape, ChannelAxes);
        var groups = GroupOfChannel();
        for (var o = 0; o < view.Outer; o++)
            for (var c = 0; c < view.Channels; c++)
            {
                var at = view.Offset(o, c);
                var first = groups[c] << Bits;
                for (var i = at; i < at + view.Inner; i++) result[i] = entries[first + Indices[i]];
            }
        return result;
    }

    public override long ByteCount => Packed(Indices.Length, Bits) + Entries.ByteCount;
}
