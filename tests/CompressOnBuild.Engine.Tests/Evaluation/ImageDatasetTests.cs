using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Datasets.Images;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;
using SkiaSharp;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class ImageDatasetTests
{
    private const string Raw = """{ "do_resize": false, "do_rescale": false, "do_normalize": false }""";
    private static readonly DatasetContext AnyPicture = NpzTests.Context(("x", ElementType.Float, [null, 3, null, null]));

    [TestMethod]
    public void ReadsLabelledPicturesAsPlanes()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 2, 1, new SKColor(1, 2, 3), new SKColor(4, 5, 6));
        scratch.Write("labels.csv", "file,label\na.png,7\n");
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        var sample = data.Read(0);
        Assert.AreEqual(new ClassLabel(7), sample.Label);
        CollectionAssert.AreEqual(new long[] { 1, 3, 1, 2 }, sample.Inputs["x"].Shape.ToArray());
        CollectionAssert.AreEqual(new float[] { 1, 4, 2, 5, 3, 6 }, sample.Inputs["x"].ToFloats());
        CollectionAssert.AreEqual(new[] { scratch["a.png"], scratch["labels.csv"], scratch["preprocessor_config.json"] }, data.Files.ToArray());
    }

    [TestMethod]
    public void FollowsChannelOrderLayoutNormalizationAndPadding()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 1, 1, new SKColor(255, 0, 255));
        scratch.Write("preprocessor_config.json", """
            { "do_resize": false, "do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true, "image_mean": [0.5, 0, 0], "image_std": [0.5, 1, 0.5],
              "channel_order": "BGR", "layout": "NHWC", "pad_width_to_multiple_of": 2, "pad_value_after_normalize": -9 }
            """);
        using var data = Dataset.Open(scratch.Path, NpzTests.Context(("x", ElementType.Float, [1, 1, 2, 3])));
        CollectionAssert.AreEqual(new float[] { 1, 0, 2, -9, -9, -9 }, data.Read(0).Inputs["x"].ToFloats());
        Assert.AreEqual(LabelKind.None, data.LabelKind);
    }

    [TestMethod]
    public void TurnsGreyByLuma()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 2, 1, new SKColor(255, 0, 0), new SKColor(9, 9, 9));
        scratch.Write("preprocessor_config.json", """{ "do_rescale": false, "channel_order": "L" }""");
        using var data = Dataset.Open(scratch.Path, NpzTests.Context(("x", ElementType.Float, [1, 1, 1, 2])));
        CollectionAssert.AreEqual(new float[] { 76, 9 }, data.Read(0).Inputs["x"].ToFloats()); // 0.299 * 255 = 76.2
    }

    [TestMethod]
    public void NumbersClassFoldersByName()
    {
        using var scratch = new ScratchFolder();
        foreach (var name in new[] { "dog", "cat" })
        {
            Directory.CreateDirectory(scratch[name]);
            Png(scratch[Path.Combine(name, "1.png")], 1, 1, SKColors.Red);
        }
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        Assert.AreEqual("cat/1.png", data.Id(0));
        Assert.AreEqual(new ClassLabel(0), data.Label(0));
        Assert.AreEqual(new ClassLabel(1), data.Label(1));
        CollectionAssert.AreEqual((string[])["cat", "dog"], data.ClassNames!.ToArray());
    }

    [TestMethod]
    public void ThumbnailsKeepSmallPicturesAndShrinkLargeOnes()
    {
        var small = Thumbnail.Of(new Picture(2, 1, 3, [255, 0, 0, 1, 2, 3]));
        using (var picture = SKBitmap.Decode(small)) Assert.AreEqual("2 #ffff0000 #ff010203", $"{picture.Width} {picture.GetPixel(0, 0)} {picture.GetPixel(1, 0)}");
        using var large = SKBitmap.Decode(Thumbnail.Of(new Picture(1000, 250, 3, [.. Enumerable.Repeat((byte)200, 750_000)])));
        Assert.AreEqual((240, 60), (large.Width, large.Height));
        Assert.IsTrue(Math.Abs(large.GetPixel(120, 30).Red - 200) < 3);
    }

    [TestMethod]
    public void RefusesNumberedFoldersWhoseOrderIsAnother()
    {
        using var scratch = new ScratchFolder();
        foreach (var name in new[] { "1", "2", "10" })
        {
            Directory.CreateDirectory(scratch[name]);
            Png(scratch[Path.Combine(name, "1.png")], 1, 1, SKColors.Red);
        }
        Fails(scratch.Path, Codes.ImageClassesAmbiguous);
    }

    [TestMethod]
    public void RefusesAFolderOfDataSets()
    {
        using var scratch = new ScratchFolder();
        foreach (var name in new[] { "calib", "eval" })
        {
            Directory.CreateDirectory(scratch[name]);
            Png(scratch[Path.Combine(name, "1.png")], 1, 1, SKColors.Red);
        }
        scratch.Write("eval/labels.csv", "file,label\n1.png,0\n");
        StringAssert.Contains(Fails(scratch.Path, Codes.DataFormatUnknown).Message, "labels of their own");
    }

    [TestMethod]
    public void RefusesAPictureThatIsNone()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("a.png", "no picture");
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        var e = Assert.ThrowsExactly<CompressionException>(() => data.Read(0));
        Assert.AreEqual(Codes.ImageUnreadable, e.Diagnostic.Code);
        Assert.AreEqual(scratch["a.png"], e.Diagnostic.File);
    }

    [TestMethod]
    public void SaysWhenAPictureVanishes()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 1, 1, SKColors.Red);
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        File.Delete(scratch["a.png"]);
        Assert.AreEqual(Codes.DataUnreadable, Assert.ThrowsExactly<CompressionException>(() => data.Read(0)).Diagnostic.Code);
    }

    [TestMethod]
    public void RefusesACutPicture()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 64, 64, [.. Enumerable.Range(0, 64 * 64).Select(i => new SKColor((byte)(i * 7), (byte)(i * 13), (byte)i))]);
        var whole = File.ReadAllBytes(scratch["a.png"]);
        File.WriteAllBytes(scratch["a.png"], whole[..(whole.Length / 2)]);
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        Assert.AreEqual(Codes.ImageUnreadable, Assert.ThrowsExactly<CompressionException>(() => data.Read(0)).Diagnostic.Code);
    }

    [TestMethod]
    public void RefusesAPictureThatClaimsToBeHugeBeforeDecodingIt()
    {
        using var scratch = new ScratchFolder();
        // A BMP header of 60000 x 60000 pixels with 24 bits and no data: 14 GB if it were believed.
        var bmp = new byte[54 + 64];
        "BM"u8.CopyTo(bmp);
        foreach (var (at, value) in new[] { (2, bmp.Length), (10, 54), (14, 40), (18, 60000), (22, 60000), (26, 1 | 24 << 16) }) BitConverter.GetBytes(value).CopyTo(bmp, at);
        File.WriteAllBytes(scratch["a.bmp"], bmp);
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        var e = Assert.ThrowsExactly<CompressionException>(() => data.Read(0));
        Assert.IsTrue(e.Diagnostic.Code is Codes.DataTooLarge or Codes.ImageUnreadable, e.Message);
    }

    [TestMethod]
    public void RefusesAPictureWhoseHeaderSays50000x50000()
    {
        using var scratch = new ScratchFolder();
        // A header of 8-bit RGB and a hundred bytes of pixels: 7.5 GB if it were believed.
        File.WriteAllBytes(scratch["a.png"], Convert.FromBase64String("iVBORw0KGgoAAAANSUhEUgAAw1AAAMNQCAIAAADEzaqdAAAADElEQVR4nGNgoD0AAABkAAGGZDw1AAAAAElFTkSuQmCC"));
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        var e = Assert.ThrowsExactly<CompressionException>(() => data.Read(0));
        Assert.AreEqual(Codes.DataTooLarge, e.Diagnostic.Code, e.Message);
    }

    [TestMethod]
    public void RefusesAListWithoutPictures()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("labels.csv", "file,label\n");
        Fails(scratch.Path, Codes.DataEmpty);
    }

    [TestMethod]
    public void ALargerPictureBeforeLeavesNothingInTheNextOne()
    {
        using var scratch = new ScratchFolder();
        SKColor[] many = [.. Enumerable.Range(0, 900).Select(i => new SKColor((byte)i, (byte)(3 * i), (byte)(7 * i)))];
        Png(scratch["a.png"], 30, 30, many);
        Png(scratch["b.png"], 12, 10, many[..120]);
        Png(scratch["c.png"], 4, 4, many[..16]);
        scratch.Write("preprocessor_config.json", """{ "do_resize": true, "size": { "height": 8, "width": 9 }, "do_center_crop": true, "crop_size": { "height": 6, "width": 10 }, "do_rescale": false }""");
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        float[][] Read(params int[] order) => [.. order.Select(i => data.Read(i).Inputs["x"].ToFloats())];
        var forward = Read(0, 1, 2);
        var fresh = new float[3][];
        foreach (var i in new[] { 2, 1, 0 })
        {
            // Another thread has buffers of its own.
            var thread = new Thread(() => fresh[i] = data.Read(i).Inputs["x"].ToFloats());
            thread.Start();
            thread.Join();
        }
        for (var i = 0; i < 3; i++) CollectionAssert.AreEqual(fresh[i], forward[i], $"{i}");
    }

    [TestMethod]
    public void PassingSamplesAreThoseThatAreRead()
    {
        using var scratch = new ScratchFolder();
        for (var i = 0; i < 4; i++) Png(scratch[$"{i}.png"], 5 + i, 4, [.. Enumerable.Range(0, (5 + i) * 4).Select(k => new SKColor((byte)(k * i), (byte)(3 * k + i), (byte)(7 * k)))]);
        scratch.Write("preprocessor_config.json", Raw);
        using IDataset data = Dataset.Open(scratch.Path, AnyPicture);
        for (var i = 0; i < 4; i++) CollectionAssert.AreEqual(data.Read(i).Inputs["x"].ToFloats(), data.PassingRuns(i).Single().Inputs["x"].ToFloats(), $"{i}");
        // What was read to be kept is not written over.
        var kept = data.Read(1).Inputs["x"];
        var values = kept.ToFloats();
        _ = data.PassingRuns(2).Single();
        CollectionAssert.AreEqual(values, kept.ToFloats());
    }

    [TestMethod]
    public void RefusesAPictureOfAnotherSizeThanTheInput()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 2, 1, SKColors.Red, SKColors.Red);
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, NpzTests.Context(("x", ElementType.Float, [1, 3, 8, 8])));
        Assert.AreEqual(Codes.InputMismatch, Assert.ThrowsExactly<CompressionException>(() => data.Read(0)).Diagnostic.Code);
    }

    [TestMethod]
    public void RefusesPicturesWithoutPreprocessing()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 1, 1, SKColors.Red);
        Fails(scratch.Path, Codes.PreprocessingMissing);
    }

    [TestMethod]
    public void SaysWhichPicturesHaveNoLabel()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 1, 1, SKColors.Red);
        Png(scratch["b.png"], 1, 1, SKColors.Red);
        scratch.Write("labels.csv", "file,label\na.png,0\n");
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        Assert.AreEqual(1, data.Count);
        StringAssert.Contains(data.Warnings.Single().Message, "b.png");
    }

    [TestMethod]
    [DataRow("file,class\n", 1, 1)]
    [DataRow("file,label\na.png,0\nmissing.png,1\n", 3, 1)]
    [DataRow("file,label\na.png,cat\n", 2, 7)]
    [DataRow("file,label\n\na.png,-1\n", 3, 7)]
    [DataRow("file,label\na.png\n", 2, 1)]
    [DataRow("file,label\na.png,1,2\n", 2, 1)]
    [DataRow("file,label\na.png,0\na.png,0\n", 3, 1)]
    [DataRow("file,label\n../a.png,0\n", 2, 1)]
    [DataRow("file,label\n/etc/hosts,0\n", 2, 1)]
    [DataRow("file,text\n\"a.png,x\n", 2, 1)]
    [DataRow("file,value\na.png,inf\n", 2, 7)]
    [DataRow("", 1, 1)]
    public void RefusesWrongLabelFilesWithTheirLine(string csv, int line, int column)
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 1, 1, SKColors.Red);
        scratch.Write("labels.csv", csv);
        var diagnostic = Fails(scratch.Path, Codes.LabelsInvalid);
        Assert.AreEqual((line, column), (diagnostic.Line, diagnostic.Column), diagnostic.Message);
        Assert.AreEqual(scratch["labels.csv"], diagnostic.File);
    }

    [TestMethod]
    public void ReadsNumbersToPredict()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 1, 1, SKColors.Red);
        scratch.Write("labels.csv", "file,value\na.png,-2.5e1\n");
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        Assert.AreEqual(-25, ((ValueLabel)data.Label(0)!).Values.Single());
    }

    [TestMethod]
    public void ReadsTextsWithCommasAndQuotes()
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 1, 1, SKColors.Red);
        Png(scratch["b,c.png"], 1, 1, SKColors.Red);
        scratch.Write("labels.csv", "file,text\r\na.png,\"say \"\"hi\"\", twice\"\r\n\"b,c.png\",plain");
        scratch.Write("preprocessor_config.json", Raw);
        using var data = Dataset.Open(scratch.Path, AnyPicture);
        Assert.AreEqual(new TextLabel("say \"hi\", twice"), data.Label(0));
        Assert.AreEqual(new TextLabel("plain"), data.Label(1));
    }

    [TestMethod]
    [DataRow("{ \"resample\": 7 }", 1, 15)]
    [DataRow("{\n  \"do_thumbnail\": true }", 2, 3)]
    [DataRow("{ \"do_resize\": true, \"size\": 224 }", 1, 30)]
    [DataRow("{ \"do_normalize\": true, \"image_mean\": [0], \"image_std\": [1, 1, 1] }", 1, 39)]
    [DataRow("{ \"do_normalize\": true, \"image_mean\": [0, 0, 0], \"image_std\": [0, 1, 1] }", 1, 63)]
    [DataRow("{ \"do_resize\": tru }", 1, 19)]
    public void RefusesPreprocessingWithItsPlace(string json, int line, int column)
    {
        using var scratch = new ScratchFolder();
        Png(scratch["a.png"], 1, 1, SKColors.Red);
        scratch.Write("preprocessor_config.json", json);
        var diagnostic = Fails(scratch.Path, Codes.PreprocessingInvalid);
        Assert.AreEqual((line, column), (diagnostic.Line, diagnostic.Column), diagnostic.Message);
    }

    [TestMethod]
    public void CropsTheMiddleAndPadsWhatIsSmaller()
    {
        var picture = new Picture(3, 1, 1, [1, 2, 3]);
        CollectionAssert.AreEqual(new byte[] { 2 }, ImagePipeline.CenterCrop(picture, 1, 1).Pixels);
        CollectionAssert.AreEqual(new byte[] { 0, 0, 0, 0, 0, 1, 2, 3 }, ImagePipeline.CenterCrop(picture, 2, 4).Pixels);
    }

    [TestMethod]
    [DataRow(SKEncodedOrigin.TopRight, "BADC")]
    [DataRow(SKEncodedOrigin.BottomRight, "DCBA")]
    [DataRow(SKEncodedOrigin.BottomLeft, "CDAB")]
    [DataRow(SKEncodedOrigin.LeftTop, "ACBD")]
    [DataRow(SKEncodedOrigin.RightTop, "CADB")]
    [DataRow(SKEncodedOrigin.RightBottom, "DBCA")]
    [DataRow(SKEncodedOrigin.LeftBottom, "BDAC")]
    public void TurnsPicturesUpright(SKEncodedOrigin origin, string expected)
    {
        var stored = new Picture(2, 2, 3, [.. "ABCD".SelectMany(c => new[] { (byte)c, (byte)c, (byte)c })]);
        Assert.AreEqual(expected, string.Concat(ImageDecoder.Upright(stored, origin).Pixels.Where((_, i) => i % 3 == 0).Select(b => (char)b)));
    }

    private static Diagnostic Fails(string path, string code)
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(path, AnyPicture).Dispose());
        Assert.AreEqual(code, e.Diagnostic.Code, e.Message);
        return e.Diagnostic;
    }

    private static void Png(string path, int width, int height, params SKColor[] pixels)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul)) { Pixels = pixels };
        using var stream = File.Create(path);
        Assert.IsTrue(bitmap.Encode(stream, SKEncodedImageFormat.Png, 100));
    }
}
