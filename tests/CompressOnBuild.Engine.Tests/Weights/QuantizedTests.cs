using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Engine.Tests.Weights;

[TestClass]
public class QuantizedTests
{
    [TestMethod]
    public void TransposingTwiceAndRestoringAgree()
    {
        var matrix = RoundToNearest.Quantize(ModelBuilder.Random(1, 1, 5, 7).ToFloats(), [5, 7], [0]);
        var turned = matrix.Transposed();
        CollectionAssert.AreEqual(new long[] { 7, 5 }, turned.Shape);
        CollectionAssert.AreEqual(new[] { 1 }, turned.ChannelAxes);
        float[] w = matrix.Decompress(), t = turned.Decompress();
        for (var r = 0; r < 5; r++)
            for (var c = 0; c < 7; c++) Assert.AreEqual(w[r * 7 + c], t[c * 5 + r]);
        CollectionAssert.AreEqual(matrix.Codes, turned.Transposed().Codes);
        Assert.ThrowsExactly<InvalidOperationException>(() => RoundToNearest.Quantize(new float[8], [2, 2, 2], [0]).Transposed());
    }

    [TestMethod]
    public void ScalesBroadcastOverTheWeight()
    {
        CollectionAssert.AreEqual(new long[] { 4, 1, 1 }, Of([4, 3, 2], [0]).ScaleShape);
        CollectionAssert.AreEqual(new long[] { 1, 3, 1 }, Of([4, 3, 2], [1]).ScaleShape);
        CollectionAssert.AreEqual(new long[] { 4, 3, 1 }, Of([4, 3, 2], [0, 1]).ScaleShape);
        Assert.HasCount(12, Of([4, 3, 2], [0, 1]).Scales);
        Assert.AreEqual(new ChannelView(4, 3, 2), Of([4, 3, 2], [1]).View);
    }

    private static Quantized Of(long[] shape, int[] axes) => RoundToNearest.Quantize(ModelBuilder.Random(1, 1, shape).ToFloats(), shape, axes);
}
