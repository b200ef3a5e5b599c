using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Encodings;

/// <summary>
/// A tiny model around one operator: activations "x", weights "w" (and "r" of recurrent operators), outputs "y"...
/// <paramref name="Forms"/> are the encodings that its weights must have at operator set 13 and later.
/// </summary>
internal sealed record MatrixCase(string Name, string Forms, Action<ModelBuilder> Build, int LowestOpset = 7)
{
    private const string Product = "qdq dynamic-matmul matmul-dq matmul-nbits cast-mul", Cheap = "cast-mul";

    public override string ToString() => Name;

    public Model Model(int opset)
    {
        var builder = new ModelBuilder(opset, IrVersion(opset));
        Build(builder);
        return builder.Build();
    }

    // The IR version that came with an operator set, as exporters write it (8 below 19 to be no special case of IR 3).
    public static int IrVersion(int opset) => opset switch { <= 18 => 8, <= 20 => 9, <= 22 => 10, 23 => 11, 24 => 12, _ => 13 };

    /// <summary>Inputs other than "x" that must not be random.</summary>
    public static Dictionary<string, Tensor> Given { get; } = new()
    {
        ["i"] = Tensor.Create([3L, 0, 7, 3, 1, 2], 2, 3),
        ["i32"] = Tensor.Create([3, 0, 7, 3, 1, 2], 2, 3),
        ["lengths"] = Tensor.Create([5, 3], 2),
    };

