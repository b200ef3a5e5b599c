namespace CompressOnBuild;

/// <summary>How the scored outputs of both models differ on the gate split, sample by sample.</summary>
public sealed record OutputChanges
{
    /// <summary>Samples that were compared.</summary>
    public required int Samples { get; init; }
    /// <summary>Samples whose outputs are equal, number by number; 0 where the output is not of floats.</summary>
    public required int Equal { get; init; }
    /// <summary>Samples whose outputs differ, by the signal-to-noise ratio of the difference: ascending, without gaps. Empty where the output is not of floats.</summary>
    public required IReadOnlyList<SignalToNoiseBin> Histogram { get; init; }
    /// <summary>Median signal-to-noise ratio over all samples, in dB; infinite where most outputs are equal, null where there is none.</summary>
    public required double? MedianSignalToNoise { get; init; }
    /// <summary>Samples whose output is a decision (a class, a decoded sequence); 0 where outputs are none.</summary>
    public required int Decided { get; init; }
    /// <summary>Samples on which both models decide differently.</summary>
    public required int Changed { get; init; }
    /// <summary>Samples that the original decides as their label says and the compressed model does not.</summary>
    public required int RightToWrong { get; init; }
    /// <summary>Samples that the compressed model decides as their label says and the original does not.</summary>
    public required int WrongToRight { get; init; }
    /// <summary>Pairs of classes that the decisions went between, the most frequent first, at most <see cref="MostPairs"/>.</summary>
    public required IReadOnlyList<DecisionChange> Pairs { get; init; }
    /// <summary>The samples that changed most, at most <see cref="MostWorst"/>: right answers lost first, then other changed decisions, then
    /// by how much the outputs differ. Samples without any difference are not listed.</summary>
    public required IReadOnlyList<SampleChange> Worst { get; init; }

    /// <summary>A ratio below it counts as it, in dB.</summary>
    public const double LeastSignalToNoise = -20;
    /// <summary>A ratio above it counts as it, in dB.</summary>
    public const double MostSignalToNoise = 100;
    /// <summary>Largest number of <see cref="Pairs"/>.</summary>
    public const int MostPairs = 50;
    /// <summary>Largest number of <see cref="Worst"/>.</summary>
    public const int MostWorst = 12;
}

/// <summary>Samples whose signal-to-noise ratio lies in one interval.</summary>
/// <param name="Low">Lower bound in dB, inclusive; a bin from <see cref="OutputChanges.LeastSignalToNoise"/> also holds what is below it.</param>
/// <param name="High">Upper bound in dB, exclusive; a bin to <see cref="OutputChanges.MostSignalToNoise"/> also holds what is above it.</param>
/// <param name="Samples">Number of samples.</param>
public sealed record SignalToNoiseBin(double Low, double High, int Samples);

/// <summary>Decisions that went from one class to another.</summary>
/// <param name="Original">The original's class, with its name where the data has one.</param>
/// <param name="Compressed">The compressed model's class.</param>
/// <param name="Samples">Number of samples.</param>
/// <param name="RightToWrong">Those whose label is the original's class.</param>
/// <param name="WrongToRight">Those whose label is the compressed model's class.</param>
public sealed record DecisionChange(string Original, string Compressed, int Samples, int RightToWrong, int WrongToRight);

/// <summary>One sample on which the outputs differ.</summary>
/// <param name="Id">The sample's file relative to its folder, or its row.</param>
/// <param name="SignalToNoise">10 log10(sum of original² / sum of difference²) of this sample's output, in dB; negative infinity where a number became
/// none; null where the output is not of floats.</param>
/// <param name="Label">The label; null without one.</param>
/// <param name="Original">The original's decision; null where the output is none.</param>
/// <param name="Compressed">The compressed model's decision.</param>
/// <param name="Picture">The sample as a small PNG or JPEG file, where that was asked for and it is a picture.</param>
public sealed record SampleChange(string Id, double? SignalToNoise, string? Label, string? Original, string? Compressed, ReadOnlyMemory<byte>? Picture);
