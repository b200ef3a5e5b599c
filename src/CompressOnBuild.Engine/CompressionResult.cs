using CompressOnBuild.Diagnostics;

namespace CompressOnBuild;

/// <summary>What the gate says.</summary>
public enum Verdict
{
    /// <summary>No limit is broken, and the whole interval of the drop is within its limit.</summary>
    Pass,
    /// <summary>A limit is broken, beyond what chance explains.</summary>
    Fail,
    /// <summary>The interval of the drop contains its limit: more samples would decide.</summary>
    Inconclusive,
    /// <summary>There was no data to measure with.</summary>
    Unmeasured,
}

/// <summary>Everything one request produced: what the reports print, split as the files are (deterministic facts, and measurements).</summary>
public sealed record CompressionResult
{
    /// <summary>What was asked for.</summary>
    public required CompressionRequest Request { get; init; }
    /// <summary>What the gate said.</summary>
    public required Verdict Verdict { get; init; }
    /// <summary>The model as it was given, external data included.</summary>
    public required ModelFacts Original { get; init; }
    /// <summary>The model that was written.</summary>
    public required ModelFacts Compressed { get; init; }
    /// <summary>Every weight that was transformed, in the graph's order.</summary>
    public required IReadOnlyList<WeightFacts> Weights { get; init; }
    /// <summary>Every weight that was left alone: those whose operator has compressed forms in the graph's order, then the others in that order.</summary>
    public required IReadOnlyList<SkippedWeight> Skipped { get; init; }
    /// <summary>What was done, in order, in the reader's words ("folded 35 BatchNormalization into Conv").</summary>
    public required IReadOnlyList<string> Steps { get; init; }
    /// <summary>Every warning the log was told, in order.</summary>
    public required IReadOnlyList<Diagnostic> Warnings { get; init; }
    /// <summary>Every broken limit, with figure, limit and what to do; empty unless the verdict is fail.</summary>
    public IReadOnlyList<Diagnostic> Errors { get; init; } = [];
    /// <summary>What the result was computed from, and by what.</summary>
    public required Provenance Provenance { get; init; }
    /// <summary>The figures that were measured.</summary>
    public required Measurements Measurements { get; init; }
    /// <summary>Absolute path of the folder that holds the reports: the request's output folder, or after a failed gate its <c>failed</c>.</summary>
    public required string Folder { get; init; }
    /// <summary>Absolute path of the compressed model.</summary>
    public required string OutputModel { get; init; }
    /// <summary>Absolute path of the packed model; null where none was asked for.</summary>
    public string? PackedModel => Request is { Packed: true, Candidate: null } ? OutputModel + PackedSuffix : null;
    /// <summary>What the name of a packed model ends with, after the model's own.</summary>
    internal const string PackedSuffix = ".packed";
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
    /// <summary>The entry of the lock file that the result followed or wrote; null when no lock is in use.</summary>
    internal LockState? Lock { get; init; }
}

/// <summary>Facts of one model.</summary>
/// <param name="Sha256">Lower-case hex; of a model with external data, the hash over the hashes of all its files.</param>
/// <param name="Bytes">Bytes of the model file and its external data.</param>
/// <param name="ShippedBytes">Bytes that travel to the user (packed size if packed).</param>
/// <param name="Parameters">Stored numbers of all graphs.</param>
/// <param name="NonZeroParameters">Those that are not zero.</param>
/// <param name="MultiplyAdds">Multiply-accumulates of one run at the shapes of the first sample; 0 when no data was given.</param>
public sealed record ModelFacts(string Sha256, long Bytes, long ShippedBytes, long Parameters, long NonZeroParameters, long MultiplyAdds);

/// <summary>One weight that was transformed.</summary>
/// <param name="Name">Name of the initializer or Constant.</param>
/// <param name="Operator">Type of the node that reads it.</param>
/// <param name="Shape">Dimensions as stored.</param>
/// <param name="Technique">How the smaller form was computed, in words.</param>
/// <param name="Encoding">Id of the way it is written in ONNX.</param>
/// <param name="Bits">Bits per element.</param>
/// <param name="Sparsity">Share of elements that are zero, 0 to 1.</param>
/// <param name="Rank">Rank of a factored weight, else null.</param>
/// <param name="BytesBefore">Bytes of the original data.</param>
/// <param name="BytesAfter">Bytes of the new data, scales and zero points included.</param>
/// <param name="Because">The figure or rule that chose the form.</param>
public sealed record WeightFacts(string Name, string Operator, IReadOnlyList<long> Shape, string Technique, string Encoding, double Bits,
    double Sparsity, int? Rank, long BytesBefore, long BytesAfter, string Because)
{
    /// <summary>10 log10(sum of w² / sum of (w' - w)²) of the weight as the runtime restores it, in dB, to 0.01; infinite where both are equal.</summary>
    public double? SignalToNoise { get; init; }
}

/// <summary>One weight left as it was.</summary>
/// <param name="Name">Name of the initializer or Constant.</param>
/// <param name="Operator">Type of the node that reads it; of all of them, in ordinal order, where none has a compressed form for it.</param>
/// <param name="Shape">Dimensions as stored.</param>
/// <param name="Bytes">Bytes of its data.</param>
/// <param name="Code">The reason's code, COB2101 to COB2110.</param>
/// <param name="Because">The reason in words.</param>
public sealed record SkippedWeight(string Name, string Operator, IReadOnlyList<long> Shape, long Bytes, string Code, string Because);

