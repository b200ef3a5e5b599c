namespace CompressOnBuild.Planning;

/// <summary>How a weight becomes a product of thinner ones.</summary>
internal enum FactorForm
{
    /// <summary>Two factors that meet between inputs and outputs.</summary>
    Svd,
    /// <summary>Channels mixed first, then the kernel over fewer of them, then outputs made from fewer: Tucker-2.</summary>
    Tucker,
    /// <summary>As <see cref="Tucker"/> without the last part.</summary>
    Input,
    /// <summary>The kernel's columns, then its rows.</summary>
    Spatial,
}

/// <summary>A weight that is factored.</summary>
/// <param name="Weight">Its name in the model that the round starts from.</param>
/// <param name="Form">How.</param>
/// <param name="Rank">Channels between the factors; of Tucker-2 those before the last factor.</param>
/// <param name="InputRank">Of Tucker-2, channels behind the first factor; else 0.</param>
/// <param name="Because">The figures that chose it.</param>
internal sealed record RankDecision(string Weight, FactorForm Form, int Rank, int InputRank, string Because);

/// <summary>Channels that stay, of a group that lives and dies together.</summary>
/// <param name="Group">Name of the first weight whose outputs they are, in the model that the round starts from.</param>
/// <param name="Of">How many there were.</param>
/// <param name="Kept">Which stay, ascending.</param>
/// <param name="Because">The figures that chose it.</param>
internal sealed record ChannelDecision(string Group, int Of, IReadOnlyList<int> Kept, string Because);

/// <summary>What one round of a step did: names and numbers. The weights follow from them and from calibration.</summary>
/// <param name="Step">Which step of the recipe, from 1.</param>
/// <param name="Ranks">Weights that were factored.</param>
/// <param name="Channels">Groups that lost channels.</param>
internal sealed record StructureRound(int Step, IReadOnlyList<RankDecision> Ranks, IReadOnlyList<ChannelDecision> Channels)
{
    public bool IsEmpty => Ranks.Count + Channels.Count == 0;
}
