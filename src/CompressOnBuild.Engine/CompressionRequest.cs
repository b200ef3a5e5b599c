namespace CompressOnBuild;

/// <summary>What <c>auto</c> minimises.</summary>
public enum Goal { Balanced, Size, Speed }

/// <summary>Where the compressed model will run.</summary>
public enum Target { Cpu, CpuVnni, Cuda, DirectMl, Qnn, CoreMl, Web }

/// <summary>
/// One model to compress: the metadata of a <c>CompressModel</c> item, parsed and checked. Paths are absolute.
/// Defaults are those of the item.
/// </summary>
public sealed record CompressionRequest
{
    /// <summary>The original model.</summary>
    public required string Model { get; init; }
    /// <summary>The folder that gets the model and its reports.</summary>
    public required string Output { get; init; }
    /// <summary>Where the reports of an attempt go that the gate refused.</summary>
    public string FailedOutput => Path.Combine(Output, "failed");
    /// <summary>File name without extension of the compressed model and name in the reports.</summary>
    public required string Name { get; init; }
    /// <summary>A preset's name or the path of a recipe file.</summary>
    public string Recipe { get; init; } = "auto";
    public Goal Goal { get; init; } = Goal.Balanced;
    public Target Target { get; init; } = Target.Cpu;
    public string? CalibrationData { get; init; }
    public string? EvaluationData { get; init; }
    public string? Preprocessing { get; init; }
    /// <summary>Metric names; the first is the primary one. Empty: chosen from the data.</summary>
    public IReadOnlyList<string> Metrics { get; init; } = [];
    /// <summary>Largest allowed worsening of the primary metric; null: not asked for, 0.01 applies where there is data.</summary>
    public double? MaxAccuracyDrop { get; init; }
    /// <summary>Absolute conditions on the compressed model, e.g. <c>top1&gt;=0.80;cer&lt;=0.03</c>.</summary>
    public IReadOnlyList<Requirement> Require { get; init; } = [];
    /// <summary>Largest size of the shipped model; null: no limit.</summary>
    public SizeLimit? MaxSize { get; init; }
    /// <summary>Largest latency as a share of the original's (0.8 = 80 %); null: no limit.</summary>
    public double? MaxLatency { get; init; }
    public int Seed { get; init; } = 1;
    /// <summary>Threads of the worker; 0: all processors. Never changes the result.</summary>
    public int Threads { get; init; }
    /// <summary>An <c>inconclusive</c> or <c>unmeasured</c> verdict fails.</summary>
    public bool Strict { get; init; }
    /// <summary>Wall time after which the work is given up; null: 30 minutes for one model run.</summary>
    public TimeSpan? RunTimeout { get; init; }
}

/// <summary>A size limit: bytes, or a share of the original.</summary>
public sealed record SizeLimit(long? Bytes, double? Share);

/// <summary>An absolute condition such as <c>top1&gt;=0.80</c>.</summary>
public sealed record Requirement(string Metric, bool AtLeast, double Value);
