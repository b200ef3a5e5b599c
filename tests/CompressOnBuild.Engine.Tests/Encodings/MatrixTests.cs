using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Encodings;

/// <summary>Operators times encodings times operator sets: ONNX Runtime computes what the decompressed weights say.</summary>
[TestClass]
public class MatrixTests
{
    private static readonly Lazy<int> Newest = new(() => Enumerable.Range(21, 15).TakeWhile(Loads).Last());

    private static IEnumerable<int> Opsets => new[] { 7, 9, 11, 13, 17, 21, Newest.Value }.Distinct();

    private static IEnumerable<object[]> Cases => MatrixCase.All.Select(c => new object[] { c.Name });

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public void TheRuntimeComputesTheDecompressedWeights(string name)
    {
        var matrixCase = MatrixCase.All.Single(c => c.Name == name);
        foreach (var opset in Opsets.Where(o => o >= matrixCase.LowestOpset))
        {
            var model = matrixCase.Model(opset);
            var inputs = EncodedCase.Inputs(model);
            foreach (var encoding in EncodingTable.All.Select(e => e.Id))
            {
                var wanted = opset >= Lowest(encoding) && (EncodingTable.Find(encoding) is RestoredAtLoad || matrixCase.Forms.Split(' ').Contains(encoding));
                var encoded = EncodedCase.Of(model, encoding, encoding == "qdq" && wanted ? EncodedCase.Ranges(model, inputs) : null);
                Assert.AreEqual(wanted, encoded is not null, $"{name} as {encoding} at operator set {opset}");
                if (encoded is not null) Check(encoded, encoding, inputs, $"{name} as {encoding} at operator set {opset}");
            }
        }
    }

    [TestMethod]
    [DataRow("Conv2d"), DataRow("Conv3d"), DataRow("GemmTransB"), DataRow("MatMulRaggedK"), DataRow("Gather"), DataRow("Lstm"), DataRow("Gru")]
    public void EveryWidthIsRestoredExactly(string name)
    {
        var model = MatrixCase.All.Single(c => c.Name == name).Model(13);
        var inputs = EncodedCase.Inputs(model);
        for (var bits = 2; bits <= 7; bits++) Check(EncodedCase.Of(model, EncodingTable.PackedMul.Id, bits: bits)!, EncodingTable.PackedMul.Id, inputs, $"{name} at {bits} bits");
    }

    [TestMethod]
    [DynamicData(nameof(Nested))]
    public void EveryNestingIsRestoredExactlyAndFolded(string nesting)
    {
        var encoding = nesting.StartsWith("sparse", StringComparison.Ordinal) ? EncodingTable.Sparse : EncodingTable.Palette;
        // Counts that fill their bytes and counts that do not, scales on the first, a middle and the last axis, and two axes of scales.
        foreach (var name in new[] { "Conv2d", "MatMulRaggedK", "ConvTranspose", "GemmTransB", "Gather", "LstmBidirectionalPeephole" })
            foreach (var opset in new[] { 7, 9, 11, Newest.Value })
            {
                if (opset < MatrixCase.All.Single(c => c.Name == name).LowestOpset) continue;
                var model = MatrixCase.All.Single(c => c.Name == name).Model(opset);
                var what = $"{nesting} {name} at operator set {opset}";
                var encoded = EncodedCase.Of(model, encoding, NestedWeights.All[nesting]);
                Assert.AreEqual(opset >= Lowest(encoding.Id), encoded is not null, what);
                if (encoded is null) continue;
                Check(encoded, encoding.Id, EncodedCase.Inputs(model), what);
                CollectionAssert.AreEqual(OptimizedForm.Operators(model), OptimizedForm.Operators(encoded.Encoded), what);
            }
    }

    private static IEnumerable<object[]> Nested => NestedWeights.All.Keys.Select(n => new object[] { n });

    [TestMethod]
    public void TheNewestOperatorSetIsAtLeast23() => Assert.IsGreaterThanOrEqualTo(23, Newest.Value);

