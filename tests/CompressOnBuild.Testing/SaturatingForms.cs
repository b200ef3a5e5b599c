using CompressOnBuild.Onnx;

namespace CompressOnBuild.Testing;

/// <summary>One integer operator with its input, small enough that its output can be read.</summary>
public sealed record SaturatingForm(string Name, Model Model, IReadOnlyDictionary<string, Tensor> Inputs)
{
    public override string ToString() => Name;
}

/// <summary>
/// Every form of an integer product in which 16 bits could saturate: kernels with odd depths, groups, strides and padding, zero points of the
/// weights, single rows, biases. <c>span</c> is the largest weight: 127 saturates often, 63 never.
/// </summary>
public static class SaturatingForms
{
    private const string Contrib = "com.microsoft";

    /// <summary>Unsigned activations and signed weights: the only product that saturates.</summary>
    public static IEnumerable<SaturatingForm> All(int span)
    {
        foreach (var (rows, depth, columns) in new[] { (1, 37, 9), (3, 6, 5), (2, 402, 4) })
        {
            var size = $"{rows}x{depth}x{columns}";
            var a = Bytes(1, rows, depth);
            yield return Form($"MatMulInteger {size}", Matrix("a", rows, depth, columns, span, ElementType.UInt8, ElementType.Int32).Zeros(7, 3).Node("MatMulInteger", ["a", "b", "az", "bz"], ["y"]), ("a", a));
            yield return Form($"MatMulInteger with weights as input {size}", new ModelBuilder().Input("a", ElementType.UInt8, rows, depth).Input("b", ElementType.Int8, depth, columns).Output("y", ElementType.Int32, rows, columns)
                .Node("MatMulInteger", ["a", "b"], ["y"]), ("a", a), ("b", Codes(2, span, depth, columns)));
            yield return Form($"QLinearMatMul {size}", Matrix("a", rows, depth, columns, span, ElementType.UInt8, ElementType.UInt8).Zeros(7, 3).Scale("as", 0.02f).Scale("bs", 0.01f).Scale("ys", 2).Initializer("yz", Tensor.Scalar((byte)100))
                .Node("QLinearMatMul", ["a", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"]), ("a", a));
            yield return Form($"QGemm {size}", Matrix("a", rows, depth, columns, span, ElementType.UInt8, ElementType.UInt8, transposed: true).Zeros(7, 0).Scale("as", 0.02f).Scale("bs", 0.01f).Scale("ys", 2).Initializer("yz", Tensor.Scalar((byte)100))
                .Initializer("c", Biases(columns)).NodeIn(Contrib, "QGemm", ["a", "as", "az", "b", "bs", "bz", "c", "ys", "yz"], ["y"], NodeAttribute.Int("transB", 1)), ("a", a));
            yield return Form($"QGemm to floats {size}", Matrix("a", rows, depth, columns, span, ElementType.UInt8, ElementType.Float).Initializer("az", Tensor.Scalar((byte)7)).Initializer("bz", Tensor.Create(new sbyte[columns], columns)).Scale("as", 0.02f).Initializer("bs", Scales(columns))
                .Initializer("c", Biases(columns)).NodeIn(Contrib, "QGemm", ["a", "as", "az", "b", "bs", "bz", "c"], ["y"], NodeAttribute.Float("alpha", 0.5f)), ("a", a));
            yield return Form($"MatMulIntegerToFloat {size}", Matrix("a", rows, depth, columns, span, ElementType.UInt8, ElementType.Float).Zeros(7, 0).Scale("as", 0.02f).Initializer("bs", Scales(columns)).Weight("bias", 3, 1, columns)
                .NodeIn(Contrib, "MatMulIntegerToFloat", ["a", "b", "as", "bs", "az", "", "bias"], ["y"]), ("a", a));
            yield return Form($"DynamicQuantizeMatMul {size}", Matrix("a", rows, depth, columns, span, ElementType.Float, ElementType.Float).Zeros(7, 3).Scale("bs", 0.01f)
                .NodeIn(Contrib, "DynamicQuantizeMatMul", ["a", "b", "bs", "bz"], ["y"]), ("a", ModelBuilder.Random(5, 1, rows, depth)));
        }
        yield return Form("QLinearMatMul in batches", new ModelBuilder().Input("a", ElementType.UInt8, 2, 2, 5).Output("y", ElementType.UInt8, 2, 2, 3).Initializer("b", Codes(2, span, 2, 5, 3)).Zeros(0, 0)
            .Scale("as", 0.02f).Scale("bs", 0.01f).Scale("ys", 1).Initializer("yz", Tensor.Scalar((byte)100)).Node("QLinearMatMul", ["a", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"]), ("a", Bytes(1, 2, 2, 5)));

        foreach (var (channels, outputs, group, kernel, pad, stride, dilation, zero) in new[]
        {
            (3, 16, 1, 3, 1, 3, 1, 0), (16, 24, 1, 1, 0, 3, 1, 0), (16, 16, 1, 3, 1, 3, 1, 0), (8, 12, 1, 3, 1, 2, 2, 0), (5, 7, 1, 2, 0, 2, 1, 3), (8, 8, 2, 3, 1, 3, 1, 0), (6, 12, 6, 3, 1, 3, 1, 0), (1, 8, 1, 5, 2, 3, 1, 0),
        })
            yield return Form($"QLinearConv {channels} to {outputs} channels, groups {group}, kernel {kernel}, dilation {dilation}, zero {zero}", new ModelBuilder().Input("x", ElementType.UInt8, 1, channels, 7, 8).Output("y", ElementType.UInt8, -1, -2, -3, -4)
                .Initializer("w", Codes(2, span, outputs, channels / group, kernel, kernel)).Initializer("wz", Tensor.Create([.. Enumerable.Repeat((sbyte)zero, outputs)], outputs)).Initializer("ws", Scales(outputs))
                .Initializer("xz", Tensor.Scalar((byte)9)).Scale("xs", 0.02f).Scale("ys", 2).Initializer("yz", Tensor.Scalar((byte)100)).Initializer("c", Biases(outputs))
                .Node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "c"], ["y"], NodeAttribute.Int("group", group), NodeAttribute.Ints("pads", pad, pad, pad, pad),
                    NodeAttribute.Ints("strides", stride, stride), NodeAttribute.Ints("dilations", dilation, dilation)), ("x", Bytes(1, 1, channels, 7, 8)));
        foreach (var (name, shape, weight) in new[] { ("one dimension", new long[] { 2, 4, 9 }, new long[] { 8, 4, 3 }), ("three dimensions", [1, 2, 3, 4, 4], [8, 2, 2, 3, 3]) })
            yield return Form($"QLinearConv in {name}", new ModelBuilder().Input("x", ElementType.UInt8, shape).Output("y", ElementType.UInt8, [.. shape.Select((_, i) => -1L - i)]).Initializer("w", Codes(2, span, weight)).Initializer("wz", Tensor.Scalar((sbyte)0)).Scale("ws", 0.01f)
                .Initializer("xz", Tensor.Scalar((byte)9)).Scale("xs", 0.02f).Scale("ys", 2).Initializer("yz", Tensor.Scalar((byte)100))
                .Node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"], NodeAttribute.String("auto_pad", "SAME_UPPER"), NodeAttribute.Ints("strides", [.. Enumerable.Repeat(2L, shape.Length - 2)])), ("x", Bytes(1, shape)));
    }

    /// <summary>Products that do not saturate although weights and activations are as large: unsigned weights, signed activations, ConvInteger, depthwise convolutions, MatMulNBits.</summary>
    public static IEnumerable<SaturatingForm> Exact()
    {
        yield return Form("MatMulInteger u8u8", new ModelBuilder().Input("a", ElementType.UInt8, 2, 40).Output("y", ElementType.Int32, 2, 5).Initializer("b", Bytes(2, 40, 5)).Node("MatMulInteger", ["a", "b"], ["y"]), ("a", Bytes(1, 2, 40)));
        yield return Form("MatMulInteger s8s8", new ModelBuilder().Input("a", ElementType.Int8, 2, 40).Output("y", ElementType.Int32, 2, 5).Initializer("b", Codes(2, 127, 40, 5)).Node("MatMulInteger", ["a", "b"], ["y"]), ("a", Codes(1, 127, 2, 40)));
        foreach (var signed in new[] { false, true })
            yield return Form($"ConvInteger {(signed ? "s8s8" : "u8s8")}", new ModelBuilder().Input("x", signed ? ElementType.Int8 : ElementType.UInt8, 1, 4, 4, 4).Output("y", ElementType.Int32, -1, -2, -3, -4).Initializer("w", Codes(2, 127, 16, 4, 3, 3))
                .Node("ConvInteger", ["x", "w"], ["y"]), ("x", signed ? Codes(1, 127, 1, 4, 4, 4) : Bytes(1, 1, 4, 4, 4)));
        foreach (var (name, channels, group, signed) in new[] { ("u8s8 depthwise", 16, 16, false), ("u8s8 depthwise, odd", 5, 5, false), ("s8s8", 16, 1, true) })
            yield return Form($"QLinearConv {name}", new ModelBuilder().Input("x", signed ? ElementType.Int8 : ElementType.UInt8, 1, channels, 5, 5).Output("y", signed ? ElementType.Int8 : ElementType.UInt8, -1, -2, -3, -4)
                .Initializer("w", Codes(2, 127, channels, channels / group, 3, 3)).Initializer("wz", Tensor.Scalar((sbyte)0)).Scale("ws", 0.01f).Initializer("xz", signed ? Tensor.Scalar((sbyte)9) : Tensor.Scalar((byte)9)).Scale("xs", 0.02f).Scale("ys", 1)
                .Initializer("yz", signed ? Tensor.Scalar((sbyte)5) : Tensor.Scalar((byte)100)).Node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"], NodeAttribute.Int("group", group)), ("x", signed ? Codes(1, 127, 1, channels, 5, 5) : Bytes(1, 1, channels, 5, 5)));
        yield return Form("MatMulNBits 8 bits", new ModelBuilder().Import(Contrib, 1).Input("a", 2, 64).Output("y", 2, 8).Initializer("b", Tensor.Create([.. Enumerable.Range(0, 512).Select(i => (byte)(i % 3 == 0 ? 250 : 255))], 8, 2, 32)).Initializer("s", Scales(16))
            .NodeIn(Contrib, "MatMulNBits", ["a", "b", "s"], ["y"], NodeAttribute.Int("K", 64), NodeAttribute.Int("N", 8), NodeAttribute.Int("bits", 8), NodeAttribute.Int("block_size", 32), NodeAttribute.Int("accuracy_level", 4)),
            ("a", Tensor.Create([.. Enumerable.Range(0, 128).Select(i => 1 + i % 4 / 64f)], 2, 64)));
    }

    private static SaturatingForm Form(string name, ModelBuilder builder, params (string Name, Tensor Value)[] inputs) => new(name, builder.Build(), inputs.ToDictionary(i => i.Name, i => i.Value));

    private static ModelBuilder Matrix(string input, int rows, int depth, int columns, int span, ElementType from, ElementType to, bool transposed = false)
    {
        var weights = transposed ? Codes(2, span, columns, depth) : Codes(2, span, depth, columns);
        return new ModelBuilder().Import(Contrib, 1).Input(input, from, rows, depth).Output("y", to, rows, columns).Initializer("b", weights);
    }

    private static ModelBuilder Zeros(this ModelBuilder builder, byte a, sbyte b) => builder.Initializer("az", Tensor.Scalar(a)).Initializer("bz", Tensor.Scalar(b));
    private static ModelBuilder Scale(this ModelBuilder builder, string name, float value) => builder.Initializer(name, Tensor.Scalar(value));

    private static Tensor Scales(int count) => Tensor.Create([.. Enumerable.Range(0, count).Select(i => 0.01f + 0.001f * (i % 7))], count);
    private static Tensor Biases(int count) => Tensor.Create([.. Enumerable.Range(0, count).Select(i => 700 * (i % 5) - 1400)], count);

    private static Tensor Bytes(int seed, params long[] shape) => Tensor.Create(Numbers(seed, shape, r => (byte)r.Next(256)), shape);
    private static Tensor Codes(int seed, int span, params long[] shape) => Tensor.Create(Numbers(seed, shape, r => (sbyte)r.Next(-span, span + 1)), shape);

    private static T[] Numbers<T>(int seed, long[] shape, Func<Random, T> draw)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, (int)shape.Aggregate(1L, (x, y) => x * y)).Select(_ => draw(random))];
    }
}
