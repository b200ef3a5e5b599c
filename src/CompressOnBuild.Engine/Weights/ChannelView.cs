namespace CompressOnBuild.Weights;

/// <summary>A tensor seen as [outer, channels, inner], channels being the product of neighbouring axes.</summary>
internal readonly record struct ChannelView(int Outer, int Channels, int Inner)
{
    /// <summary>The view of <paramref name="shape"/> whose channels are <paramref name="axes"/> (neighbours, ascending; none: one channel for all).</summary>
    public static ChannelView Of(ReadOnlySpan<long> shape, IReadOnlyList<int> axes)
    {
        long outer = 1, channels = 1, inner = 1;
        for (var i = 0; i < shape.Length; i++)
        {
            if (axes.Count == 0 || i > axes[^1]) inner *= shape[i];
            else if (i < axes[0]) outer *= shape[i];
            else channels *= shape[i];
        }
        return new(checked((int)outer), checked((int)channels), checked((int)inner));
    }

    /// <summary>First element of channel <paramref name="channel"/> in outer block <paramref name="outer"/>; its elements are <see cref="Inner"/> neighbours.</summary>
    public int Offset(int outer, int channel) => (outer * Channels + channel) * Inner;

    /// <summary>The shape that broadcasts one figure a channel over <paramref name="shape"/>: its own length on the channel axes, 1 elsewhere.</summary>
    public static long[] Broadcast(long[] shape, IReadOnlyList<int> axes) =>
        [.. shape.Select((d, i) => axes.Count > 0 && i >= axes[0] && i <= axes[^1] ? d : 1)];

    /// <summary>The elements channel by channel, [channels, outer * inner].</summary>
    public T[] ToRows<T>(ReadOnlySpan<T> tensor)
    {
        var rows = new T[tensor.Length];
        for (var o = 0; o < Outer; o++)
            for (var c = 0; c < Channels; c++) tensor.Slice(Offset(o, c), Inner).CopyTo(rows.AsSpan((c * Outer + o) * Inner));
        return rows;
    }

    /// <summary>Undoes <see cref="ToRows"/>.</summary>
    public T[] FromRows<T>(ReadOnlySpan<T> rows)
    {
        var tensor = new T[rows.Length];
        for (var o = 0; o < Outer; o++)
            for (var c = 0; c < Channels; c++) rows.Slice((c * Outer + o) * Inner, Inner).CopyTo(tensor.AsSpan(Offset(o, c)));
        return tensor;
    }
}