/// <summary>Hashes (SHA-256, lower-case hex) of all inputs and the versions of what computed the result.</summary>
/// <param name="ModelSha256">As <see cref="ModelFacts.Sha256"/> of the original.</param>
/// <param name="RecipeName">As <see cref="Planning.Recipe.Name"/>; null when two given models were compared.</param>
/// <param name="RecipeSha256">As <see cref="Planning.Recipe.Sha256"/>; null when two given models were compared.</param>
/// <param name="CalibrationSha256">Of the samples that gave the ranges; null when there were none.</param>
/// <param name="SelectionSha256">Of the samples the search saw; null when there were none.</param>
/// <param name="GateSha256">Of the samples that were judged; null when there were none.</param>
/// <param name="ToolVersion">As <see cref="Compressor.ToolVersion"/>.</param>
/// <param name="OnnxRuntimeVersion">Version of the runtime that measured.</param>
/// <param name="Seed">As <see cref="CompressionRequest.Seed"/>.</param>
/// <param name="Target">As <see cref="CompressionRequest.Target"/>, in lower case.</param>
/// <param name="EvaluatorSha256">Of the assembly with the user's own metric; null when there is none.</param>
/// <param name="Runtime">What will run the model; null when two given models were compared.</param>
public sealed record Provenance(string ModelSha256, string? RecipeName, string? RecipeSha256, string? CalibrationSha256, string? SelectionSha256,
    string? GateSha256, string ToolVersion, string OnnxRuntimeVersion, int Seed, string Target, string? EvaluatorSha256 = null, ProjectRuntime? Runtime = null);

/// <summary>The ONNX Runtime that will run the model.</summary>
/// <param name="Version">Its version.</param>
/// <param name="IsAssumed">Nobody said the version: it is the one that measured.</param>
/// <param name="Capabilities">What plans depend on: equal texts, equal plans.</param>
public sealed record ProjectRuntime(string Version, bool IsAssumed, string Capabilities);

/// <summary>What differs between machines and runs.</summary>
public sealed record Measurements
{
    /// <summary>The metrics on the gate split, the primary one first; empty when there was no data.</summary>
    public IReadOnlyList<MetricResult> Metrics { get; init; } = [];
    /// <summary>The accuracy on x64 processors without VNNI; null where no integer product could differ there, and for targets that promise nothing.</summary>
    public Avx2Accuracy? Avx2 { get; init; }
    /// <summary>Null when there was no data to run on.</summary>
    public Latency? Latency { get; init; }
    /// <summary>Peak working set of the process so far, in bytes.</summary>
    public long PeakMemoryBytes { get; init; }
    /// <summary>Wall time of the whole run, in seconds.</summary>
    public double Seconds { get; init; }
    /// <summary>Name of the processor that measured.</summary>
    public string Processor { get; init; } = "";
    /// <summary>Its instruction sets that matter to the speed, e.g. <c>AVX2</c>.</summary>
    public IReadOnlyList<string> InstructionSets { get; init; } = [];
    /// <summary>Version of the runtime that measured.</summary>
    public string OnnxRuntime { get; init; } = "";
    /// <summary>How the outputs changed, sample by sample, on the gate split; null when there was no data.</summary>
    public OutputChanges? Changes { get; init; }
    /// <summary>What a search tried, in order; empty without one.</summary>
    public IReadOnlyList<CandidateResult> Candidates { get; init; } = [];
}

/// <summary>One metric on the gate split, in the metric's own unit.</summary>
/// <param name="Name">Name of the metric, e.g. <c>top1</c>.</param>
/// <param name="Original">Value of the original model.</param>
/// <param name="Compressed">Value of the compressed model on the same samples.</param>
/// <param name="Drop">The worsening in the metric's own direction: positive is worse.</param>
/// <param name="Limit">Largest allowed drop; null: this metric is not judged.</param>
/// <param name="Samples">Number of samples.</param>
/// <param name="Confidence">95 % interval of the drop from a paired comparison; null when the samples give none.</param>
/// <param name="Passed">Whether the drop surely keeps its limit and every requirement on the metric holds.</param>
public sealed record MetricResult(string Name, double Original, double Compressed, double Drop, double? Limit, int Samples,
    Interval? Confidence, bool Passed)
{
    /// <summary>Samples that went from right to wrong, for metrics that are shares of samples; else null.</summary>
    public int? Worse { get; init; }
    /// <summary>Samples that went from wrong to right, for metrics that are shares of samples; else null.</summary>
    public int? Better { get; init; }
    /// <summary>About how many samples would decide an open limit; null where it is decided, where there is no interval, or where none would.</summary>
    public long? SamplesToDecide { get; init; }
    /// <summary>The verdict on this metric alone: inconclusive when the limit lies inside the interval of the drop, or there is no interval and the drop is not beyond the limit.</summary>
    public Verdict Verdict => Passed ? Verdict.Pass : Limit is { } limit && (Confidence is { } c ? c.Low <= limit && c.High > limit : Drop <= limit) ? Verdict.Inconclusive : Verdict.Fail;
}

/// <summary>A closed interval.</summary>
/// <param name="Low">Lower bound.</param>
/// <param name="High">Upper bound.</param>
public sealed record Interval(double Low, double High);

/// <summary>Alternating single-thread runs of both models; a speedup is the original's time over the compressed model's, pair by pair.</summary>
/// <param name="OriginalMs">Median time of one run of the original, in ms.</param>
/// <param name="CompressedMs">Median time of one run of the compressed model, in ms.</param>
/// <param name="SpeedupMin">Smallest speedup.</param>
/// <param name="SpeedupMedian">Median speedup.</param>
/// <param name="SpeedupMax">Largest speedup.</param>
public sealed record Latency(double OriginalMs, double CompressedMs, double SpeedupMin, double SpeedupMedian, double SpeedupMax);

/// <summary>One thing a search tried on the selection split.</summary>
public sealed record CandidateResult(string Name, long Bytes, double? Metric, double? Drop, double? EstimatedCost, bool Chosen);
