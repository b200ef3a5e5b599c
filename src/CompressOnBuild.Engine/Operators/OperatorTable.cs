using CompressOnBuild.Onnx;

namespace CompressOnBuild.Operators;

/// <summary>What a weight does in its operator: decides which integer forms exist for it.</summary>
internal enum WeightRole { Convolution, TransposedConvolution, MatrixProduct, Lookup, Recurrent }

/// <summary>
/// An operator with weights, as a row of facts. <paramref name="ChannelAxes"/> gives the axes of the weight that index independent output
/// channels (one scale each), from the node and the weight's rank; they are neighbours.
/// </summary>
internal sealed record Operator(string OpType, int WeightInput, WeightRole Role, Func<Node, int, int[]> ChannelAxes);

/// <summary>The operators whose weights can be compressed. A new one is one row here and one tiny model for the matrix test.</summary>
internal static class OperatorTable
{
    public static IReadOnlyList<Operator> Rows { get; } =
    [
        // Conv W: [M, C/group, k...]; ConvTranspose W: [C, M/group, k...], which has no integer kernel: its scales stand where there are more
        // channels (a decoder's last layer has one or two outputs).
        new("Conv", 1, WeightRole.Convolution, (_, _) => [0]),
        new("ConvTranspose", 1, WeightRole.TransposedConvolution, (n, _) => [n.Input(1)!.Constant!.Shape is [var c, var m, ..] && c > m ? 0 : 1]),
        // Gemm B: [K, N], or [N, K] with transB; MatMul B: [..., K, N] and A: [..., M, K].
        new("Gemm", 1, WeightRole.MatrixProduct, (n, _) => [n.Int("transB", 0) != 0 ? 0 : 1]),
        new("MatMul", 1, WeightRole.MatrixProduct, (_, rank) => [Math.Max(rank - 1, 0)]),
        new("MatMul", 0, WeightRole.MatrixProduct, (_, rank) => [Math.Max(rank - 2, 0)]),
        // An embedding: every row of the table has its own scale.
        new("Gather", 0, WeightRole.Lookup, (n, rank) => [(int)(n.Int("axis", 0) + (n.Int("axis", 0) < 0 ? rank : 0))]),
        // W: [directions, gates * hidden, input], R: [directions, gates * hidden, hidden].
        new("LSTM", 1, WeightRole.Recurrent, (_, _) => [0, 1]),
        new("LSTM", 2, WeightRole.Recurrent, (_, _) => [0, 1]),
        new("GRU", 1, WeightRole.Recurrent, (_, _) => [0, 1]),
        new("GRU", 2, WeightRole.Recurrent, (_, _) => [0, 1]),
        new("RNN", 1, WeightRole.Recurrent, (_, _) => [0, 1]),
        new("RNN", 2, WeightRole.Recurrent, (_, _) => [0, 1]),
    ];

    private static readonly ILookup<(string, int), Operator> Lookup = Rows.ToLookup(r => (r.OpType, r.WeightInput));

    /// <summary>The row for a weight at input <paramref name="input"/> of <paramref name="node"/>, null when it is no weight position.</summary>
    public static Operator? Find(Node node, int input) => node.Domain.Length == 0 ? Lookup[(node.OpType, input)].FirstOrDefault() : null;
}
