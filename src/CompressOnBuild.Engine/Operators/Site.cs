using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace CompressOnBuild.Operators;

/// <summary>One reader of a weight: input <paramref name="Input"/> of <paramref name="Node"/>; <paramref name="Operator"/> is null for a reader that knows no weights.</summary>
internal sealed record SiteUse(Node Node, int Input, Operator? Operator);

/// <summary>A weight that can be compressed, wherever it is stored, with everybody who reads it.</summary>
internal sealed class Site
{
    private readonly Lazy<float> largest;
    private readonly Lazy<double> halfError;

    internal Site(string name, Value weight, Tensor tensor, IReadOnlyList<SiteUse> uses, int[] channelAxes, long? storedBytes = null)
    {
        StoredBytes = storedBytes ?? tensor.ByteCount;
        Name = name;
        Weight = weight;
        Tensor = tensor;
        Uses = uses;
        ChannelAxes = channelAxes;
        largest = new(() => Math.Abs(TensorPrimitives.MaxMagnitude<float>(tensor.ToFloats())));
        halfError = new(() => HalfRounding.RelativeError(tensor.ToFloats()));
    }

    /// <summary>The weight's name; made unique by a number when several bodies use the same name.</summary>
    public string Name { get; }
    public Value Weight { get; }
    public Tensor Tensor { get; }
    /// <summary>Bytes in the file: fewer than the tensor's where it is stored in 16-bit floats and a Cast makes 32 of them.</summary>
    public long StoredBytes { get; }
    public IReadOnlyList<SiteUse> Uses { get; }
    /// <summary>Axes of the tensor that index output channels.</summary>
    public IReadOnlyList<int> ChannelAxes { get; }
    /// <summary>max|w|; NaN when an element is NaN. Read once, on first use.</summary>
    public float LargestMagnitude => largest.Value;
    /// <summary>As <see cref="HalfRounding.RelativeError"/>, of a weight that 16-bit floats can hold. Read once, on first use.</summary>
    public double HalfError => halfError.Value;

    /// <summary>The operator when all readers read it the same way, else null: then only forms that restore the whole weight are possible.</summary>
    public Operator? Operator => Uses.All(u => u.Operator == Uses[0].Operator) ? Uses[0].Operator : null;

    /// <summary>The operator's name for reports.</summary>
    public string OperatorName => Uses[0].Operator?.OpType ?? Uses[0].Node.OpType;

    /// <summary>The only reader, null when there are several.</summary>
    public Node? SingleNode => Uses.Count == 1 ? Uses[0].Node : null;

    /// <summary>True when all readers are convolutions in which every channel stands alone: ONNX Runtime multiplies those by a kernel of their own.</summary>
    public bool IsDepthwise => Uses.All(u => u.Node.Is("Conv") && Tensor.Shape[1] == 1 && u.Node.Int("group", 1) == Tensor.Shape[0] && Tensor.Shape[0] > 1);

    /// <summary>True when the weight is read in the main graph only, where activations can be observed.</summary>
    public bool IsObservable => Uses.All(u => u.Node.Graph.Outer is null);

    public override string ToString() => $"{Name} {Tensor}";
}