    public static IReadOnlyList<MatrixCase> All { get; } =
    [
        new("Conv1d", "qdq cast-mul", b => b.Input("x", 2, 4, 20).Output("y", 2, 6, 18).Weight("w", 1, 1, 6, 4, 3).Weight("b", 2, 1, 6).Node("Conv", ["x", "w", "b"], ["y"])),
        new("Conv2d", "qdq cast-mul", b => b.Input("x", 1, 4, 10, 10).Output("y", 1, 8, 10, 10).Weight("w", 1, 1, 8, 4, 3, 3).Weight("b", 2, 1, 8)
            .Node("Conv", ["x", "w", "b"], ["y"], NodeAttribute.Ints("pads", 1, 1, 1, 1))),
        new("Conv2dNoBias", "qdq cast-mul", b => b.Input("x", 1, 4, 9, 9).Output("y", 1, 8, 4, 4).Weight("w", 1, 1, 8, 4, 3, 3)
            .Node("Conv", ["x", "w"], ["y"], NodeAttribute.Ints("strides", 2, 2))),
        new("ConvGrouped", "qdq cast-mul", b => b.Input("x", 1, 4, 8, 8).Output("y", 1, 8, 6, 6).Weight("w", 1, 1, 8, 2, 3, 3).Weight("b", 2, 1, 8)
            .Node("Conv", ["x", "w", "b"], ["y"], NodeAttribute.Int("group", 2))),
        new("ConvDepthwise", "qdq cast-mul", b => b.Input("x", 1, 16, 8, 8).Output("y", 1, 16, 6, 6).Weight("w", 1, 1, 16, 1, 3, 3)
            .Node("Conv", ["x", "w"], ["y"], NodeAttribute.Int("group", 16))),
        new("Conv3d", Cheap, b => b.Input("x", 1, 2, 5, 5, 5).Output("y", 1, 3, 3, 3, 3).Weight("w", 1, 1, 3, 2, 3, 3, 3).Node("Conv", ["x", "w"], ["y"])),
        new("ConvTranspose", Cheap, b => b.Input("x", 1, 4, 6, 6).Output("y", 1, 6, 8, 8).Weight("w", 1, 1, 4, 6, 3, 3).Weight("b", 2, 1, 6).Node("ConvTranspose", ["x", "w", "b"], ["y"])),
        new("ConvTransposeGrouped", Cheap, b => b.Input("x", 1, 4, 6, 6).Output("y", 1, 6, 8, 8).Weight("w", 1, 1, 4, 3, 3, 3)
            .Node("ConvTranspose", ["x", "w"], ["y"], NodeAttribute.Int("group", 2))),
        Gemm("Gemm", Product, transB: 0, c: [16]),
        Gemm("GemmTransB", Product, transB: 1, c: [16]),
        Gemm("GemmMatrixC", Product, transB: 1, c: [3, 16]),
        Gemm("GemmColumnC", Product, transB: 0, c: [3, 1]),
        Gemm("GemmScalarC", Product, transB: 0, c: []),
        Gemm("GemmNoC", Product, transB: 1, c: null),
        Gemm("GemmAlphaBeta", "dynamic-matmul cast-mul", transB: 1, c: [16], NodeAttribute.Float("alpha", 0.5f), NodeAttribute.Float("beta", 3)),
        Gemm("GemmBetaZero", "dynamic-matmul cast-mul", transB: 0, c: [16], NodeAttribute.Float("beta", 0)),
        new("GemmTransA", Cheap, b => b.Input("x", 32, 3).Output("y", 3, 16).Weight("w", 1, 1, 32, 16).Weight("b", 2, 1, 16)
            .Node("Gemm", ["x", "w", "b"], ["y"], NodeAttribute.Int("transA", 1))),
        new("MatMul", Product, b => b.Input("x", 2, 3, 32).Output("y", 2, 3, 16).Weight("w", 1, 1, 32, 16).Node("MatMul", ["x", "w"], ["y"])),
        new("MatMulThenAdd", Product, b => b.Input("x", 3, 32).Output("y", 3, 16).Weight("w", 1, 1, 32, 16).Weight("b", 2, 1, 16).Node("MatMul", ["x", "w"], ["m"]).Node("Add", ["m", "b"], ["y"])),
        new("MatMulThenAddBatched", Product, b => b.Input("x", 2, 3, 32).Output("y", 2, 3, 16).Weight("w", 1, 1, 32, 16).Weight("b", 2, 1, 16)
            .Node("MatMul", ["x", "w"], ["m"]).Node("Add", ["b", "m"], ["y"])),
        new("MatMulThenResidual", Product, b => b.Input("x", 3, 32).Input("s", 3, 16).Output("y", 3, 16).Weight("w", 1, 1, 32, 16).Node("MatMul", ["x", "w"], ["m"])
            .Node("Add", ["s", "m"], ["y"])),
        new("MatMulRaggedK", Product, b => b.Input("x", 1, 33).Output("y", 1, 17).Weight("w", 1, 1, 33, 17).Node("MatMul", ["x", "w"], ["y"])),
        new("MatMulVector", Product, b => b.Input("x", 32).Output("y", 16).Weight("w", 1, 1, 32, 16).Node("MatMul", ["x", "w"], ["y"])),
        new("MatMulBatched", Cheap, b => b.Input("x", 2, 3, 32).Output("y", 2, 3, 16).Weight("w", 1, 1, 2, 32, 16).Node("MatMul", ["x", "w"], ["y"])),
        new("MatMulLeft", Cheap, b => b.Input("x", 32, 5).Output("y", 16, 5).Weight("w", 1, 1, 16, 32).Node("MatMul", ["w", "x"], ["y"])),
        new("MatMulLeftBatched", Cheap, b => b.Input("x", 2, 32, 5).Output("y", 2, 16, 5).Weight("w", 1, 1, 2, 16, 32).Node("MatMul", ["w", "x"], ["y"])),
        new("Gather", "gather cast-mul", b => b.Input("i", ElementType.Int64, 2, 3).Output("y", 2, 3, 8).Weight("w", 1, 1, 20, 8).Node("Gather", ["w", "i"], ["y"])),
        new("GatherInt32NegativeAxis", "gather cast-mul", b => b.Input("i32", ElementType.Int32, 2, 3).Output("y", 2, 3, 8).Weight("w", 1, 1, 20, 8)
            .Node("Gather", ["w", "i32"], ["y"], NodeAttribute.Int("axis", -2))),
        new("GatherRank3", "gather cast-mul", b => b.Input("i", ElementType.Int64, 2, 3).Output("y", 2, 3, 4, 2).Weight("w", 1, 1, 20, 4, 2).Node("Gather", ["w", "i"], ["y"])),
        new("GatherColumns", Cheap, b => b.Input("i", ElementType.Int64, 2, 3).Output("y", 8, 2, 3).Weight("w", 1, 1, 8, 20)
            .Node("Gather", ["w", "i"], ["y"], NodeAttribute.Int("axis", 1))),
        Recurrent("Lstm", "LSTM", 4, "dynamic-lstm cast-mul", directions: 1, inputs: 4),
        Recurrent("LstmNoBias", "LSTM", 4, "dynamic-lstm cast-mul", directions: 1, inputs: 3),
        Recurrent("LstmStates", "LSTM", 4, "dynamic-lstm cast-mul", directions: 1, inputs: 7),
        Recurrent("LstmBidirectionalPeephole", "LSTM", 4, "dynamic-lstm cast-mul", directions: 2, inputs: 8),
        Recurrent("LstmReverse", "LSTM", 4, "dynamic-lstm cast-mul", directions: 1, inputs: 5, NodeAttribute.String("direction", "reverse")),
        Recurrent("Gru", "GRU", 3, Cheap, directions: 1, inputs: 4),
        Recurrent("GruLinearBeforeReset", "GRU", 3, Cheap, directions: 2, inputs: 6, NodeAttribute.Int("linear_before_reset", 1)),
        Recurrent("Rnn", "RNN", 1, Cheap, directions: 1, inputs: 4),
        Recurrent("RnnBidirectional", "RNN", 1, Cheap, directions: 2, inputs: 6),
    ];

