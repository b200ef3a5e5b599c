using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;
using SkiaSharp;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>preprocessor_config.json as Hugging Face's image processors mean it. Expected sizes are computed by hand from their definitions.</summary>
[TestClass]
public sealed class PreprocessingTests
{
    [TestMethod]
    // A picture of 50 x 30 pixels.
    [DataRow("""{ "size": { "height": 8, "width": 9 } }""", 9, 8)]
    [DataRow("""{ "size": [8, 9] }""", 9, 8)]
    [DataRow("""{ "size": { "shortest_edge": 20 } }""", 33, 20)]
    [DataRow("""{ "size": { "shortest_edge": 20, "longest_edge": 30 } }""", 30, 18)]
    [DataRow("""{ "size": { "shortest_edge": 20, "longest_edge": 40 } }""", 33, 20)]
    [DataRow("""{ "size": 20, "max_size": 31 }""", 31, 19)] // 18.6 of the shorter side, rounded
    [DataRow("""{ "size": { "longest_edge": 32 } }""", 32, 19)] // 19.2
    [DataRow("""{ "size": { "longest_edge": 33 } }""", 33, 20)] // 19.8
    [DataRow("""{ "size": { "max_height": 15, "max_width": 40 } }""", 25, 15)]
    [DataRow("""{ "image_processor_type": "CLIPImageProcessorFast", "size": 20 }""", 33, 20)]
    [DataRow("""{ "feature_extractor_type": "ViTFeatureExtractor", "size": 20 }""", 20, 20)]
    [DataRow("""{ "size": 20, "default_to_square": false }""", 33, 20)]
    [DataRow("""{ "image_processor_type": "ConvNextImageProcessor", "size": 20, "crop_pct": 0.5 }""", 20, 20)]
    [DataRow("""{ "image_processor_type": "ConvNextImageProcessor", "size": { "shortest_edge": 384 } }""", 384, 384)]
    [DataRow("""{ "image_processor_type": "LevitImageProcessor", "size": { "shortest_edge": 14 } }""", 26, 16)]
    [DataRow("""{ "do_center_crop": true, "crop_size": 25 }""", 25, 25)]
    [DataRow("""{ "do_resize": false, "size": { "height": 8 }, "do_center_crop": true, "crop_size": { "height": 40, "width": 20 } }""", 20, 40)]
    [DataRow("""{ "image_processor_type": "DetrImageProcessor", "do_pad": true }""", 50, 30)]
    [DataRow("""{ "do_pad": false, "size_divisor": 32 }""", 50, 30)]
    [DataRow("""{ "image_processor_type": "SamImageProcessor", "size": { "longest_edge": 25 }, "do_pad": true, "pad_size": { "height": 32, "width": 32 } }""", 32, 32)]
    public void PicturesGetTheSizeThatTheProcessorGivesThem(string json, int width, int height)
    {
        var shape = Run(json, Plain).Shape;
        Assert.AreEqual((width, height), ((int)shape[3], (int)shape[2]));
    }

    [TestMethod]
    [DataRow("""{ "do_rescale": false }""", 51f)]
    [DataRow("""{ "rescale_factor": 0.5 }""", 25.5f)]
    [DataRow("""{ }""", 0.2f)]
    [DataRow("""{ "do_normalize": true, "image_mean": 0.5, "image_std": 0.5 }""", -0.6f)]
    [DataRow("""{ "rescale_factor": 0.0078431372549019607, "rescale_offset": true }""", -0.6f)]
    [DataRow("""{ "image_processor_type": "EfficientNetImageProcessor", "do_normalize": true, "image_mean": [0, 0, 0], "image_std": [0.5, 0.5, 0.5] }""", 0.8f)]
    [DataRow("""{ "image_processor_type": "EfficientNetImageProcessor", "do_normalize": true, "image_mean": [0, 0, 0], "image_std": [0.5, 0.5, 0.5], "include_top": false }""", 0.4f)]
    public void LevelsBecomeTheNumbersThatTheProcessorGivesThem(string json, float expected) => Assert.AreEqual(expected, Run(json, Plain).ToFloats()[0], 1e-6f);

    [TestMethod]
    public void MobileVitTurnsChannelsAround() => CollectionAssert.AreEqual((float[])[3, 2, 1],
        Run("""{ "image_processor_type": "MobileViTImageProcessor", "do_rescale": false, "do_center_crop": true, "crop_size": 1 }""", new SKColor(1, 2, 3)).ToFloats());

    [TestMethod]
    public void PaddingComesAfterNormalizing()
    {
        var values = Run("""{ "image_processor_type": "SamImageProcessor", "image_mean": 0.5, "image_std": 0.5, "do_pad": true, "pad_size": { "height": 31, "width": 52 } }""", Plain).ToFloats();
        Assert.AreEqual(-0.6f, values[49], 1e-6f);
        Assert.AreEqual(0f, values[50]);
        Assert.AreEqual(0f, values[30 * 52]);
    }

    [TestMethod]
    [DataRow("""{ "do_pad": true }""", "do_pad")]
    [DataRow("""{ "do_thumbnail": true }""", "do_thumbnail")]
    [DataRow("""{ "min_pixels": 3136 }""", "min_pixels")]
    [DataRow("""{ "image_processor_type": "DPTImageProcessor", "size": 384, "keep_aspect_ratio": true }""", "keep_aspect_ratio")]
    [DataRow("""{ "image_processor_type": "DPTImageProcessor", "size": 384, "ensure_multiple_of": 32 }""", "ensure_multiple_of")]
    [DataRow("""{ "image_processor_type": "YolosImageProcessor", "size": { "shortest_edge": 512, "longest_edge": 864 } }""", "YolosImageProcessor")]
    [DataRow("""{ "size": 224 }""", "shortest_edge")]
    [DataRow("""{ "size": { "width": 224 } }""", "size")]
    [DataRow("""{ "do_resize": true }""", "size")]
    [DataRow("""{ "resample": 6 }""", "resample")]
    [DataRow("""{ "image_processor_type": "ConvNextImageProcessor", "size": 20, "crop_pct": 0 }""", "crop_pct")]
    public void WhatIsAskedForAndNotKnownIsAnError(string json, string named)
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Run(json, Plain));
        Assert.AreEqual(Codes.PreprocessingInvalid, e.Diagnostic.Code, e.Message);
        Assert.Contains($"'{named}'", e.Message.Replace('"', '\''));
        Assert.IsGreaterThan(0, e.Diagnostic.Line);
    }

    private static readonly SKColor Plain = new(51, 51, 51);

    private static Tensor Run(string json, SKColor colour)
    {
        using var scratch = new ScratchFolder();
        using (var bitmap = new SKBitmap(new SKImageInfo(50, 30, SKColorType.Rgba8888, SKAlphaType.Unpremul)))
        {
            bitmap.Erase(colour);
            using var stream = File.Create(scratch["a.png"]);
            Assert.IsTrue(bitmap.Encode(stream, SKEncodedImageFormat.Png, 100));
        }
        scratch.Write("preprocessor_config.json", json);
        using var data = Dataset.Open(scratch.Path, NpzTests.Context(("x", ElementType.Float, [null, 3, null, null])));
        return data.Read(0).Inputs["x"];
    }
}
