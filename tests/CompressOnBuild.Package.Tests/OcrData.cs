using CompressOnBuild.Testing;
using SkiaSharp;

namespace CompressOnBuild.Package.Tests;

/// <summary>
/// Data for text recognition, made when it is needed: lines of words in a font of this machine. The same font gives the same pictures.
/// Normalization and channel order are PaddleOCR's.
/// </summary>
internal sealed class OcrData(string fontFile)
{
    private const int LineHeight = 48, PageSide = 320;

    private static readonly string[] s_fonts = ["DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial.ttf"];
    private static readonly string[] s_folders = ["/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts", @"C:\Windows\Fonts"];
    private static readonly string[] s_words =
    [
        "amber", "bridge", "candle", "desert", "engine", "forest", "garden", "harbor", "island", "jacket", "kettle", "ladder", "meadow", "number", "orange", "pepper",
        "quartz", "river", "silver", "timber", "umbrella", "valley", "window", "yellow", "zebra", "Invoice", "Total", "Street", "Monday", "London", "Order", "Price",
    ];

    private readonly SKTypeface face = SKTypeface.FromFile(fontFile);
    private readonly Random random = new(1);

    /// <summary>A font of this machine, or null.</summary>
    public static string? Font { get; } = s_folders.Where(Directory.Exists)
        .SelectMany(f => Directory.EnumerateFiles(f, "*.ttf", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }))
        .Where(f => s_fonts.Contains(Path.GetFileName(f))).Order(StringComparer.Ordinal).FirstOrDefault();

    /// <summary>Lines with their texts, and the alphabet that says which id is which character.</summary>
    public void WriteLines(string folder, string alphabet, int count)
    {
        Directory.CreateDirectory(folder);
        Preprocessing(folder, "0.5, 0.5, 0.5", "0.5, 0.5, 0.5", ", \"pad_width_to_multiple_of\": 32");
        File.Copy(alphabet, Path.Combine(folder, "keys.txt"));
        File.WriteAllText(Path.Combine(folder, "evaluation.json"), """{ "decode": "ctc", "alphabet": "keys.txt", "appendSpace": true, "ignoreSpaces": true }""");
        var labels = "file,text\n";
        for (var i = 0; i < count; i++)
        {
            var text = string.Join(' ', Enumerable.Range(0, random.Next(1, 4)).Select(_ => Word()));
            using var line = Line(text);
            Save(line, Path.Combine(folder, $"{i:0000}.png"));
            labels += $"{i:0000}.png,{text}\n";
        }
        File.WriteAllText(Path.Combine(folder, "labels.csv"), labels);
    }

    /// <summary>Lines upright (class 0) and turned by half (class 1), in folders of their classes.</summary>
    public void WriteDirections(string folder, int count)
    {
        foreach (var direction in (string[])["0", "1"]) Directory.CreateDirectory(Path.Combine(folder, direction));
        Preprocessing(folder, "0.5, 0.5, 0.5", "0.5, 0.5, 0.5", ", \"pad_width_to_multiple_of\": 192");
        for (var i = 0; i < count; i++)
        {
            using var line = Line(Word());
            using var cut = new SKBitmap(Math.Min(line.Width, 192), LineHeight);
            using (var canvas = new SKCanvas(cut))
            {
                if (i % 2 == 1) canvas.RotateDegrees(180, cut.Width / 2f, LineHeight / 2f);
                canvas.DrawBitmap(line, 0, 0, SKSamplingOptions.Default);
            }
            Save(cut, Path.Combine(folder, i % 2 == 0 ? "0" : "1", $"{i:0000}.png"));
        }
    }

    /// <summary>Pages of lines, without labels.</summary>
    public void WritePages(string folder, int count)
    {
        Directory.CreateDirectory(folder);
        Preprocessing(folder, "0.485, 0.456, 0.406", "0.229, 0.224, 0.225", "");
        for (var i = 0; i < count; i++)
        {
            using var page = new SKBitmap(PageSide, PageSide);
            using (var canvas = new SKCanvas(page))
            {
                canvas.Clear(SKColors.WhiteSmoke);
                for (var top = random.Next(24); top + LineHeight < PageSide; top += LineHeight + random.Next(48))
                {
                    using var line = Line(Word());
                    canvas.DrawBitmap(line, random.Next(PageSide / 2), top, SKSamplingOptions.Default);
                }
            }
            Save(page, Path.Combine(folder, $"{i:0000}.png"));
        }
    }

    /// <summary>Frames of 36 ms: noise, and noise with a buzz of a voice's pitch. State and rate are the same for all.</summary>
    public void WriteFrames(string file, int count)
    {
        const int Length = 576, Rate = 16000;
        var samples = new float[count * Length];
        for (var i = 0; i < count; i++)
        {
            var (pitch, loud) = (random.Next(90, 250), i % 2 == 0 ? 0 : 0.3);
            for (var t = 0; t < Length; t++)
                samples[i * Length + t] = (float)(loud * Enumerable.Range(1, 8).Sum(h => Math.Sin(2 * Math.PI * h * pitch * t / Rate) / h) + 0.02 * (random.NextDouble() - 0.5));
        }
        new NpzBuilder().Floats("input", samples, count, Length).Save(file);
        File.WriteAllText(Path.ChangeExtension(file, ".evaluation.json"), """{ "fixed": { "sr": 16000, "state": 0 }, "decode": "threshold" }""");
    }

    private string Word() => s_words[random.Next(s_words.Length)];

    private SKBitmap Line(string text)
    {
        using var font = new SKFont(face, random.Next(26, 36));
        var line = new SKBitmap((int)font.MeasureText(text) + 16, LineHeight);
        using var canvas = new SKCanvas(line);
        canvas.Clear(new SKColor((byte)random.Next(200, 256), (byte)random.Next(200, 256), (byte)random.Next(200, 256)));
        using var ink = new SKPaint { Color = new SKColor((byte)random.Next(90), (byte)random.Next(90), (byte)random.Next(90)), IsAntialias = true };
        canvas.DrawText(text, 8, 35, SKTextAlign.Left, font, ink);
        return line;
    }

    private static void Preprocessing(string folder, string mean, string deviation, string more) => File.WriteAllText(Path.Combine(folder, "preprocessor_config.json"), $$"""
        { "do_resize": false, "do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true, "image_mean": [{{mean}}], "image_std": [{{deviation}}], "channel_order": "BGR", "layout": "NCHW"{{more}} }
        """);

    private static void Save(SKBitmap picture, string file)
    {
        using var png = picture.Encode(SKEncodedImageFormat.Png, 100);
        using var stream = File.Create(file);
        png.SaveTo(stream);
    }
}
