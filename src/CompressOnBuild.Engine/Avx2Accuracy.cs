namespace CompressOnBuild;

/// <summary>How the accuracy on x64 processors without VNNI is known.</summary>
public enum Avx2Basis
{
    /// <summary>No pair of weights can saturate: the integers are the same on every x64 processor, and so is the accuracy.</summary>
    Exact,
    /// <summary>The processor that measured is one of them.</summary>
    Measured,
    /// <summary>Their arithmetic was computed for the integer products that can saturate.</summary>
    Emulated,
    /// <summary>It is not known: products can saturate, and there are no data, or none of them can be emulated.</summary>
    Unknown,
}

/// <summary>
/// The accuracy on x64 processors without VNNI, which add two 8-bit products in 16 bits that saturate.
/// </summary>
public sealed record Avx2Accuracy
{
    /// <summary>How it is known.</summary>
    public required Avx2Basis Basis { get; init; }
    /// <summary>Weights that stand in integer products of unsigned activations and signed weights.</summary>
    public required int Products { get; init; }
    /// <summary>Those whose products can saturate, the worst first.</summary>
    public IReadOnlyList<SaturatingWeight> Weights { get; init; } = [];
    /// <summary>The metrics of <see cref="Measurements.Metrics"/> there; empty where the basis is <see cref="Avx2Basis.Exact"/> (they are the same) or unknown.</summary>
    public IReadOnlyList<MetricResult> Metrics { get; init; } = [];
    /// <summary>Samples on which products were counted.</summary>
    public int CountedSamples { get; init; }
}

/// <summary>A weight whose products can saturate.</summary>
/// <param name="Name">Name of the weight in the graph that ONNX Runtime runs.</param>
/// <param name="Operator">Operator that multiplies by it.</param>
/// <param name="Pairs">Neighbours in it whose products are added in 16 bits.</param>
/// <param name="CanSaturate">Those of them that some activations drive out of 16 bits.</param>
/// <param name="Counted">Pairs of products on the calibration data; 0 where they were not counted.</param>
/// <param name="Saturated">Those of them that saturated.</param>
/// <param name="NotEmulated">Why its products are not emulated; null when they are.</param>
public sealed record SaturatingWeight(string Name, string Operator, long Pairs, long CanSaturate, long Counted, long Saturated, string? NotEmulated)
{
    /// <summary>Share of the counted pairs that saturated, 0 to 1.</summary>
    public double Share => Counted == 0 ? 0 : (double)Saturated / Counted;
}
