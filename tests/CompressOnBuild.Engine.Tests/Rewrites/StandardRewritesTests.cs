using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class StandardRewritesTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void EveryStepSaysWhatItDid()
    {
        var b = new ModelBuilder(8, 3).Input("x", 1, 4).Input("w", 4, 4).Input("k", 1).Output("y", 1, 4).Weight("w", 1, 1, 4, 4).Initializer("k", [2f], 1)
            .Node("Identity", ["x"], ["i"]).Node("MatMul", ["i", "w"], ["m"]).Node("Mul", ["m", "k"], ["y"]);
        var model = b.Build();
        var changed = model.Clone();
        CollectionAssert.AreEqual(new[]
        {
            new RewriteStep("drop-initializer-inputs", 2, "dropped 2 graph inputs that only repeat weights"),
            new RewriteStep("remove-identities", 1, "removed 1 nodes that change nothing"),
            new RewriteStep("fold-channel-affine", 1, "folded 1 per-channel multiplications and additions into the layer before"),
        }, StandardRewrites.Run(changed, Constants.Evaluate).ToArray());
        Equivalence.Holds(model, changed);
    }

    [TestMethod, ZooCondition]
    [DataRow("mnist-8", new long[] { }), DataRow("mobilenetv2", new[] { 1L }), DataRow("ocr-cls", new[] { 2L, 3, 48, 96 }), DataRow("ocr-rec", new[] { 2L, 3, 48, 160 })]
    [DataRow("dtln-1", new long[] { }), DataRow("dtln-2", new long[] { }), DataRow("magika-v3.3", new[] { 2L, 2048 }), DataRow("g2p-loop", new[] { 1L, 7 }), DataRow("vad", new[] { 1L, 576, 1 })]
    public void RealModelsStayWhatTheyWere(string name, long[] dynamic)
    {
        var model = ZooModels.Load(name);
        var changed = model.Clone();
        foreach (var step in StandardRewrites.Run(changed, Constants.Evaluate)) TestContext.WriteLine($"{name}: {step.Sentence}");
        TestContext.WriteLine($"{name}: {OnnxWriter.ToBytes(model).Length} bytes, {OnnxWriter.ToBytes(changed).Length} after, nodes {model.AllNodes().Count()}, {changed.AllNodes().Count()} after");
        Assert.IsLessThanOrEqualTo(OnnxWriter.ToBytes(model).Length, OnnxWriter.ToBytes(changed).Length);
        var given = name switch
        {
            "vad" => new Dictionary<string, Tensor> { ["sr"] = Tensor.Create([16000L]) },
            // Bytes as a file has them, and some of the padding that ends it.
            "magika-v3.3" => new() { ["bytes"] = Tensor.Create(Enumerable.Range(0, 2 * 2048).Select(i => i % 2048 < 1900 ? i * 7919 % 256 : 256).ToArray(), 2, 2048) },
            _ => [],
        };
        Equivalence.Holds(model, changed, 1e-4, dynamic, given: given);

        var again = model.Clone();
        StandardRewrites.Run(again, Constants.Evaluate);
        CollectionAssert.AreEqual(OnnxWriter.ToBytes(changed), OnnxWriter.ToBytes(again));
        Assert.IsEmpty(StandardRewrites.Run(again, Constants.Evaluate));
    }
}
