using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

[TestClass]
public class OutputNoiseTests
{
    private const int Wide = 16;

    [TestMethod]
    public void IsTheMeanOfTheShares()
    {
        var samples = Samples(3);
        // A tenth louder: the difference has a hundredth of the power, in every sample.
        Assert.AreEqual(0.01, Of(samples, Model(1, "Identity"), Model(1.1f, "Identity")), 1e-5);
        Assert.AreEqual(0, Of(samples, Model(1, "Identity"), Model(1, "Identity")));
    }

    /// <summary>All answers are sure, so that a softmax shows nothing of a change of a tenth.</summary>
    [TestMethod]
    [DataRow("Softmax"), DataRow("LogSoftmax")]
    public void HearsWhatGoesIntoASoftmax(string last) => Assert.AreEqual(0.01, Of(Samples(3), Model(100, last), Model(110, last)), 1e-4);

    [TestMethod]
    public void AModelThatTheRuntimeRefusesIsAllNoise() => Assert.AreEqual(1, Of(Samples(1), Model(1, "Identity"), Model(1, "NoSuchOperator")));

    /// <summary>A cut may load and fail only on data.</summary>
    [TestMethod]
    public void AModelThatFailsOnTheSamplesIsAllNoise()
    {
        var broken = new ModelBuilder().Input("x", -1, Wide).Output("y", -1, Wide).Initializer("row", Tensor.Create([5L], 1)).Node("Gather", ["x", "row"], ["y"]).Build();
        using (var session = new Session(broken, new SessionSettings("test")))
            Assert.AreEqual(Codes.RuntimeFailed, Assert.ThrowsExactly<CompressionException>(() => session.Run(Samples(1)[0])).Diagnostic.Code);
        Assert.AreEqual(1, Of(Samples(3), Model(1, "Identity"), broken));
    }

    [TestMethod]
    public void LeavesTheModelAsItIs()
    {
        var model = Model(1, "Softmax");
        Of(Samples(1), model, model);
        Assert.AreEqual("y", model.Graph.Outputs.Single().Name);
    }

    private static double Of(IReadOnlyDictionary<string, Tensor>[] samples, Model original, Model changed) =>
        new OutputNoise(original, () => samples, new SessionSettings("test"), new ParallelOptions()).Of(changed);

    private static IReadOnlyDictionary<string, Tensor>[] Samples(int count) =>
        [.. Enumerable.Range(1, count).Select(i => new Dictionary<string, Tensor> { ["x"] = ModelBuilder.Random(i, 1, 1, Wide) })];

    private static Model Model(float factor, string last) => new ModelBuilder().Input("x", -1, Wide).Output("y", -1, Wide).Initializer("f", [factor], 1)
        .Node("Mul", ["x", "f"], ["scores"]).Node(last, ["scores"], ["y"]).Build();
}
