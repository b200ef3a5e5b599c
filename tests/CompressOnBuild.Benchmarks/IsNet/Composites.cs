using CompressOnBuild.Numerics;
using CompressOnBuild.Testing;
using SkiaSharp;

namespace CompressOnBuild.Benchmarks.IsNet;

/// <summary>Pictures of one object in front of a background, drawn here, so that the mask of the object is known to the pixel.</summary>
internal static class Composites
{
    public const int Count = 8;
    private const int Side = 1024;

    /// <summary>Writes <c>input</c> [8,3,1024,1024] (RGB, x / 255 - 0.5) and <c>labels</c> [8,1024,1024] (1 = the object), and the pictures as PNG to look at.</summary>
    public static string Write(string path, string pictures)
    {
        if (File.Exists(path)) return path;
        Directory.CreateDirectory(pictures);
        var inputs = new float[Count * 3 * Side * Side];
        var masks = new byte[Count * Side * Side];
        for (var i = 0; i < Count; i++)
        {
            using var picture = Draw(i, mask: false);
            using var mask = Draw(i, mask: true);
            ReadOnlySpan<byte> colours = picture.GetPixelSpan(), inside = mask.GetPixelSpan();
            for (var p = 0; p < Side * Side; p++)
            {
                for (var c = 0; c < 3; c++) inputs[(i * 3 + c) * Side * Side + p] = colours[4 * p + c] / 255f - 0.5f;
                masks[i * Side * Side + p] = inside[4 * p] > 127 ? (byte)1 : (byte)0;
            }
            using var file = File.Create(Path.Combine(pictures, $"{i}.png"));
            picture.Encode(file, SKEncodedImageFormat.Png, 90);
        }
        return new NpzBuilder().Floats("input", inputs, Count, 3, Side, Side).Array("labels", "|u1", masks, Count, Side, Side).Save(path);
    }

    private static SKBitmap Draw(int index, bool mask)
    {
        var random = new Pcg32((ulong)index + 1, 11);
        var bitmap = new SKBitmap(new SKImageInfo(Side, Side, SKColorType.Rgba8888, SKAlphaType.Opaque));
        using var canvas = new SKCanvas(bitmap);
        canvas.Clear(SKColors.Black);
        // A wall and a table, out of focus; then the object in one strong colour with light from the left.
        float hue = random.Below(360), horizon = 620 + random.Below(120), x = 440 + random.Below(140), y = 560 + random.Below(60), size = 220 + random.Below(60);
        if (!mask)
        {
            Fill(canvas, new SKRect(0, 0, Side, horizon), SKColor.FromHsv(hue, 12, 88), SKColor.FromHsv(hue, 18, 72));
            Fill(canvas, new SKRect(0, horizon, Side, Side), SKColor.FromHsv((hue + 30) % 360, 22, 62), SKColor.FromHsv((hue + 30) % 360, 26, 46));
            using var shadow = new SKPaint { Color = new SKColor(0, 0, 0, 70), IsAntialias = true, MaskFilter = SKMaskFilter.CreateBlur(SKBlurStyle.Normal, 18) };
            canvas.DrawOval(x + 30, y + size * 1.05f, size * 0.9f, size * 0.16f, shadow);
        }
        using var paint = new SKPaint { IsAntialias = !mask, Color = SKColors.White };
        if (!mask)
            paint.Shader = SKShader.CreateRadialGradient(new SKPoint(x - size * 0.4f, y - size * 0.5f), size * 2.2f, [SKColor.FromHsv((hue + 170) % 360, 60, 100), SKColor.FromHsv((hue + 180) % 360, 90, 75), SKColor.FromHsv((hue + 190) % 360, 95, 30)], [0, 0.45f, 1], SKShaderTileMode.Clamp);
        DrawObject(canvas, paint, index, x, y, size);
        if (!mask)
        {
            using var light = new SKPaint { Color = new SKColor(255, 255, 255, 120), IsAntialias = true, MaskFilter = SKMaskFilter.CreateBlur(SKBlurStyle.Normal, 14) };
            canvas.DrawOval(x - size * 0.35f, y - size * 0.35f, size * 0.14f, size * 0.2f, light);
        }
        return bitmap;
    }

    private static void DrawObject(SKCanvas canvas, SKPaint paint, int index, float x, float y, float size)
    {
        switch (index % 4)
        {
            case 0: // a ball
                canvas.DrawCircle(x, y, size, paint);
                break;
            case 1: // a bottle
                Round(-0.45f, -0.5f, 0.45f, 1.1f, 0.15f);
                Round(-0.16f, -1.3f, 0.16f, -0.3f, 0.06f);
                break;
            case 2: // a cup with its handle
                Round(-0.8f, -0.7f, 0.6f, 0.9f, 0.25f);
                Round(0.5f, -0.25f, 0.95f, 0.45f, 0.2f);
                break;
            default: // a pear
                canvas.DrawOval(x, y + 0.3f * size, 0.85f * size, 0.75f * size, paint);
                canvas.DrawOval(x, y - 0.4f * size, 0.5f * size, 0.75f * size, paint);
                break;
        }

        void Round(float left, float top, float right, float bottom, float corner) =>
            canvas.DrawRoundRect(new SKRect(x + left * size, y + top * size, x + right * size, y + bottom * size), corner * size, corner * size, paint);
    }

    private static void Fill(SKCanvas canvas, SKRect area, SKColor from, SKColor to)
    {
        using var paint = new SKPaint { Shader = SKShader.CreateLinearGradient(new SKPoint(area.Left, area.Top), new SKPoint(area.Right, area.Bottom), [from, to], SKShaderTileMode.Clamp) };
        canvas.DrawRect(area, paint);
    }
}
