using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// A node that multiplies by a constant weight, seen as "each output channel c is a sum of its own weights, plus a bias": multiplying channel c
/// by a[c] and adding d[c] afterwards is the same as scaling its weights and moving its bias.
/// Legal: Conv, ConvTranspose, Gemm of the default domain with a constant float weight that nobody else reads and a bias that is absent or constant;
/// MatMul with a constant 2-D weight on the right, which can be scaled but has no bias.
/// </summary>
internal sealed class LinearLayer
{
    private readonly Value weight;
    private readonly Tensor tensor;
    // Of weight element i the output channel is (i / Inner % Middle) + (i / Block) * Middle.
    private readonly long inner, middle, block;
    private readonly double[] bias;

    private LinearLayer(Node node, Value weight, Tensor tensor, long channels, int rank, long inner, long middle, long block, double[] bias)
    {
        Node = node;
        this.weight = weight;
        this.tensor = tensor;
        Channels = channels;
        Rank = rank;
        this.inner = inner;
        this.middle = middle;
        this.block = block;
        this.bias = bias;
    }

    public Node Node { get; }
    public long Channels { get; }
    /// <summary>Rank of the output; 0 when it depends on the input (MatMul).</summary>
    public int Rank { get; }
    /// <summary>Axis of the output that counts channels, from the end when <see cref="Rank"/> is 0.</summary>
    public int ChannelAxis => Rank == 0 ? -1 : 1;
    public ElementType ElementType => tensor.ElementType;
    public bool HasBias => !Node.Is("MatMul");

    public static LinearLayer? Of(Node node)
    {
        if (node.Domain.Length > 0 || node.OpType is not ("Conv" or "ConvTranspose" or "Gemm" or "MatMul")) return null;
        if (node.Input(1) is not { Uses.Count: 1 } weight || weight.Fixed() is not { } w || !w.IsComputable() || w.Rank < 2 || w.Count == 0) return null;
        var shape = w.Shape;
        long channels, inner = 1, middle, block = w.Count;
        var rank = w.Rank;
        for (var i = 2; i < w.Rank; i++) inner *= shape[i];
        switch (node.OpType)
        {
            case "Conv":
                channels = middle = shape[0];
                inner *= shape[1];
                break;
            case "ConvTranspose":
                var group = node.Int("group", 1);
                if (group < 1 || shape[0] % group != 0) return null;
                middle = shape[1];
                channels = middle * group;
                block = shape[0] / group * shape[1] * inner;
                break;
            default:
                if (rank != 2) return null;
                if (node.Is("MatMul")) rank = 0;
                var transposed = node.Is("Gemm") && node.Int("transB", 0) != 0;
                channels = middle = transposed ? shape[0] : shape[1];
                inner = transposed ? shape[1] : 1;
                break;
        }
        return Bias(node, channels, w.ElementType) is { } bias ? new(node, weight, w, channels, rank, inner, middle, block, bias) : null;
    }

    private static double[]? Bias(Node node, long channels, ElementType type)
    {
        if (node.Is("MatMul") || node.Input(2) is not { } value) return new double[channels];
        if (value.Fixed() is not { } tensor || tensor.ElementType != type) return null;
        var values = tensor.ToDoubles();
        if (!node.Is("Gemm")) return values.Length == channels ? values : null;
        // Gemm's C broadcasts to [M,N]: only forms that are the same for every row are a bias.
        if (tensor.Rank > 2 || (tensor.Rank == 2 && tensor.Shape[0] != 1)) return null;
        if (values.Length == 1) Array.Fill(values = new double[channels], tensor.ToDoubles()[0]);
        if (values.Length != channels) return null;
        var beta = node.Float("beta", 1);
        return Array.ConvertAll(values, v => v * beta);
    }

    /// <summary>Makes the node compute <c>a[c] * y + d[c]</c> instead of y. False, and nothing changed, when a number would leave the float type's range.</summary>
    public bool Fold(double[] a, double[] d)
    {
        var w = tensor.ToDoubles();
        if (Array.Exists(a, v => v != 1))
            for (long i = 0; i < w.Length; i++) w[i] *= a[i / inner % middle + i / block * middle];
        var moved = new double[Channels];
        for (var c = 0; c < moved.Length; c++) moved[c] = bias[c] * a[c] + d[c];
        if (ConstantValues.FromDoubles(w, ElementType, tensor.Shape.ToArray()) is not { } scaled) return false;
        if (ConstantValues.FromDoubles(moved, ElementType, Channels) is not { } newBias) return false;
        weight.SetConstant(scaled);
        if (!HasBias) return true;
        if (Node.Input(2) is { Uses.Count: 1 } own) own.SetConstant(newBias);
        else Node.SetInput(2, Node.Graph.AddInitializer($"{weight.Name}_bias", newBias));
        if (Node.Is("Gemm")) Node.RemoveAttribute("beta");
        return true;
    }

    /// <summary>Lets the node compute the output of <paramref name="next"/>, which only this node's output feeds, and takes that node out.</summary>
    public void Absorb(Node next)
    {
        Node.SetOutput(0, next.Output(0)!);
        next.Graph.Remove(next);
    }
}
