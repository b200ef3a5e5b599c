using System.Diagnostics;
using System.Globalization;
using System.Text;
using CompressOnBuild.Samples.Train;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using SkiaSharp;

// Makes testassets/samples/shapes: pictures, model, figures. The seeds of the three sets do not overlap.
const int Seed = 20250101, ValidationSeed = 1_000_000_000, CalibrationSeed = 1_100_000_000;
const int ValidationCount = 1000, CalibrationCount = 64;

if (args.Length is 0 or > 2 || (args.Length == 2 && !int.TryParse(args[1], CultureInfo.InvariantCulture, out _)))
{
    Console.Error.WriteLine("usage: train OUTPUT_FOLDER [STEPS]");
    return 1;
}
var folder = args[0];
var steps = args.Length == 2 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 2400;

var validation = Trainer.Draw(ValidationSeed, ValidationCount);
WritePictures(Path.Combine(folder, "val"), validation, labelled: true);
WritePictures(Path.Combine(folder, "calib"), Trainer.Draw(CalibrationSeed, CalibrationCount), labelled: false);

var clock = Stopwatch.StartNew();
var network = ShapeNetwork.Create(new Random(Seed));
var trainer = new Trainer(network, steps);
Say($"{trainer.ParameterCount} parameters");
trainer.Train(Seed);
Say($"trained in {clock.Elapsed.TotalSeconds:F0} s");

var path = Path.Combine(folder, "shapes.onnx");
File.WriteAllBytes(path, OnnxExport.Export(network));
return Check(path) ? 0 : 1;

void WritePictures(string target, ShapePicture[] pictures, bool labelled)
{
    if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
    Directory.CreateDirectory(target);
    var labels = new StringBuilder("file,label\n");
    for (var i = 0; i < pictures.Length; i++)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{i:D4}.png");
        IndexedPng.Write(Path.Combine(target, name), pictures[i]);
        labels.Append(name).Append(',').Append(pictures[i].Label.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }
    if (labelled) File.WriteAllText(Path.Combine(target, "labels.csv"), labels.ToString());
}

// The files as ONNX Runtime and an ordinary decoder see them, against the trainer's own forward pass.
bool Check(string model)
{
    using var session = new InferenceSession(model);
    const int Plane = ShapePicture.Side * ShapePicture.Side;
    int hits = 0, own = validation.Length / Trainer.Batch * Trainer.Batch;
    var largest = 0f;
    for (var start = 0; start < validation.Length; start += Trainer.Batch)
    {
        var count = Math.Min(Trainer.Batch, validation.Length - start);
        var input = new float[count * 3 * Plane];
        for (var n = 0; n < count; n++)
        {
            using var bitmap = SKBitmap.Decode(Path.Combine(folder, "val", (start + n).ToString("D4", CultureInfo.InvariantCulture) + ".png"));
            for (var i = 0; i < Plane; i++)
            {
                var colour = bitmap.GetPixel(i % ShapePicture.Side, i / ShapePicture.Side);
                input[(n * 3 + 0) * Plane + i] = (colour.Red / 255f - Trainer.Mean) / Trainer.Deviation;
                input[(n * 3 + 1) * Plane + i] = (colour.Green / 255f - Trainer.Mean) / Trainer.Deviation;
                input[(n * 3 + 2) * Plane + i] = (colour.Blue / 255f - Trainer.Mean) / Trainer.Deviation;
            }
        }
        using var results = session.Run([NamedOnnxValue.CreateFromTensor("pixels", new DenseTensor<float>(input, [count, 3, ShapePicture.Side, ShapePicture.Side]))]);
        var logits = results[0].AsTensor<float>().ToArray();
        var expected = start < own ? network.Forward(Trainer.Pixels(validation[start..(start + count)]), count, training: false) : null;
        for (var n = 0; n < count; n++)
        {
            var row = logits.AsSpan(n * ShapePicture.Classes.Length, ShapePicture.Classes.Length);
            if (System.Numerics.Tensors.TensorPrimitives.IndexOfMax(row) == validation[start + n].Label) hits++;
            for (var c = 0; expected is not null && c < row.Length; c++) largest = Math.Max(largest, Math.Abs(row[c] - expected[c * count + n]));
        }
    }
    Say($"{new FileInfo(model).Length} bytes; top1 {100.0 * hits / validation.Length:F2} % of {validation.Length} (ONNX Runtime)");
    Say($"largest difference to the trainer's forward pass, over {own} pictures: {largest:G3}");
    return largest < 1e-3f;
}

static void Say(FormattableString text) => Console.WriteLine(FormattableString.Invariant(text));
