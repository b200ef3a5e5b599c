using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>Real data against arrays that Pillow and NumPy made.</summary>
[TestClass]
[ZooCondition]
public sealed class ZooDataTests
{
    [TestMethod]
    public void PicturesBecomeTheArraysThatPillowMade()
    {
        var context = NpzTests.Context(("image", ElementType.Float, [1, 3, 244, 244])) with { ModelFolder = Zoo.File("mobilenetv2") };
        using var pictures = Dataset.Open(Zoo.File("mobilenetv2", "eval"), context);
        using var parity = Dataset.Open(Zoo.File("mobilenetv2", "parity.npz"), context);
        Assert.AreEqual(900, pictures.Count);
        for (var i = 0; i < parity.Count; i++)
        {
            float[] ours = pictures.Read(i).Inputs["image"].ToFloats(), theirs = parity.Read(i).Inputs["image"].ToFloats();
            Assert.AreEqual(0f, ours.Zip(theirs, (a, b) => Math.Abs(a - b)).Max(), $"picture {i}");
        }
    }

    [TestMethod]
    public void GreyPicturesAreTheArraysTheyWereStoredFrom()
    {
        var context = NpzTests.Context(("Input3", ElementType.Float, [1, 1, 28, 28])) with { ModelFolder = Zoo.File("mnist-8") };
        using var pictures = Dataset.Open(Zoo.File("mnist-8", "eval"), context);
        using var arrays = Dataset.Open(Zoo.File("mnist-8", "eval.npz"), context);
        Assert.AreEqual(200, pictures.Count);
        for (var i = 0; i < pictures.Count; i++)
        {
            CollectionAssert.AreEqual(arrays.Read(i).Inputs["Input3"].ToFloats(), pictures.Read(i).Inputs["Input3"].ToFloats());
            Assert.AreEqual(arrays.Label(i), pictures.Label(i));
        }
    }

    [TestMethod]
    public void LinesOfTextArePaddedToTheirMultiple()
    {
        var context = NpzTests.Context(("x", ElementType.Float, [null, 3, null, null]));
        using var lines = Dataset.Open(Zoo.File("ocr-rec", "eval"), context with { ModelFolder = Zoo.File("ocr-rec") });
        Assert.AreEqual(LabelKind.Text, lines.LabelKind);
        CollectionAssert.AreEqual(new long[] { 1, 3, 48, 384 }, lines.Read(0).Inputs["x"].Shape.ToArray()); // 365 pixels wide
        using var turned = Dataset.Open(Zoo.File("ocr-cls", "eval"), context with { ModelFolder = Zoo.File("ocr-cls") });
        Assert.AreEqual(192, turned.Read(0).Inputs["x"].Shape[3]);
    }

    [TestMethod]
    public void RecordedStatesAndScalarsAreRead()
    {
        using var frames = Dataset.Open(Zoo.File("vad", "eval.npz"), NpzTests.Context(("input", ElementType.Float, [null, null]), ("state", ElementType.Float, [2, null, 128]), ("sr", ElementType.Int64, [])));
        var sample = frames.Read(1499);
        Assert.AreEqual(0, sample.Inputs["sr"].Rank);
        CollectionAssert.AreEqual(new long[] { 2, 1, 128 }, sample.Inputs["state"].Shape.ToArray());
        var splits = Splits.Create(null, frames, 1);
        Assert.AreEqual(1500, splits.Calibration.Count + splits.Selection.Count + splits.Gate.Count);
    }
}
