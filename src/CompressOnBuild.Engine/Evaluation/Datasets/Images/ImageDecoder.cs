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
    /// <param name="needed">Of the picture's width and height, what the caller is going to look at: elsewhere the pixels may be anything. Null,
    /// here or as its result: everything.</param>
    /// <exception cref="CompressionException">No picture, damaged, or too large.</exception>
    public static Picture Decode(string file, PixelBuffers? buffers = null, Func<int, int, PictureArea?>? needed = null)
    {
        var bytes = Bytes(file, buffers);
        using var data = SKData.CreateCopy(bytes);
        using var codec = SKCodec.Create(data) ?? throw Unreadable("is no picture that can be decoded");
        // Unpremultiplied and without a colour space: the stored values, untouched.
        var info = new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul, null);
        if ((long)info.Width * info.Height is <= 0 or > LargestPicture)
            throw new CompressionException(Codes.DataTooLarge, $"the picture has {info.Width} x {info.Height} pixels; at most {LargestPicture} are valid. Store it smaller.", file);
        var origin = codec.EncodedOrigin is SKEncodedOrigin.TopLeft ? ExifOrientation.Of(bytes) : codec.EncodedOrigin;
        var rgb = PixelBuffers.Take(buffers, PixelBuffers.Form.Decoded, info.Width * info.Height * 3);
        var result = codec.EncodedFormat is SKEncodedImageFormat.Jpeg && IsUpright(origin) && needed?.Invoke(info.Width, info.Height) is { } area
            ? DecodePart(codec, info, area, rgb, buffers) : DecodeAll(codec, info, rgb, buffers);
        if (result != SKCodecResult.Success) throw Unreadable($"cannot be decoded ({result})");
        return Upright(new Picture(info.Width, info.Height, 3, rgb), origin);

        CompressionException Unreadable(string what) => new(Codes.ImageUnreadable,
            $"the file {what}. Valid are JPEG, PNG, WebP, BMP and GIF. Replace the file, or remove it from the data.", file);
    }

    private static ReadOnlySpan<byte> Bytes(string file, PixelBuffers? buffers)
    {
        using var handle = File.OpenHandle(file, options: FileOptions.SequentialScan);
        var length = RandomAccess.GetLength(handle);
        if (length > LargestFile) throw new CompressionException(Codes.DataTooLarge, $"the picture has {length} bytes; at most {LargestFile} are valid. Store it smaller.", file);
        var bytes = PixelBuffers.Take(buffers, PixelBuffers.Form.Stored, (int)length).AsSpan(0, (int)length);
        var filled = 0;
        while (RandomAccess.Read(handle, bytes[filled..], filled) is > 0 and var read) filled += read;
        return bytes[..filled];
    }

    private static unsafe SKCodecResult DecodeAll(SKCodec codec, SKImageInfo info, byte[] rgb, PixelBuffers? buffers)
    {
        var rgba = PixelBuffers.Take(buffers, PixelBuffers.Form.Coloured, info.BytesSize);
        // A frame may leave out what is transparent.
        if (codec.EncodedFormat is not SKEncodedImageFormat.Jpeg) Array.Clear(rgba, 0, info.BytesSize);
        fixed (byte* pixels = rgba)
        {
            var result = codec.GetPixels(info, (nint)pixels);
            if (result == SKCodecResult.Success) PixelBytes.DropFourth(rgba.AsSpan(0, info.BytesSize), rgb.AsSpan(0, info.Width * info.Height * 3));
            return result;
        }
    }

    /// <summary>
    /// The same pixels as <see cref="DecodeAll"/> in <paramref name="area"/>. Rows outside are read too (a damaged file is found either way),
    /// but neither transformed nor coloured, which is most of the work.
    /// </summary>
    private static unsafe SKCodecResult DecodePart(SKCodec codec, SKImageInfo info, PictureArea area, byte[] rgb, PixelBuffers? buffers)
    {
        // At the edge of what is decoded the colours, stored at half the width, are interpolated without their neighbours: two columns.
        const int Margin = 4;
        var (left, right) = (Math.Max(0, area.Left - Margin), Math.Min(info.Width, area.Left + area.Width + Margin));
        var started = left == 0 && right == info.Width ? codec.StartScanlineDecode(info) : codec.StartScanlineDecode(info, new SKCodecOptions(new SKRectI(left, 0, right, info.Height)));
        if (started != SKCodecResult.Success) return DecodeAll(codec, info, rgb, buffers);
        var rowBytes = (right - left) * 4;
        var rgba = PixelBuffers.Take(buffers, PixelBuffers.Form.Coloured, rowBytes * (area.Height + 1));
        fixed (byte* pixels = rgba)
        {
            if (!Skips(area.Top) || !Reads(pixels, area.Height)) return SKCodecResult.IncompleteInput;
            // Who only skips to the end learns nothing of it: the last row is read.
            var below = info.Height - area.Top - area.Height;
            if (below > 0 && (!Skips(below - 1) || !Reads(pixels + rowBytes * area.Height, 1))) return SKCodecResult.IncompleteInput;
        }
        for (var y = 0; y < area.Height; y++)
            PixelBytes.DropFourth(rgba.AsSpan(y * rowBytes, rowBytes), rgb.AsSpan(((area.Top + y) * info.Width + left) * 3, (right - left) * 3));
        return SKCodecResult.Success;

        bool Skips(int rows) => rows == 0 || codec.SkipScanlines(rows);
        bool Reads(byte* to, int rows) => codec.GetScanlines((nint)to, rows, rowBytes) == rows;
    }

    /// <summary>Grey as Pillow's <c>convert("L")</c>: ITU-R 601-2 luma in 16-bit fixed point, rounded.</summary>
    public static Picture Grey(Picture rgb)
    {
        var grey = new byte[rgb.Width * rgb.Height];
        for (int from = 0, to = 0; to < grey.Length; from += 3, to++)
            grey[to] = (byte)(rgb.Pixels[from] * 19595 + rgb.Pixels[from + 1] * 38470 + rgb.Pixels[from + 2] * 7471 + 0x8000 >> 16);
        return new(rgb.Width, rgb.Height, 1, grey);
    }

    private static bool IsUpright(SKEncodedOrigin origin) => origin is SKEncodedOrigin.TopLeft or SKEncodedOrigin.Default;

    /// <summary>Undoes the camera's orientation. Where the sides are swapped, the source's x runs along the result's y.</summary>
    public static Picture Upright(Picture p, SKEncodedOrigin origin)
    {
        if (IsUpright(origin)) return p;
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