    private static MatrixCase Gemm(string name, string forms, int transB, long[]? c, params NodeAttribute[] attributes) => new(name, forms, b =>
    {
        b.Input("x", 3, 32).Output("y", 3, 16);
        b = transB != 0 ? b.Weight("w", 1, 1, 16, 32) : b.Weight("w", 1, 1, 32, 16);
        if (c is not null) b.Weight("b", 2, 1, c);
        b.Node("Gemm", c is null ? ["x", "w"] : ["x", "w", "b"], ["y"], [NodeAttribute.Int("transB", transB), .. attributes]);
    }, LowestOpset: c is null ? 11 : 7); // C became optional with 11

    // Inputs in the operators' order: X, W, R, B, sequence_lens, initial_h, initial_c, P.
    private static MatrixCase Recurrent(string name, string op, int gates, string forms, int directions, int inputs, params NodeAttribute[] attributes) => new(name, forms, b =>
    {
        const int Steps = 5, Batch = 2, Size = 8, Hidden = 6;
        b.Input("x", Steps, Batch, Size).Output("y", Steps, directions, Batch, Hidden).Output("h", directions, Batch, Hidden);
        b.Weight("w", 1, 0.4f, directions, gates * Hidden, Size).Weight("r", 2, 0.4f, directions, gates * Hidden, Hidden);
        string[] names = ["x", "w", "r", "b", "lengths", "h0", "c0", "p"];
        if (inputs > 3) b.Weight("b", 3, 0.2f, directions, 2 * gates * Hidden);
        if (inputs > 4) b.Input("lengths", ElementType.Int32, Batch);
        if (inputs > 5) b.Input("h0", directions, Batch, Hidden);
        if (inputs > 6) b.Input("c0", directions, Batch, Hidden);
        if (inputs > 7) b.Weight("p", 4, 0.2f, directions, 3 * Hidden);
        if (directions == 2) attributes = [NodeAttribute.String("direction", "bidirectional"), .. attributes];
        if (op == "LSTM") b.Output("c", directions, Batch, Hidden);
        b.Node(op, names[..inputs], op == "LSTM" ? ["y", "h", "c"] : ["y", "h"], [NodeAttribute.Int("hidden_size", Hidden), .. attributes]);
    });
}
