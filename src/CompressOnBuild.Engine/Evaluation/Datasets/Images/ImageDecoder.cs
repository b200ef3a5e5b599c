using CompressOnBuild.Diagnostics;
using CompressOnBuild.Kernels;
using SkiaSharp;

namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>
/// Files to RGB as Pillow's <c>convert("RGB")</c> gives it: palettes expanded, grey repeated, alpha dropped rather than blended, no colour
/// management; then turned upright by the EXIF orientation as Hugging Face's loader does.
/// </summary>
internal static class ImageDecoder
{
    /// <summary>Largest file that is read as a picture.</summary>
    public const long LargestFile = 256L << 20;
    /// <summary>Largest picture, in pixels: what is decoded takes 4 bytes for each.</summary>
    public const long LargestPicture = 100_000_000;

    private static readonly HashSet<string> Extensions = new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif" };

    public static bool IsImage(string file) => Extensions.Contains(Path.GetExtension(file));

    /// <param name="file">The picture.</param>
    /// <param name="buffers">Where the pixels are put; null: they are the caller's own.</param>
    /// <exception cref="CompressionException">No picture, damaged, or too large.</exception>
    public static Picture Decode(string file, PixelBuffers? buffers = null)
    {
        var length = new FileInfo(file).Length;
        if (length > LargestFile) throw new CompressionException(Codes.DataTooLarge, $"the picture has {length} bytes; at most {LargestFile} are valid. Store it smaller.", file);
        var bytes = File.ReadAllBytes(file);
        using var data = SKData.CreateCopy(bytes);
        using var codec = SKCodec.Create(data) ?? throw Unreadable("is no picture that can be decoded");
        var info = codec.Info;
        if ((long)info.Width * info.Height is <= 0 or > LargestPicture)
            throw new CompressionException(Codes.DataTooLarge, $"the picture has {info.Width} x {info.Height} pixels; at most {LargestPicture} are valid. Store it smaller.", file);
        // Unpremultiplied and without a colour space: the stored values, untouched.
        using var bitmap = new SKBitmap();
        if (!bitmap.TryAllocPixels(new SKImageInfo(info.Width, info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul, null)))
            throw new CompressionException(Codes.DataTooLarge, $"there is no memory for a picture of {info.Width} x {info.Height} pixels. Store it smaller.", file);
        var result = codec.GetPixels(bitmap.Info, bitmap.GetPixels());
        if (result != SKCodecResult.Success) throw Unreadable($"cannot be decoded ({result})");
        var rgb = PixelBuffers.Take(buffers, PixelBuffers.Form.Decoded, info.Width * info.Height * 3);
        PixelBytes.DropFourth(bitmap.GetPixelSpan(), rgb.AsSpan(0, info.Width * info.Height * 3));
        return Upright(new Picture(info.Width, info.Height, 3, rgb), codec.EncodedOrigin is SKEncodedOrigin.TopLeft ? ExifOrientation.Of(bytes) : codec.EncodedOrigin);

        CompressionException Unreadable(string what) => new(Codes.ImageUnreadable,
            $"the file {what}. Valid are JPEG, PNG, WebP, BMP and GIF. Replace the file, or remove it from the data.", file);
    }

    /// <summary>Grey as Pillow's <c>convert("L")</c>: ITU-R 601-2 luma in 16-bit fixed point, rounded.</summary>
    public static Picture Grey(Picture rgb)
    {
        var grey = new byte[rgb.Width * rgb.Height];
        for (int from = 0, to = 0; to < grey.Length; from += 3, to++)
            grey[to] = (byte)(rgb.Pixels[from] * 19595 + rgb.Pixels[from + 1] * 38470 + rgb.Pixels[from + 2] * 7471 + 0x8000 >> 16);
        return new(rgb.Width, rgb.Height, 1, grey);
    }

    /// <summary>Undoes the camera's orientation. Where the sides are swapped, the source's x runs along the result's y.</summary>
    public static Picture Upright(Picture p, SKEncodedOrigin origin)
    {
        if (origin is SKEncodedOrigin.TopLeft or SKEncodedOrigin.Default) return p;
        var swapped = origin is SKEncodedOrigin.LeftTop or SKEncodedOrigin.RightTop or SKEncodedOrigin.RightBottom or SKEncodedOrigin.LeftBottom;
        var (width, height) = swapped ? (p.Height, p.Width) : (p.Width, p.Height);
        var result = new byte[width * height * 3];
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var (sx, sy) = origin switch
                {
                    SKEncodedOrigin.TopRight => (p.Width - 1 - x, y),
                    SKEncodedOrigin.BottomRight => (p.Width - 1 - x, p.Height - 1 - y),
                    SKEncodedOrigin.BottomLeft => (x, p.Height - 1 - y),
                    SKEncodedOrigin.LeftTop => (y, x),
                    SKEncodedOrigin.RightTop => (y, p.Height - 1 - x),
                    SKEncodedOrigin.RightBottom => (p.Width - 1 - y, p.Height - 1 - x),
                    _ => (p.Width - 1 - y, x),
                };
                p.Pixels.AsSpan((sy * p.Width + sx) * 3, 3).CopyTo(result.AsSpan((y * width + x) * 3));
            }
        return new(width, height, 3, result);
    }
}
