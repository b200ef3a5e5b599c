using CompressOnBuild.Numerics;
using SkiaSharp;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>
/// Unlabelled pages for a text detector: lines of text that the zoo has for a recogniser, set on pages of 480 x 480 pixels at drawn places.
/// The same lines give the same pages; calibration and evaluation are set from different lines.
/// </summary>
internal static class TextPages
{
    private const int Side = 480, EvaluationPages = 60, CalibrationPages = 24, LinesOnPage = 7;

    // ImageNet's means and deviations, in BGR order as PaddleOCR feeds its detectors; sides are multiples of 32.
    private const string Preprocessing = """
        {
          "do_resize": false, "size": { "height": 480, "width": 480 }, "do_center_crop": false,
          "do_rescale": true, "rescale_factor": 0.00392156862745098,
          "do_normalize": true, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
          "channel_order": "BGR", "layout": "NCHW"
        }

        """;

    /// <summary>Writes <c>eval/</c>, <c>calib/</c> and their preprocessing into <paramref name="target"/> from the pictures of the same folders in <paramref name="lines"/>.</summary>
    public static void Write(string lines, string target)
    {
        File.WriteAllText(Path.Combine(target, "preprocessor_config.json"), Preprocessing);
        Write(Path.Combine(lines, "eval"), Path.Combine(target, "eval"), EvaluationPages, seed: 1);
        Write(Path.Combine(lines, "calib"), Path.Combine(target, "calib"), CalibrationPages, seed: 2);
    }

    private static void Write(string lines, string target, int pages, ulong seed)
    {
        if (Directory.Exists(target) && Directory.EnumerateFiles(target).Count() == pages) return;
        Directory.CreateDirectory(target);
        var pictures = Directory.EnumerateFiles(lines, "*.png").Order(StringComparer.Ordinal).ToArray();
        if (pictures.Length == 0) throw new SkippedException($"{lines} holds no lines of text to set pages from");
        var random = new Pcg32(seed);
        for (var page = 0; page < pages; page++)
        {
            using var bitmap = new SKBitmap(Side, Side, SKColorType.Rgba8888, SKAlphaType.Opaque);
            using (var canvas = new SKCanvas(bitmap))
            {
                canvas.Clear(new SKColor((byte)(160 + random.Below(96)), (byte)(160 + random.Below(96)), (byte)(160 + random.Below(96))));
                for (var line = 0; line < LinesOnPage; line++)
                {
                    using var picture = SKBitmap.Decode(pictures[random.Below(pictures.Length)]);
                    // One line in its own strip of the page, so that none covers another.
                    var top = line * Side / LinesOnPage + random.Below(Math.Max(1, Side / LinesOnPage - picture.Height));
                    canvas.DrawBitmap(picture, random.Below(Math.Max(1, Side - picture.Width)), top, SKSamplingOptions.Default);
                }
            }
            using var png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
            using var file = File.Create(Path.Combine(target, $"{page:0000}.png"));
            png.SaveTo(file);
        }
    }
}
