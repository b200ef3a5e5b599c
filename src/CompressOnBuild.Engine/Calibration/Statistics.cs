using System.Diagnostics.CodeAnalysis;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Calibration;

/// <summary>What the samples showed of the requested values. Values the runtime could not show (sequences, strings) are missing.</summary>
internal sealed class Statistics
{
    private readonly Dictionary<string, ValueStatistics> values;
    private readonly Dictionary<string, IReadOnlyList<double[]>> grams;

    internal Statistics(int samples, Dictionary<string, ValueStatistics> values, Dictionary<string, IReadOnlyList<double[]>>? grams = null, IReadOnlyDictionary<string, long>? gramRows = null)
    {
        Samples = samples;
        this.values = values;
        this.grams = grams ?? [];
        GramRows = gramRows ?? new Dictionary<string, long>();
    }

    /// <summary>How many samples were run.</summary>
    public int Samples { get; }

    /// <summary>By name of the value.</summary>
    public IReadOnlyDictionary<string, ValueStatistics> Values => values;

    /// <summary>By name of the weight, where asked for: the sum of x x^T over rows x [K] it was multiplied with, [K, K] row-major, one for each group of a convolution.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<double[]>> Grams => grams;

    /// <summary>How many rows the matrices of <see cref="Grams"/> are sums of.</summary>
    public IReadOnlyDictionary<string, long> GramRows { get; }

    /// <summary>Mean of each channel by name of the value, where asked for.</summary>
    public IReadOnlyDictionary<string, float[]> ChannelMeans => values.Where(v => v.Value.ChannelMeans is not null)
        .ToDictionary(v => v.Key, v => v.Value.ChannelMeans!.Select(m => (float)m).ToArray(), StringComparer.Ordinal);

    /// <summary>All weights are rounded: the matrices, by far the largest of all this, are let go.</summary>
    public void ForgetGrams() => grams.Clear();

    /// <exception cref="KeyNotFoundException">The value was not requested or not seen.</exception>
    public ValueStatistics this[string name] => values[name];

    public bool TryGet(string name, [NotNullWhen(true)] out ValueStatistics? value) => values.TryGetValue(name, out value);
}

/// <summary>
/// One value over all samples. Only floating-point values (fp16, bf16 and double are read as float) have a range, a histogram and means;
/// of others there are type and shape.
/// </summary>
internal sealed class ValueStatistics
{
    internal ValueStatistics(string name) => Name = name;

    public string Name { get; }
    public ElementType ElementType { get; internal set; }

    /// <summary>Shape in the first sample.</summary>
    public IReadOnlyList<long> Shape { get; internal set; } = [];

    /// <summary>Smallest finite element; 0 when there was none.</summary>
    public float Min { get; internal set; }
    /// <summary>Largest finite element; 0 when there was none.</summary>
    public float Max { get; internal set; }

    /// <summary>Finite elements seen; 0 says that range and histogram mean nothing.</summary>
    public long Count { get; internal set; }
    /// <summary>NaN and infinite elements; they are in no other figure.</summary>
    public long NonFinite { get; internal set; }
    /// <summary>Elements of an average sample.</summary>
    public double MeanElements { get; internal set; }

    /// <summary>Empty for a value that is no float.</summary>
    public Histogram Histogram { get; } = new();

    /// <summary>Mean of each channel over all samples and positions (non-finite elements as 0), where asked for and where the number of channels never changed; else null.</summary>
    public IReadOnlyList<double>? ChannelMeans { get; internal set; }

    /// <summary>What each channel showed, where asked for and where the number of channels never changed and every element was finite; else null.</summary>
    public ChannelRanges? ChannelRanges { get; internal set; }
}

/// <summary>Channels of one value, over all samples and positions.</summary>
/// <param name="Min">Smallest element of each.</param>
/// <param name="Max">Largest element of each.</param>
internal sealed record ChannelRanges(IReadOnlyList<float> Min, IReadOnlyList<float> Max);
