using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Encodings;

[TestClass]
public class BlockwiseTests
{
    private static Model Product(int k, int n, int rows = 3, bool gemm = false) => gemm
        ? new ModelBuilder(13).Input("x", rows, k).Output("y", rows, n).Weight("w", 1, 1, n, k).Weight("b", 2, 1, n).Node("Gemm", ["x", "w", "b"], ["y"], NodeAttribute.Int("transB", 1)).Build()
        : new ModelBuilder(13).Input("x", rows, k).Output("y", rows, n).Weight("w", 1, 1, k, n).Node("MatMul", ["x", "w"], ["y"]).Build();

    [TestMethod]
    [DataRow(2), DataRow(4), DataRow(8)]
    public void TheRuntimeComputesTheBlocks(int bits)
    {
        foreach (var block in MatMulNBits.BlockSizes)
            foreach (var (k, n, gemm) in new[] { (256, 64, false), (250, 37, false), (129, 32, true), (33, 17, true) })
            {
                var model = Product(k, n, gemm: gemm);
                var transformer = new Transformer(model, new Dictionary<string, float[]>());
                var decision = new WeightDecision("w", WeightForm.Weights, "matmul-nbits", bits, "", Block: block);
                var encoded = transformer.Apply(new Plan([decision], [], true));
                var reference = model.Clone();
                var site = SiteFinder.Find(reference)[0];
                site.Weight.SetConstant(Tensor.Create(transformer.Weight(site, decision).Decompress(), [.. site.Tensor.Shape]));
                var inputs = EncodedCase.Inputs(model);
                var expected = EncodedCase.Run(reference, inputs, optimize: false)[0];
                // Level 4 rounds the activations of each block to 8 bits.
                EncodedCase.Near(expected, EncodedCase.Run(encoded, inputs, optimize: true)[0], 0.015 * EncodedCase.Largest(expected), $"{bits} bits, blocks of {block}, {k} x {n}");
            }
    }

    [TestMethod]
    public void BlocksHoldMoreThanChannelsAndFeedbackNeverLosesInTheProducts()
    {
        const int K = 192, N = 24;
        var rows = ModelBuilder.Random(1, 1, N, K).ToFloats();
        rows[5] = 9; // an outlier spoils the scale of its block alone
        var inputs = ModelBuilder.Random(2, 1, 400, K).ToFloats();
        for (var i = 0; i < 400; i++) for (var k = 1; k < K; k++) inputs[i * K + k] += 0.8f * inputs[i * K + k - 1];
        var gram = new double[K * K];
        for (var i = 0; i < 400; i++) for (var a = 0; a < K; a++) for (var b = 0; b < K; b++) gram[a * K + b] += (double)inputs[i * K + a] * inputs[i * K + b];
        var seen = ErrorFeedback.Feedback.Of([gram], K);
        var channels = RoundToNearest.Quantize(rows, [N, K], [0], 4).Decompress();
        foreach (var block in new[] { 16, 32, 128 })
        {
            var plain = BlockRounding.Quantize(rows, [N, K], true, 4, block).Decompress();
            var fed = BlockRounding.Quantize(rows, [N, K], true, 4, block, seen).Decompress();
            double Squares(float[] w) => rows.Zip(w, (a, b) => ((double)a - b) * (a - b)).Sum();
            Assert.IsLessThan(Squares(channels), Squares(plain), $"{block}");
            var (before, after) = (ErrorFeedback.Error(rows, plain, N, seen), ErrorFeedback.Error(rows, fed, N, seen));
            Assert.IsLessThan(0.7 * before, after, $"blocks of {block}: correlated inputs make up for each other");
        }
        CollectionAssert.AreEqual(RoundToNearest.Quantize(rows, [N, K], [0], 4).Codes, BlockRounding.Quantize(rows, [N, K], true, 4, K).Codes, "one block is a channel");
    }

    [TestMethod]
    [DataRow("1.31.1", "matmul-nbits"), DataRow("1.18.0", "matmul-nbits"), DataRow("1.16.3", "packed-mul")]
    public void FourBitsRunInBlocksWhereTheRuntimeHasThem(string version, string encoding)
    {
        var site = SiteFinder.Find(Product(256, 256)).Single();
        var decision = FormTable.Resolve(site, WeightForm.Weights, 13, false, "asked", bits: 4, block: 128, runtime: Capabilities.Of(Target.Cpu, version));
        Assert.AreEqual((encoding, 4), (decision.Encoding, decision.Bits));
        if (encoding == "packed-mul") Assert.Contains("1.18.0 has MatMulNBits", decision.Because);
        Assert.Contains("blocks of 512", Capabilities.Of(Target.Cpu, version).Refuses("matmul-nbits", 4, 512)!);
        Assert.IsNotNull(Capabilities.Of(Target.Cpu, "1.27.0").Refuses("matmul-nbits", 2, 32), "too slow there");
        Assert.IsNull(Capabilities.Of(Target.Cpu, "1.29.0").Refuses("matmul-nbits", 2, 32));
    }
}
