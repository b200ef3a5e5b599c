using CompressOnBuild.Onnx;

namespace CompressOnBuild.Emulation;

/// <summary>Pairs of products of one weight on some samples, and how many of them saturated.</summary>
internal sealed class PairCount
{
    private long pairs, saturated;

    /// <summary>Pairs that were computed.</summary>
    public long Pairs => pairs;
    /// <summary>Those that saturated.</summary>
    public long Saturated => saturated;

    /// <summary>Adds to both, from any thread.</summary>
    public void Add(long pairs, long saturated)
    {
        Interlocked.Add(ref this.pairs, pairs);
        Interlocked.Add(ref this.saturated, saturated);
    }
}

/// <summary>
/// A node with an integer product, computed as x64 processors without VNNI compute it. Runs from any number of threads.
/// </summary>
internal abstract class EmulatedNode(Node node)
{
    /// <summary>The node of ONNX Runtime's optimized graph.</summary>
    public Node Node { get; } = node;

    /// <summary>The node's outputs, in its order; null for one that is left out.</summary>
    /// <param name="values">Every value that is no constant, by name.</param>
    /// <param name="count">Counts what saturates; null: nothing is counted.</param>
    public abstract Tensor?[] Run(IReadOnlyDictionary<string, Tensor> values, PairCount? count);

    /// <summary>Input <paramref name="index"/>; null when it is left out, or below 0.</summary>
    protected Tensor? Get(int index, IReadOnlyDictionary<string, Tensor> values) =>
        index < 0 || Node.Input(index) is not { } value ? null : value.Constant ?? values[value.Name];

    /// <summary>Input <paramref name="index"/>, which the operator cannot do without.</summary>
    protected Tensor Need(int index, IReadOnlyDictionary<string, Tensor> values) =>
        Get(index, values) ?? throw new InvalidOperationException($"{Node.OpType} lacks input {index}.");
}
