namespace CompressOnBuild;

/// <summary>What <c>auto</c> minimises.</summary>
public enum Goal
{
    /// <summary>Bytes and time together.</summary>
    Balanced,
    /// <summary>Bytes of the shipped model.</summary>
    Size,
    /// <summary>Time of one run.</summary>
    Speed,
}

/// <summary>Where the compressed model will run.</summary>
public enum Target
{
    /// <summary>Any x64 or Arm64 processor: int8 products stay exact where the processor adds them up in 16 bits.</summary>
    Cpu,
    /// <summary>Processors with int8 dot products into 32 bits (AVX-512 VNNI, AVX-VNNI, Arm dot product).</summary>
    CpuVnni,
    /// <summary>ONNX Runtime's CUDA execution provider; its speed is not measured.</summary>
    Cuda,
    /// <summary>ONNX Runtime's DirectML execution provider; its speed is not measured.</summary>
    DirectMl,
    /// <summary>ONNX Runtime's QNN execution provider; its speed is not measured.</summary>
    Qnn,
    /// <summary>ONNX Runtime's CoreML execution provider; its speed is not measured.</summary>
    CoreMl,
    /// <summary>ONNX Runtime Web; its speed is not measured.</summary>
    Web,
}

/// <summary>
/// One model to compress: the metadata of a <c>CompressModel</c> item, parsed and checked. Paths are absolute.
/// Defaults are those of the item.
/// </summary>
public sealed record CompressionRequest
{
    /// <summary>The original model.</summary>
    public required string Model { get; init; }
    /// <summary>A second model to hold against the original, of <see cref="ModelComparison"/>; null: it is made by compressing.</summary>
    public string? Candidate { get; init; }
    /// <summary>How reports call what they are about: the model's file name, or those of both models that are compared.</summary>
    public string Title => Names is var (original, candidate) && candidate is null ? original : $"{original} → {candidate}";
    /// <summary>The file names of the model and the candidate (null: none); where they are equal, with as many folders above them as tell them apart.</summary>
    public (string Original, string? Candidate) Names
    {
        get
        {
            char[] separators = [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar];
            string[] model = Model.Split(separators), candidate = Candidate?.Split(separators) ?? [];
            var parts = 1;
            if (Candidate is not null && Model != Candidate)
                while (parts < Math.Max(model.Length, candidate.Length) && model.TakeLast(parts).SequenceEqual(candidate.TakeLast(parts))) parts++;
            return (string.Join('/', model.TakeLast(parts)), Candidate is null ? null : string.Join('/', candidate.TakeLast(parts)));
        }
    }
    /// <summary>The folder that gets the model and its reports.</summary>
    public required string Output { get; init; }
    /// <summary>Where the reports of an attempt go that the gate refused; a comparison writes nothing else, so they replace the last ones.</summary>
    public string FailedOutput => Candidate is null ? Path.Combine(Output, "failed") : Output;
    /// <summary>File name without extension of the compressed model and name in the reports.</summary>
    public required string Name { get; init; }
    /// <summary>A preset's name or the path of a recipe file.</summary>
    public string Recipe { get; init; } = "auto";
    /// <summary>What the search of the recipe <c>auto</c> minimises.</summary>
    public Goal Goal { get; init; } = Goal.Balanced;
    /// <summary>Where the compressed model will run.</summary>
    public Target Target { get; init; } = Target.Cpu;
    /// <summary>Version of the ONNX Runtime that will run the model, as NuGet writes versions; null: not known, the one this package measures with is assumed.</summary>
    public string? OnnxRuntimeVersion { get; init; }
    /// <summary>File or folder of unlabelled samples for activation ranges; null: a part of <see cref="EvaluationData"/> is set aside for it.</summary>
    public string? CalibrationData { get; init; }
    /// <summary>File or folder of samples, labelled where possible, for the search and the gate; null: nothing is measured.</summary>
    public string? EvaluationData { get; init; }
    /// <summary>A <c>preprocessor_config.json</c>; null: the file of that name beside the model or in the data folder.</summary>
    public string? Preprocessing { get; init; }
    /// <summary>
    /// A metric of the user's own, <c>path#type</c>: the absolute path of an assembly and the full name of a class in it that implements
    /// <c>CompressOnBuild.Evaluation.IEvaluator</c>; null: none. It is code that runs: only the user may name it, never a file that came from elsewhere.
    /// </summary>
    public string? Evaluator { get; init; }
    /// <summary>Metric names; the first is the primary one. Empty: chosen from the data.</summary>
    public IReadOnlyList<string> Metrics { get; init; } = [];
    /// <summary>Largest allowed worsening of the primary metric; null: not asked for, 0.01 applies where there is data.</summary>
    public double? MaxAccuracyDrop { get; init; }
    /// <summary>Absolute conditions on the compressed model, e.g. <c>top1&gt;=0.80;cer&lt;=0.03</c>.</summary>
    public IReadOnlyList<Requirement> Require { get; init; } = [];
    /// <summary>Largest allowed worsening of the primary metric against the accepted result of the lock file; null: not asked for, 0.005 applies where there is one.</summary>
    public double? MaxRegression { get; init; }
    /// <summary>Largest size of the shipped model; null: no limit.</summary>
    public SizeLimit? MaxSize { get; init; }
    /// <summary>Largest latency as a share of the original's (0.8 = 80 %); null: no limit.</summary>
    public double? MaxLatency { get; init; }
    /// <summary>The model ships entropy-coded, and the generated accessor decodes it: the item's <c>Transport="packed"</c>.</summary>
    public bool Packed { get; init; }
    /// <summary>Seed of everything that draws: splits and resampling.</summary>
    public int Seed { get; init; } = 1;
    /// <summary>Threads of the worker; 0: all processors. Never changes the result.</summary>
    public int Threads { get; init; }
    /// <summary>An <c>inconclusive</c> or <c>unmeasured</c> verdict fails.</summary>
    public bool Strict { get; init; }
    /// <summary>The HTML report shows the pictures of the samples that changed most.</summary>
    public bool ReportImages { get; init; }
    /// <summary>Stops before the gate: the model that would be shipped is made, but nothing is judged and nothing is written.</summary>
    public bool PlanOnly { get; init; }
    /// <summary>A lock file is written; one that exists is used in any case.</summary>
    public bool Lock { get; init; }
    /// <summary>The lock file is followed and never changed; changed inputs fail.</summary>
    public bool LockedMode { get; init; }
    /// <summary>The lock file is not followed but written anew, and its accepted result replaced.</summary>
    public bool ForceEvaluate { get; init; }
    /// <summary>Where the lock file is: beside the model.</summary>
    public string LockPath => Model + ".lock.json";
    /// <summary>Wall time after which the work is given up; null: 30 minutes for one model run.</summary>
    public TimeSpan? RunTimeout { get; init; }
    /// <summary>Wall time that a search may take; null: what the recipe says, else no bound.</summary>
    public TimeSpan? TimeBudget { get; init; }
}

/// <summary>A size limit: bytes, or a share of the original.</summary>
/// <param name="Bytes">The limit in bytes; null: <paramref name="Share"/> holds.</param>
/// <param name="Share">The limit as a share of the original's bytes (0.4 = 40 %); null: <paramref name="Bytes"/> holds.</param>
public sealed record SizeLimit(long? Bytes, double? Share);

/// <summary>An absolute condition on the compressed model such as <c>top1&gt;=0.80</c>.</summary>
/// <param name="Metric">Name of the metric.</param>
/// <param name="AtLeast">True for <c>&gt;=</c>, false for <c>&lt;=</c>.</param>
/// <param name="Value">The bound, in the metric's unit.</param>
public sealed record Requirement(string Metric, bool AtLeast, double Value);
