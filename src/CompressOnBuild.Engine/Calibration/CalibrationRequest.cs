using CompressOnBuild.Runtime;

namespace CompressOnBuild.Calibration;

/// <summary>What to observe while the samples run.</summary>
internal sealed record CalibrationRequest
{
    /// <summary>Names of values of the main graph: inputs, outputs or anything between. What is computed inside If, Loop or Scan bodies cannot be observed.</summary>
    public required IReadOnlyCollection<string> Values { get; init; }

    /// <summary>Values whose mean per channel is wanted, with the axis of the channels (1 for Conv, -1 for MatMul; negative counts from the end). Each must be in <see cref="Values"/>.</summary>
    public IReadOnlyDictionary<string, int> ChannelMeans { get; init; } = new Dictionary<string, int>();

    /// <summary>Values whose extremes are wanted per channel, with the axis of the channels as in <see cref="ChannelMeans"/>. Each must be in <see cref="Values"/>.</summary>
    public IReadOnlyDictionary<string, int> ChannelRanges { get; init; } = new Dictionary<string, int>();

    /// <summary>Gram matrices of weights' inputs; the value of each must be in <see cref="Values"/>.</summary>
    public IReadOnlyList<GramRequest> Grams { get; init; } = [];

    /// <summary>Threads of the reading; 0: all processors. The runtime has one, so that the result never changes.</summary>
    public int Threads { get; init; } = 1;

    public Watchdog? Watchdog { get; init; }

    /// <summary>
    /// Bytes of observed values kept at once. When the first sample shows more, the values are observed in several passes over the
    /// samples. A constant, not a share of the machine's memory: the result must not depend on the machine.
    /// </summary>
    public long MemoryBound { get; init; } = 768L << 20;

    /// <summary>Number of samples, for <see cref="Progress"/>; 0: as many as the sequence says it has without being read.</summary>
    public int SampleCount { get; init; }

    /// <summary>Told after each sample of each pass how far the work is, 0 to 1, when the number of samples is known in advance.</summary>
    public Action<double>? Progress { get; init; }
}
