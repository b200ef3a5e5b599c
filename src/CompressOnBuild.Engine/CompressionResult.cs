using CompressOnBuild.Diagnostics;

namespace CompressOnBuild;

/// <summary>What the gate says.</summary>
public enum Verdict { Pass, Fail, Inconclusive, Unmeasured }

/// <summary>Everything one request produced: what the reports print, split as the files are (deterministic facts, and measurements).</summary>
public sealed record CompressionResult
{
    public required CompressionRequest Request { get; init; }
    public required Verdict Verdict { get; init; }
    public required ModelFacts Original { get; init; }
    public required ModelFacts Compressed { get; init; }
    public required IReadOnlyList<WeightFacts> Weights { get; init; }
    public required IReadOnlyList<SkippedWeight> Skipped { get; init; }
    /// <summary>What was done, in order, in the reader's words ("folded 35 BatchNormalization into Conv").</summary>
    public required IReadOnlyList<string> Steps { get; init; }
    public required IReadOnlyList<Diagnostic> Warnings { get; init; }
    public required Provenance Provenance { get; init; }
    public required Measurements Measurements { get; init; }
    /// <summary>Absolute path of the compressed model.</summary>
    public required string OutputModel { get; init; }
    /// <summary>Names of the model's inputs and outputs, in the graph's order: constants of the generated accessor.</summary>
    public IReadOnlyList<string> InputNames { get; init; } = [];
    /// <inheritdoc cref="InputNames"/>
    public IReadOnlyList<string> OutputNames { get; init; } = [];
    /// <summary>Every file that was read (model, external data, data sets, recipe, preprocessing), hashed before it was used.</summary>
    public IReadOnlyList<InputFile> InputFiles { get; init; } = [];
    /// <summary>Files that were looked for and not there: one that appears makes the result stale. Absolute paths.</summary>
    public IReadOnlyList<string> AbsentFiles { get; init; } = [];
    /// <summary>Data folders whose listing matters: a file that appears there makes the result stale. Absolute paths.</summary>
    public IReadOnlyList<string> InputFolders { get; init; } = [];
}

/// <summary>Facts of one model file. <paramref name="ShippedBytes"/>: what travels to the user (packed size if packed).
/// <paramref name="MultiplyAdds"/>: multiply-accumulates of one run at the shapes of the first sample; 0 when no data was given.</summary>
public sealed record ModelFacts(string Sha256, long Bytes, long ShippedBytes, long Parameters, long NonZeroParameters, long MultiplyAdds);

/// <summary>One weight that was transformed. <paramref name="Because"/>: the figure or rule that chose the form.</summary>
public sealed record WeightFacts(string Name, string Operator, IReadOnlyList<long> Shape, string Technique, string Encoding, double Bits,
    double Sparsity, int? Rank, long BytesBefore, long BytesAfter, string Because);

/// <summary>One weight left as it was: the rule's code (COB2xxx) or the measured loss, in <paramref name="Because"/>. Bytes of the weight.</summary>
public sealed record SkippedWeight(string Name, string Operator, IReadOnlyList<long> Shape, long Bytes, string Code, string Because);

/// <summary>Hashes of all inputs and the versions of what computed the result; a split's hash is null where there is no such split.</summary>
public sealed record Provenance(string ModelSha256, string RecipeName, string RecipeSha256, string? CalibrationSha256, string? SelectionSha256,
    string? GateSha256, string ToolVersion, string OnnxRuntimeVersion, int Seed, string Target);

/// <summary>What differs between machines and runs.</summary>
public sealed record Measurements
{
    public IReadOnlyList<MetricResult> Metrics { get; init; } = [];
    /// <summary>Null when there was no data to run on.</summary>
    public Latency? Latency { get; init; }
    public long PeakMemoryBytes { get; init; }
    public double Seconds { get; init; }
    public string Processor { get; init; } = "";
    public IReadOnlyList<string> InstructionSets { get; init; } = [];
    public string OnnxRuntime { get; init; } = "";
    public IReadOnlyList<CandidateResult> Candidates { get; init; } = [];
}

/// <summary>One metric on the gate split, in the metric's own unit. <paramref name="Drop"/> is the worsening in the metric's own direction
/// (positive = worse). <paramref name="Confidence"/>: 95 % interval of the drop from a paired comparison on the same samples.</summary>
public sealed record MetricResult(string Name, double Original, double Compressed, double Drop, double? Limit, int Samples,
    Interval? Confidence, bool Passed)
{
    /// <summary>The verdict on this metric alone: inconclusive when the limit lies inside the interval of the drop.</summary>
    public Verdict Verdict => Passed ? Verdict.Pass : Confidence is { } c && Limit is { } limit && c.Low <= limit && c.High > limit ? Verdict.Inconclusive : Verdict.Fail;
}

public sealed record Interval(double Low, double High);

/// <summary>Alternating single-thread runs of both models; medians in ms, speedup = original / compressed over the pairs.</summary>
public sealed record Latency(double OriginalMs, double CompressedMs, double SpeedupMin, double SpeedupMedian, double SpeedupMax);

/// <summary>One thing a search tried on the selection split.</summary>
public sealed record CandidateResult(string Name, long Bytes, double? Metric, double? Drop, double? EstimatedCost, bool Chosen);
