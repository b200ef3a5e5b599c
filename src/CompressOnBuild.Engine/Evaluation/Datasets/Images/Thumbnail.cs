using System.Runtime.InteropServices;
using SkiaSharp;

namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>A picture made small for a report.</summary>
internal static class Thumbnail
{
    private const int MostWidth = 240, MostHeight = 160, Small = 64, Quality = 85;

    /// <summary>The picture within 240 x 160 pixels, never enlarged: as PNG where it is tiny (JPEG would blur it), else as JPEG.</summary>
    /// <param name="picture">RGB.</param>
    public static byte[] Of(Picture picture)
    {
        var scale = Math.Min(1, Math.Min((double)MostWidth / picture.Width, (double)MostHeight / picture.Height));
        var small = PillowResize.Resize(picture, Math.Max(1, (int)(picture.Width * scale)), Math.Max(1, (int)(picture.Height * scale)), Resample.Bilinear);
        var rgba = new byte[small.Width * small.Height * 4];
        for (int from = 0, to = 0; to < rgba.Length; from += 3, to += 4)
            (rgba[to], rgba[to + 1], rgba[to + 2], rgba[to + 3]) = (small.Pixels[from], small.Pixels[from + 1], small.Pixels[from + 2], 255);
        using var bitmap = new SKBitmap(new SKImageInfo(small.Width, small.Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        Marshal.Copy(rgba, 0, bitmap.GetPixels(), rgba.Length);
        using var data = bitmap.Encode(Math.Max(small.Width, small.Height) <= Small ? SKEncodedImageFormat.Png : SKEncodedImageFormat.Jpeg, Quality);
        return data.ToArray();
    }
}
