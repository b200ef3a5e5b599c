using CompressOnBuild.Onnx;

namespace CompressOnBuild.Restructuring;

/// <summary>What a constant has to do with the channels that index one of its axes.</summary>
internal enum SlotRole
{
    /// <summary>Its rows make them: output channels of a layer.</summary>
    Makes,
    /// <summary>It sums over them: input channels of a layer.</summary>
    Sums,
    /// <summary>It has something for each of them: a bias, a factor, the kernel of a depthwise convolution.</summary>
    Follows,
}

/// <summary>A constant input of a node with an axis that channels index: index i of it belongs to channel <paramref name="Channels"/>[i].</summary>
internal sealed record Slot(Node Node, int Input, int Axis, int[] Channels, SlotRole Role);

/// <summary>Where else a node says how many channels there are.</summary>
internal enum SizeKind { ReshapeTarget, SplitSizes, Groups, ResizeTarget, HiddenSize }

/// <summary>A number that is the length of <paramref name="Channels"/>: entry <paramref name="Index"/> of what <paramref name="Kind"/> names.</summary>
internal sealed record SizeSlot(Node Node, SizeKind Kind, int Index, int[] Channels);

/// <summary>
/// Channels that live and die by the same rules: taking one out takes a slice out of every slot in which it stands.
/// </summary>
/// <param name="Name">The first weight whose outputs they are.</param>
/// <param name="Channels">Their numbers, in the order in which they stand there.</param>
/// <param name="Slots">Where they stand.</param>
/// <param name="Because">Why none can be taken out; null: they can.</param>
internal sealed record ChannelGroup(string Name, IReadOnlyList<int> Channels, IReadOnlyList<Slot> Slots, string? Because);
