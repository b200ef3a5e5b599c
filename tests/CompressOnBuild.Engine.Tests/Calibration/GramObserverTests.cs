using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Calibration;

[TestClass]
public class GramObserverTests
{
    /// <summary>w^T H w must be the sum of the squares of what ONNX Runtime computes with w, wherever every row is taken.</summary>
    [TestMethod]
    [DataRow("plain"), DataRow("strided"), DataRow("dilated"), DataRow("same-upper"), DataRow("same-lower"), DataRow("grouped"), DataRow("depthwise"), DataRow("one-dimensional"), DataRow("gemm"), DataRow("gemm-transposed"), DataRow("matmul")]
    public void TheGramMatrixGivesThePowerOfTheRuntimesOutput(string kind)
    {
        var model = Case(kind);
        var site = SiteFinder.Find(model).Single();
        var request = WeightInputs.Of([site]).Single();
        var x = ModelBuilder.Random(7, 1, Shape(kind));
        var observer = new GramObserver(request, 10_000);
        observer.Read(x.ToFloats(), x.Shape);
        var grams = observer.Finish()!;

        using var session = new Session(model, new SessionSettings("test", Optimize: false));
        var y = session.Run(new Dictionary<string, Tensor> { ["x"] = x })[0];
        var expected = y.ToFloats().Sum(v => (double)v * v);
        var w = site.Tensor.ToFloats();
        var k = request.Width;
        var rows = w.Length / k;
        var transposed = site.ChannelAxes is [1];
        double power = 0;
        for (var r = 0; r < rows; r++)
        {
            var gram = grams[r / (rows / grams.Count)];
            double Of(int i) => transposed ? w[i * rows + r] : w[r * k + i];
            for (var i = 0; i < k; i++)
                for (var j = 0; j < k; j++) power += Of(i) * gram[i * k + j] * Of(j);
        }
        Assert.AreEqual(expected, power, 1e-4 * expected);
    }

    [TestMethod]
    public void RowsAreBoundedAndFollowFromTheNumberOfTheSample()
    {
        var request = new GramRequest("w", "x", 4, null);
        double Trace(int rows)
        {
            var observer = new GramObserver(request, rows);
            observer.Read([.. Enumerable.Repeat(1f, 4000)], [1000, 4]);
            return observer.Finish()![0][0];
        }
        Assert.AreEqual(10, Trace(10));
        Assert.AreEqual(1000, Trace(5000));
    }

    [TestMethod]
    public void AShapeThatDoesNotFitOrANumberThatIsNoneGivesNothing()
    {
        var observer = new GramObserver(new GramRequest("w", "x", 4, null), 10);
        observer.Read([1, 2, 3], [1, 3]);
        Assert.IsNull(observer.Finish());
        observer = new GramObserver(new GramRequest("w", "x", 2, null), 10);
        observer.Read([1, float.NaN], [1, 2]);
        Assert.IsNull(observer.Finish());
        Assert.IsNull(new GramObserver(new GramRequest("w", "x", 2, null), 10).Finish());
    }

    internal static long[] Shape(string kind) => kind switch { "gemm" or "gemm-transposed" or "matmul" => [5, 12], "one-dimensional" => [2, 4, 11], _ => [2, 4, 7, 9] };

    internal static Model Case(string kind)
    {
        var builder = new ModelBuilder().Input("x", Shape(kind)).Output("y", ElementType.Float);
        NodeAttribute Ints(string name, params long[] values) => NodeAttribute.Ints(name, values);
        var model = (kind switch
        {
            "gemm" => builder.Weight("w", 1, 1, 12, 6).Node("Gemm", ["x", "w"], ["y"]),
            "gemm-transposed" => builder.Weight("w", 1, 1, 6, 12).Node("Gemm", ["x", "w"], ["y"], NodeAttribute.Int("transB", 1)),
            "matmul" => builder.Weight("w", 1, 1, 12, 6).Node("MatMul", ["x", "w"], ["y"]),
            "one-dimensional" => builder.Weight("w", 1, 1, 6, 4, 3).Node("Conv", ["x", "w"], ["y"], Ints("pads", 2, 1), Ints("strides", 2)),
            "strided" => builder.Weight("w", 1, 1, 6, 4, 3, 2).Node("Conv", ["x", "w"], ["y"], Ints("strides", 2, 3), Ints("pads", 1, 0, 2, 1)),
            "dilated" => builder.Weight("w", 1, 1, 6, 4, 3, 3).Node("Conv", ["x", "w"], ["y"], Ints("dilations", 2, 1), Ints("pads", 1, 1, 1, 1)),
            "same-upper" => builder.Weight("w", 1, 1, 6, 4, 3, 2).Node("Conv", ["x", "w"], ["y"], NodeAttribute.String("auto_pad", "SAME_UPPER"), Ints("strides", 2, 2)),
            "same-lower" => builder.Weight("w", 1, 1, 6, 4, 3, 2).Node("Conv", ["x", "w"], ["y"], NodeAttribute.String("auto_pad", "SAME_LOWER")),
            "grouped" => builder.Weight("w", 1, 1, 6, 2, 3, 3).Node("Conv", ["x", "w"], ["y"], NodeAttribute.Int("group", 2)),
            "depthwise" => builder.Weight("w", 1, 1, 4, 1, 3, 3).Node("Conv", ["x", "w"], ["y"], NodeAttribute.Int("group", 4)),
            _ => builder.Weight("w", 1, 1, 6, 4, 3, 3).Node("Conv", ["x", "w"], ["y"]),
        }).Build();
        foreach (var info in model.Graph.OutputInfos) info.Type.TensorType.Shape = null; // the runtime infers it
        return model;
    }
}
