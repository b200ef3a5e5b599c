using CompressOnBuild.Calibration;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Restructuring;

/// <summary>
/// The weight of a Conv (one group), Gemm or MatMul as a matrix [N, K] of doubles with the Gram matrix of its inputs. Where the output has a bias that can be changed, only
/// what varies must be kept: the Gram matrix is that of the inputs less their mean, and the bias makes up for the rest.
/// </summary>
internal sealed class LayerMatrix
{
    private LayerMatrix(Site site, double[] w, int n, double[]? gram, double[]? mean) => (Site, W, N, Gram, Mean) = (site, w, n, gram, mean);

    public Site Site { get; }
    public Node Node => Site.SingleNode!;
    /// <summary>Row-major.</summary>
    public double[] W { get; }
    public int N { get; }
    public int K => W.Length / N;
    /// <summary>[K, K]; null where only the weights count.</summary>
    public double[]? Gram { get; }
    /// <summary>Of the inputs, [K]; null where no bias can make up for it.</summary>
    public double[]? Mean { get; }

    /// <summary>The layer, or why it is none that can be changed.</summary>
    /// <param name="site">The weight.</param>
    /// <param name="statistics">With the Gram matrix of its inputs (<see cref="GramRequest.WithOne"/>).</param>
    /// <param name="by">Whether that counts.</param>
    public static (LayerMatrix? Layer, string? Refusal) Create(Site site, Statistics statistics, StepCriterion by)
    {
        if (Of(site) is var (layer, refusal) && layer is null) return (null, refusal);
        if (!statistics.Grams.TryGetValue(site.Name, out var seen)) return (null, "it meets more inputs than calibration gathers, or none that are numbers");
        var (gram, mean) = by == StepCriterion.Magnitude ? (null, null) : Centred(seen[0], layer.K, BiasOf(site) is not null);
        return (new LayerMatrix(site, layer.W, layer.N, gram, mean), null);
    }

    /// <summary>The layer without a Gram matrix, or why it is none that can be changed.</summary>
    public static (LayerMatrix? Layer, string? Refusal) Of(Site site)
    {
        if (!site.IsObservable) return (null, "its inputs are inside a body and cannot be observed");
        if (site.SingleNode is not { } node) return (null, "several nodes read it");
        if (site.Tensor.ElementType != ElementType.Float) return (null, "it is not stored as 32-bit floats");
        if (!float.IsFinite(site.LargestMagnitude)) return (null, "it holds NaN or infinity");
        if (site.Operator is not { WeightInput: 1, Role: WeightRole.Convolution or WeightRole.MatrixProduct }) return (null, $"nothing is known of what {site.OperatorName} makes of its inputs");
        if (node.Is("Conv") && node.Int("group", 1) != 1) return (null, "the groups of its convolution are thin already");
        if (!node.Is("Conv") && site.Tensor.Rank != 2) return (null, "it is a stack of matrices");
        var (w, n) = Matrix(site);
        return (new LayerMatrix(site, w, n, null, null), null);
    }

    /// <summary>Where a change of the output's mean can go: the input of a node that holds the bias; null where there is none.</summary>
    public static Use? BiasOf(Site site)
    {
        var node = site.SingleNode!;
        if (node.Is("Conv")) return node.Input(2) is null or { Constant.ElementType: ElementType.Float } ? new Use(node, 2) : null;
        if (node.Is("Gemm")) return node.Float("alpha", 1) == 1 && node.Float("beta", 1) == 1 && (node.Input(2) is null || IsRow(node.Input(2))) ? new Use(node, 2) : null;
        if (node.Output(0) is not { Uses: [var only], IsGraphOutput: false } || !only.Node.Is("Add")) return null;
        return IsRow(only.Node.Input(1 - only.Index)) ? new Use(only.Node, 1 - only.Index) : null;

        bool IsRow(Value? value) => value?.Constant is { ElementType: ElementType.Float, Rank: 1 } bias && bias.Count == Columns(site);
    }

    /// <summary>What the bias gets when the weight becomes <paramref name="other"/>, of the same shape: (W - W') mean; null without a mean.</summary>
    public double[]? BiasChange(double[] other) => Mean is null ? null : Dense.Multiply(W.Zip(other, (before, after) => before - after).ToArray(), Mean, N, K, 1);

    /// <summary>A matrix [N, K] in the weight's own shape.</summary>
    public Tensor ToTensor(double[] matrix)
    {
        var own = IsRowMajor(Site) ? matrix : Dense.Transpose(matrix, N, K);
        return Tensor.Create(Array.ConvertAll(own, v => (float)v), Site.Tensor.Shape.ToArray());
    }

    // The last row of the matrix holds the sums of the inputs and, at its end, how many rows there were. Products of two inputs are shrunk where few rows showed them
    // (Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices"; towards the diagonal, by q^2 / (1 + q^2) with q = K / rows): what a hundred
    // rows have in common by chance would let a thousand inputs make up for each other.
    private static (double[] Gram, double[]? Mean) Centred(double[] withOne, int k, bool hasBias)
    {
        var gram = new double[k * k];
        var count = withOne[^1];
        var sums = withOne.AsSpan(k * (k + 1), k);
        var ratio = k / count;
        var believed = 1 / (1 + ratio * ratio);
        for (var i = 0; i < k; i++)
            for (var j = 0; j < k; j++) gram[i * k + j] = (withOne[i * (k + 1) + j] - (hasBias ? sums[i] * sums[j] / count : 0)) * (i == j ? 1 : believed);
        return (gram, hasBias && count > 0 ? [.. sums.ToArray().Select(s => s / count)] : null);
    }

    private static bool IsRowMajor(Site site) => site.SingleNode!.Is("Conv") || (site.SingleNode.Is("Gemm") && site.SingleNode.Int("transB", 0) != 0);

    private static int Columns(Site site) => (int)site.Tensor.Shape[IsRowMajor(site) ? 0 : 1];

    private static (double[] W, int N) Matrix(Site site)
    {
        var values = Array.ConvertAll(site.Tensor.ToFloats(), v => (double)v);
        var n = Columns(site);
        return IsRowMajor(site) ? (values, n) : (Dense.Transpose(values, values.Length / n, n), n);
    }
}