    [TestMethod]
    public void EveryOperatorOfTheTableHasACase()
    {
        var read = MatrixCase.All.SelectMany(c => CompressOnBuild.Operators.SiteFinder.Find(c.Model(17))).SelectMany(s => s.Uses).Select(u => u.Operator).ToHashSet();
        foreach (var row in CompressOnBuild.Operators.OperatorTable.Rows) Assert.Contains(row, read);
        foreach (var encoding in EncodingTable.All.Where(e => e is not RestoredAtLoad)) Assert.IsTrue(MatrixCase.All.Any(c => c.Forms.Split(' ').Contains(encoding.Id)), encoding.Id);
    }

    private static void Check(EncodedCase c, string encoding, Dictionary<string, Tensor> inputs, string what)
    {
        Tensor[] fast = EncodedCase.Run(c.Encoded, inputs, optimize: true), plain = EncodedCase.Run(c.Encoded, inputs, optimize: false);
        switch (encoding)
        {
            case "dynamic-lstm": // activations are rounded at every step: no closed form, but the noise is small
                foreach (var (e, a) in EncodedCase.Run(c.Reference, inputs, optimize: false).Zip(fast)) Assert.IsGreaterThan(30.0, Sqnr(e, a), what);
                return;
            case "dynamic-matmul":
                inputs = new(inputs) { ["x"] = EncodedCase.Rounded(inputs["x"], EncodedCase.Range(inputs["x"])) };
                Equal(1e-5, 1e-5);
                return;
            case "qdq":
                inputs = new(inputs) { ["x"] = EncodedCase.Rounded(inputs["x"], c.Values["x"]) };
                var exact = EncodedCase.Run(c.Reference, inputs, optimize: false)[0];
                if (!c.Encoded.Graph.Outputs[0].Producer!.Is("DequantizeLinear")) { Equal(1e-5, 1e-5); return; }
                var step = c.Values["y"];
                // The integer bias and ties in the rounding move a value by one code at most.
                foreach (var found in new[] { plain[0], fast[0] }) EncodedCase.Near(EncodedCase.Rounded(exact, step), found, 1.01 * step.Scale, what);
                return;
            case "matmul-nbits": // rounds activations in both
                Equal(2.5e-2, 2.5e-2);
                return;
            case "matmul-dq": // MatMulNBits rounds activations to 8 bits too (accuracy level 4, the runtime's default)
                Equal(1e-5, 2.5e-2);
                return;
            default:
                Equal(1e-5, 1e-5);
                return;
        }

        void Equal(double unoptimized, double optimized)
        {
            var expected = EncodedCase.Run(c.Reference, inputs, optimize: false);
            for (var i = 0; i < expected.Length; i++)
            {
                var largest = EncodedCase.Largest(expected[i]);
                EncodedCase.Near(expected[i], plain[i], unoptimized * largest, what + ", not optimized");
                EncodedCase.Near(expected[i], fast[i], optimized * largest, what);
            }
        }
    }

    private static int Lowest(string encoding) => encoding switch { "qdq" or "matmul-dq" => 13, "dynamic-matmul" or "sparse-mask" => 11, _ => 7 };

    private static double Sqnr(Tensor expected, Tensor actual)
    {
        double signal = 0, noise = 0;
        foreach (var (e, a) in expected.ToFloats().Zip(actual.ToFloats())) { signal += (double)e * e; noise += ((double)e - a) * (e - a); }
        return 10 * Math.Log10(signal / Math.Max(noise, 1e-30));
    }

    private static bool Loads(int opset)
    {
        try
        {
            using var session = new Session(new ModelBuilder(opset, MatrixCase.IrVersion(opset)).Input("x", 2).Output("y", 2).Node("Relu", ["x"], ["y"]).Build(), new SessionSettings("probe"));
            return true;
        }
        catch (CompressOnBuild.Diagnostics.CompressionException) { return false; }
    }
}
