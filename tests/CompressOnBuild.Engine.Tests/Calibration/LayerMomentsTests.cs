using CompressOnBuild.Calibration;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Restructuring;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Calibration;

[TestClass]
public class LayerMomentsTests
{
    /// <summary>Of y = W x, as ONNX Runtime computes it, the sum of y x^T is W times that of x x^T, and the means belong together.</summary>
    [TestMethod]
    [DataRow("plain"), DataRow("strided"), DataRow("dilated"), DataRow("same-upper"), DataRow("same-lower"), DataRow("one-dimensional"), DataRow("gemm"), DataRow("gemm-transposed"), DataRow("matmul")]
    public void OutputsStandBesideTheInputsThatMadeThem(string kind)
    {
        var model = GramObserverTests.Case(kind);
        var site = SiteFinder.Find(model).Single();
        var layer = LayerMatrix.Of(site).Layer!;
        var x = ModelBuilder.Random(7, 1, GramObserverTests.Shape(kind));
        using var session = new Session(model, new SessionSettings("test", Optimize: false));
        var y = session.Run(new Dictionary<string, Tensor> { ["x"] = x })[0];
        var patches = WeightInputs.Of([site]).Single().Patches;
        foreach (var centred in new[] { false, true })
        {
            var moments = new LayerMoments(layer.K, layer.N, new ParallelOptions());
            Assert.IsTrue(moments.Read(x, y, patches, 10_000, 3));
            Assert.AreEqual(y.Count / layer.N, moments.Count);
            var (gram, cross, inputs, outputs) = moments.Result(centred);
            Equal(Dense.Multiply(layer.W, gram, layer.N, layer.K, layer.K), cross, 1e-4 * moments.Count);
            Equal(Dense.Multiply(layer.W, inputs, layer.N, layer.K, 1), outputs, 1e-5);
        }
    }

    [TestMethod]
    public void TwoHalvesAreTheWholeWhateverTheThreads()
    {
        var (x, y) = (ModelBuilder.Random(1, 1, 200, 40), ModelBuilder.Random(2, 1, 200, 5));
        LayerMoments Of(int from, int count, int threads)
        {
            var moments = new LayerMoments(40, 5, new ParallelOptions { MaxDegreeOfParallelism = threads });
            Assert.IsTrue(moments.Read(Tensor.Create(x.ToFloats()[(from * 40)..((from + count) * 40)], count, 40), Tensor.Create(y.ToFloats()[(from * 5)..((from + count) * 5)], count, 5), null, count, 0));
            return moments;
        }
        CollectionAssert.AreEqual(Of(0, 200, 1).Result(true).Gram, Of(0, 200, 3).Result(true).Gram);
        var sum = Of(0, 90, 2);
        sum.Add(Of(90, 110, 2));
        Assert.AreEqual(200, sum.Count);
        Equal(Of(0, 200, 1).Result(true).Cross, sum.Result(true).Cross, 1e-9);
        Equal(Of(0, 200, 1).Result(true).Gram, sum.Result(true).Gram, 1e-9);
    }

    [TestMethod]
    public void AShapeThatDoesNotFitOrANumberThatIsNoneIsRefused()
    {
        var moments = new LayerMoments(2, 1, new ParallelOptions());
        Assert.IsFalse(moments.Read(Tensor.Create([1f, 2, 3, 4], 2, 2), Tensor.Create([1f], 1, 1), null, 9, 0));
        Assert.IsFalse(moments.Read(Tensor.Create([1f, float.NaN], 1, 2), Tensor.Create([1f], 1, 1), null, 9, 0));
        Assert.IsFalse(moments.Read(Tensor.Create([1L, 2], 1, 2), Tensor.Create([1f], 1, 1), null, 9, 0));
        Assert.IsFalse(moments.Read(Tensor.Create([1f, 2, 3], 1, 3, 1), Tensor.Create([1f], 1, 1, 1), new PatchGeometry([1], [1], [0, 0], "NOTSET", [1], 1), 9, 0));
        Assert.AreEqual(0, moments.Count);
    }

    private static void Equal(double[] expected, double[] actual, double tolerance)
    {
        Assert.HasCount(expected.Length, actual);
        for (var i = 0; i < expected.Length; i++) Assert.AreEqual(expected[i], actual[i], tolerance);
    }
}
