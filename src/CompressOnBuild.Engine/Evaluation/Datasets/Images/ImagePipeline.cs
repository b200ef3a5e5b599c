using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>A picture's way to the model's input, rescaled and normalized in float (of a Python pipeline that computes part of it in
/// double, the last bit may differ).</summary>
internal static class ImagePipeline
{
    /// <summary>The input [1, channels, height, width] (or [1, height, width, channels]) of <paramref name="file"/> in <paramref name="input"/>'s type.</summary>
    /// <param name="file">The picture.</param>
    /// <param name="steps">The way.</param>
    /// <param name="input">What the model takes.</param>
    /// <param name="passing">Whether the tensor is no longer looked at when the next picture is read on this thread.</param>
    public static Tensor Run(string file, Preprocessing steps, ModelValue input, bool passing = false)
    {
        var buffers = PixelBuffers.OfThread;
        // Of what is cropped away nothing need be computed.
        var picture = ImageDecoder.Decode(file, buffers, (w, h) => steps.Resize?.Of(w, h) is (var width, var height) && Cropped(width, height) is { } part ? PillowResize.Needs(w, h, width, height, steps.Resample, part) : null);
        if (steps.Channels == ChannelOrder.L) picture = ImageDecoder.Grey(picture);
        if (steps.Resize is { } size)
        {
            var (width, height) = size.Of(picture.Width, picture.Height);
            if (Math.Min(width, height) < 1 || Math.Max(width, height) > 65536 || (long)width * height > ImageDecoder.LargestPicture)
                throw new CompressionException(Codes.DataTooLarge, $"the picture of {picture.Width} x {picture.Height} pixels would be resized to {width} x {height}; 1 to {ImageDecoder.LargestPicture} pixels are valid. Crop it.", file);
            picture = Cropped(width, height) is { } part && PillowResize.ResizePart(picture, width, height, steps.Resample, part, buffers) is { } middle
                ? middle : PillowResize.Resize(picture, width, height, steps.Resample);
        }
        if (steps.Crop is { } crop && (picture.Width, picture.Height) != (crop.Width, crop.Height)) picture = CenterCrop(picture, crop.Height, crop.Width);
        var paddedWidth = Math.Max((picture.Width + steps.PadWidthTo - 1) / steps.PadWidthTo * steps.PadWidthTo, steps.PadTo?.Width ?? 0);
        var paddedHeight = Math.Max(picture.Height, steps.PadTo?.Height ?? 0);
        if ((long)paddedWidth * paddedHeight > ImageDecoder.LargestPicture)
            throw new CompressionException(Codes.DataTooLarge, $"the picture would be padded to {paddedWidth} x {paddedHeight}; at most {ImageDecoder.LargestPicture} pixels are valid. Correct the padding.", file);
        long[] shape = steps.ChannelsLast ? [1, paddedHeight, paddedWidth, picture.Channels] : [1, picture.Channels, paddedHeight, paddedWidth];
        var tensor = input.ElementType switch
        {
            ElementType.Float => Values(v => v),
            ElementType.Float16 => Values(v => (Half)v),
            ElementType.UInt8 when steps.RescaleFactor is null && steps.Mean is null => Values(v => (byte)v),
            _ => throw new CompressionException(Codes.InputMismatch, $"pictures become Float, Float16, or UInt8 (without do_rescale and do_normalize), but the model's input '{input.Name}' is {input}. Store the finished arrays as .npz instead.", file),
        };
        InputCheck.Check(input, tensor, "the picture after preprocessing", file);
        return tensor;

        PictureArea? Cropped(int width, int height) => steps.Crop is { } part ? new(Offset(width, part.Width), Offset(height, part.Height), part.Width, part.Height) : null;

        Tensor Values<T>(Func<float, T> convert) where T : unmanaged
        {
            var length = checked(paddedHeight * paddedWidth * picture.Channels * Unsafe.SizeOf<T>());
            var bytes = PixelBuffers.Take(passing ? buffers : null, PixelBuffers.Form.Input, length).AsMemory(0, length);
            var values = MemoryMarshal.Cast<byte, T>(bytes.Span);
            if (paddedWidth > picture.Width || paddedHeight > picture.Height) values.Fill(convert(steps.PadValue));
            var tables = steps.Levels as T[][] ?? [.. steps.Levels.Select(t => Array.ConvertAll(t, v => convert(v)))];
            Fill(picture, steps, tables, paddedWidth, paddedHeight, values);
            return new Tensor(input.ElementType, shape, bytes);
        }
    }

    /// <summary>The middle, as transformers' center_crop: what is smaller than the crop is padded with 0, an odd pixel going to the top and left.</summary>
    public static Picture CenterCrop(Picture picture, int height, int width)
    {
        var (top, left) = (Offset(picture.Height, height), Offset(picture.Width, width));
        var result = new byte[height * width * picture.Channels];
        for (var y = 0; y < height; y++)
        {
            var sy = y + top;
            if (sy < 0 || sy >= picture.Height) continue;
            int first = Math.Max(0, -left), last = Math.Min(width, picture.Width - left);
            picture.Pixels.AsSpan((sy * picture.Width + first + left) * picture.Channels, (last - first) * picture.Channels).CopyTo(result.AsSpan((y * width + first) * picture.Channels));
        }
        return new(width, height, picture.Channels, result);
    }

    // Source position of the result's first pixel; negative by the padding.
    private static int Offset(int from, int to) => from >= to ? (from - to) / 2 : -((to - from + 1) / 2);

    /// <summary>Writes what the tables say of each level to its place: plane after plane, or pixel after pixel.</summary>
    private static void Fill<T>(Picture picture, Preprocessing steps, T[][] tables, int paddedWidth, int paddedHeight, Span<T> result) where T : unmanaged
    {
        int channels = picture.Channels, width = picture.Width;
        if (channels == 3 && !steps.ChannelsLast)
        {
            var (first, last) = steps.Channels == ChannelOrder.Bgr ? (2, 0) : (0, 2);
            var plane = paddedHeight * paddedWidth;
            for (var y = 0; y < picture.Height; y++)
            {
                var at = y * paddedWidth;
                PixelLevels.ToPlanes(picture.Pixels.AsSpan(y * width * 3, width * 3), (tables[first], tables[1], tables[last]),
                    result.Slice(first * plane + at, width), result.Slice(plane + at, width), result.Slice(last * plane + at, width));
            }
            return;
        }
        for (var c = 0; c < channels; c++)
        {
            ReadOnlySpan<T> table = tables[c].AsSpan(0, 256);
            var source = steps.Channels == ChannelOrder.Bgr ? 2 - c : c;
            for (var y = 0; y < picture.Height; y++)
            {
                var from = picture.Pixels.AsSpan(y * width * channels, width * channels);
                // Pixel after pixel, or the one plane.
                var to = result.Slice(y * paddedWidth * channels, width * channels);
                for (var i = 0; i < to.Length; i += channels) to[i + c] = table[from[i + source]];
            }
        }
    }
}
