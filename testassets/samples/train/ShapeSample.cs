using System.Globalization;
using System.Text;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using SkiaSharp;

namespace CompressOnBuild.Samples.Train;

/// <summary>testassets/samples/shapes: pictures as PNG files and a convolutional network.</summary>
internal static class ShapeSample
{
    private const int ValidationCount = 1000, CalibrationCount = 64, Plane = ShapePicture.Side * ShapePicture.Side;

    /// <summary>Mean and deviation of the normalisation; preprocessor_config.json says the same.</summary>
    private const float Mean = 0.5f, Deviation = 0.25f;

    public static bool Make(string folder, int steps)
    {
        var validation = Draw(Seeds.Validation, ValidationCount);
        WritePictures(Path.Combine(folder, "val"), validation, labelled: true);
        WritePictures(Path.Combine(folder, "calib"), Draw(Seeds.Calibration, CalibrationCount), labelled: false);

        var network = ShapeNetwork.Create(new Random(Seeds.Training));
        var trainer = new Trainer(network, steps, peakRate: 0.12f, seed =>
        {
            var pictures = Draw(seed, Trainer.Batch);
            return (Pixels(pictures), [.. pictures.Select(p => p.Label)]);
        });
        trainer.Train();

        var path = Path.Combine(folder, "shapes.onnx");
        File.WriteAllBytes(path, OnnxExport.Export("shapes", network, "pixels", [3, ShapePicture.Side, ShapePicture.Side], ShapePicture.Classes));
        return Check(path, network, validation);
    }

    private static ShapePicture[] Draw(int firstSeed, int count)
    {
        var pictures = new ShapePicture[count];
        Parallel.For(0, count, i => pictures[i] = new ShapePicture(firstSeed + i));
        return pictures;
    }

    /// <summary>Normalised pixels [3, N, 32, 32] of a batch.</summary>
    private static float[] Pixels(ShapePicture[] pictures)
    {
        var pixels = new float[3 * pictures.Length * Plane];
        for (var i = 0; i < pixels.Length; i++)
        {
            int c = i / Plane / pictures.Length, n = i / Plane % pictures.Length;
            pixels[i] = Normal(pictures[n].Palette[pictures[n].Pixels[i % Plane] * 3 + c]);
        }
        return pixels;
    }

    private static float Normal(byte value) => (value / 255f - Mean) / Deviation;

    private static void WritePictures(string folder, ShapePicture[] pictures, bool labelled)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        var labels = new StringBuilder("file,label\n");
        for (var i = 0; i < pictures.Length; i++)
        {
            IndexedPng.Write(Path.Combine(folder, FileName(i)), pictures[i]);
            labels.Append(CultureInfo.InvariantCulture, $"{FileName(i)},{pictures[i].Label}\n");
        }
        if (labelled) File.WriteAllText(Path.Combine(folder, "labels.csv"), labels.ToString());
    }

    private static string FileName(int index) => index.ToString("D4", CultureInfo.InvariantCulture) + ".png";

    /// <summary>The files as ONNX Runtime and an ordinary decoder see them, against the trainer's own forward pass over its own pixels.</summary>
    private static bool Check(string model, Layer network, ShapePicture[] validation)
    {
        using var session = new InferenceSession(model);
        var check = new ParityCheck(ShapePicture.Classes.Length);
        for (var start = 0; start < validation.Length; start += Trainer.Batch)
        {
            var batch = validation[start..Math.Min(start + Trainer.Batch, validation.Length)];
            var input = new DenseTensor<float>([batch.Length, 3, ShapePicture.Side, ShapePicture.Side]);
            for (var n = 0; n < batch.Length; n++)
                Decode(Path.Combine(Path.GetDirectoryName(model)!, "val", FileName(start + n)), input.Buffer.Span.Slice(n * 3 * Plane, 3 * Plane));
            using var results = session.Run([NamedOnnxValue.CreateFromTensor("pixels", input)]);
            var expected = batch.Length == Trainer.Batch ? network.Forward(Pixels(batch), batch.Length, training: false) : null;
            check.Add(results[0].AsTensor<float>().ToArray(), expected, [.. batch.Select(p => p.Label)]);
        }
        return check.Report(model);
    }

    private static void Decode(string path, Span<float> pixels)
    {
        using var bitmap = SKBitmap.Decode(path);
        for (var i = 0; i < Plane; i++)
        {
            var colour = bitmap.GetPixel(i % ShapePicture.Side, i / ShapePicture.Side);
            (pixels[i], pixels[Plane + i], pixels[2 * Plane + i]) = (Normal(colour.Red), Normal(colour.Green), Normal(colour.Blue));
        }
    }
}
