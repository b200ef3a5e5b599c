using CompressOnBuild.Kernels;

namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>Resampling filters with Pillow's numbers.</summary>
internal enum Resample { Nearest = 0, Lanczos = 1, Bilinear = 2, Bicubic = 3, Box = 4, Hamming = 5 }

/// <summary>An 8-bit picture, rows of interleaved channels. <paramref name="Pixels"/> may be longer than the picture.</summary>
internal sealed record Picture(int Width, int Height, int Channels, byte[] Pixels);

/// <summary>Some of a picture's pixels.</summary>
internal readonly record struct PictureArea(int Left, int Top, int Width, int Height);

/// <summary>
/// Resizes as Pillow's <c>Image.resize</c> does, to the bit (libImaging's Resample.c and Geometry.c give the definition): models were
/// measured by pipelines that use it, and other libraries' filters of the same name give other pictures.
/// Separable; each pass is skipped where its length stays. When shrinking, the filter is stretched by the factor (antialiasing).
/// Coefficients are rounded to 22 fractional bits, sums start at one half and are clipped to 8 bits after each pass, columns first.
/// </summary>
internal static class PillowResize
{
    private const int Precision = 32 - 8 - 2;

    /// <summary>The picture at <paramref name="width"/> x <paramref name="height"/> pixels.</summary>
    public static Picture Resize(Picture picture, int width, int height, Resample resample)
    {
        if (picture.Width == width && picture.Height == height) return picture;
        if (resample == Resample.Nearest) return Nearest(picture, width, height);
        if (picture.Width != width) picture = Horizontal(picture, Taps.Of(picture.Width, width, resample, 0, width), 0, picture.Height);
        if (picture.Height != height) picture = Vertical(picture, Taps.Of(picture.Height, height, resample, 0, height), 0);
        return picture;
    }

    /// <summary>
    /// What <see cref="Resize"/> gives in <paramref name="part"/>, computed alone; null where that is no shorter way (a pass is skipped, or there is no filter).
    /// </summary>
    /// <param name="picture">Its pixels count where <see cref="Needs"/> says.</param>
    /// <param name="width">Of the whole result.</param>
    /// <param name="height">Of the whole result.</param>
    /// <param name="resample">The filter.</param>
    /// <param name="part">Of the result.</param>
    /// <param name="buffers">Where the pixels are put; null: they are the caller's own.</param>
    public static Picture? ResizePart(Picture picture, int width, int height, Resample resample, PictureArea part, PixelBuffers? buffers = null)
    {
        if (Needs(picture.Width, picture.Height, width, height, resample, part) is not { } area) return null;
        var narrow = Horizontal(picture, Taps.Of(picture.Width, width, resample, part.Left, part.Width), area.Top, area.Height, buffers);
        return Vertical(narrow, Taps.Of(picture.Height, height, resample, part.Top, part.Height), area.Top, buffers);
    }

    /// <summary>Where <see cref="ResizePart"/> looks at a picture of <paramref name="fromWidth"/> x <paramref name="fromHeight"/> pixels; null where it gives nothing.</summary>
    public static PictureArea? Needs(int fromWidth, int fromHeight, int width, int height, Resample resample, PictureArea part)
    {
        if (resample == Resample.Nearest || fromWidth == width || fromHeight == height || part.Left < 0 || part.Top < 0 || part.Left + part.Width > width || part.Top + part.Height > height) return null;
        var (left, columns) = Reach(fromWidth, width, part.Left, part.Width);
        var (top, rows) = Reach(fromHeight, height, part.Top, part.Height);
        return new(left, top, columns, rows);

        (int First, int Count) Reach(int from, int to, int start, int count)
        {
            Taps first = Taps.Of(from, to, resample, start, 1), last = Taps.Of(from, to, resample, start + count - 1, 1);
            return (first.Firsts[0], last.Firsts[0] + last.Counts[0] - first.Firsts[0]);
        }
    }

    /// <summary>Rows <paramref name="firstRow"/> to firstRow + <paramref name="rows"/> - 1, at the columns of <paramref name="taps"/>.</summary>
    private static Picture Horizontal(Picture picture, Taps taps, int firstRow, int rows, PixelBuffers? buffers = null)
    {
        int channels = picture.Channels, rowBytes = picture.Width * channels, width = taps.Firsts.Length;
        var result = PixelBuffers.Take(buffers, PixelBuffers.Form.Narrow, width * rows * channels);
        var from = picture.Pixels.AsSpan(firstRow * rowBytes, rows * rowBytes);
        if (channels == 3)
        {
            WeightedPixels.Mix(from, rowBytes, taps.Firsts, taps.Counts, taps.Weights, taps.Stride, Precision, result);
            return new(width, rows, channels, result);
        }
        for (var y = 0; y < rows; y++)
        {
            var row = from.Slice(y * rowBytes, rowBytes);
            var to = result.AsSpan(y * width * channels, width * channels);
            for (var x = 0; x < width; x++)
            {
                var weights = taps.Of(x);
                for (var c = 0; c < channels; c++)
                {
                    var sum = 1 << (Precision - 1);
                    for (var k = 0; k < weights.Length; k++) sum += row[(taps.Firsts[x] + k) * channels + c] * weights[k];
                    to[x * channels + c] = (byte)Math.Clamp(sum >> Precision, 0, 255);
                }
            }
        }
        return new(width, rows, channels, result);
    }

    /// <summary>The rows of <paramref name="taps"/>; the picture's first row is number <paramref name="firstRow"/> of theirs.</summary>
    private static Picture Vertical(Picture picture, Taps taps, int firstRow, PixelBuffers? buffers = null)
    {
        int rowBytes = picture.Width * picture.Channels, height = taps.Firsts.Length;
        var result = PixelBuffers.Take(buffers, PixelBuffers.Form.Resized, rowBytes * height);
        for (var y = 0; y < height; y++)
            WeightedRows.Mix(picture.Pixels.AsSpan((taps.Firsts[y] - firstRow) * rowBytes, taps.Counts[y] * rowBytes), taps.Of(y), Precision, result.AsSpan(y * rowBytes, rowBytes));
        return new(picture.Width, height, picture.Channels, result);
    }

    /// <summary>For each output position its first input position, how many there are, and their fixed-point weights from position * <paramref name="Stride"/> on.</summary>
    private sealed record Taps(int[] Firsts, int[] Counts, int[] Weights, int Stride)
    {
        public ReadOnlySpan<int> Of(int position) => Weights.AsSpan(position * Stride, Counts[position]);

        /// <summary>Those of <paramref name="count"/> positions from <paramref name="start"/> on, when <paramref name="from"/> pixels become <paramref name="to"/>.</summary>
        public static Taps Of(int from, int to, Resample resample, int start, int count)
        {
            var scale = (double)from / to;
            var filterScale = Math.Max(scale, 1.0);
            var support = Support(resample) * filterScale;
            var step = 1.0 / filterScale;
            var stride = (int)Math.Ceiling(support) * 2 + 1;
            var taps = new Taps(new int[count], new int[count], new int[count * stride], stride);
            var weights = new double[stride];
            for (var i = 0; i < count; i++)
            {
                var center = (start + i + 0.5) * scale;
                var first = taps.Firsts[i] = Math.Max((int)(center - support + 0.5), 0);
                var length = taps.Counts[i] = Math.Min((int)(center + support + 0.5), from) - first;
                var total = 0.0;
                for (var k = 0; k < length; k++) total += weights[k] = Filter(resample, (k + first - center + 0.5) * step);
                for (var k = 0; k < length; k++)
                {
                    var weight = total != 0.0 ? weights[k] / total : weights[k];
                    taps.Weights[i * stride + k] = (int)((weight < 0 ? -0.5 : 0.5) + weight * (1 << Precision));
                }
            }
            return taps;
        }
    }

    private static double Support(Resample resample) => resample switch { Resample.Box => 0.5, Resample.Bilinear or Resample.Hamming => 1, Resample.Bicubic => 2, _ => 3 };

    private static double Filter(Resample resample, double x)
    {
        if (resample == Resample.Box) return x is > -0.5 and <= 0.5 ? 1 : 0;
        x = Math.Abs(x);
        switch (resample)
        {
            case Resample.Bilinear: return x < 1 ? 1 - x : 0;
            case Resample.Bicubic: // Keys' cubic convolution with a = -1/2
                const double a = -0.5;
                if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
                return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
            case Resample.Hamming: // with constants of single precision
                return x >= 1 ? 0 : Sinc(x) * (0.54f + 0.46f * Math.Cos(x * Math.PI));
            default: return x < 3 ? Sinc(x) * Sinc(x / 3) : 0;
        }
    }

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(x * Math.PI) / (x * Math.PI);

    // Pillow adds up the steps instead of multiplying, and that decides ties.
    private static Picture Nearest(Picture picture, int width, int height)
    {
        var columns = Places(picture.Width, width);
        var rows = Places(picture.Height, height);
        var channels = picture.Channels;
        var result = new byte[width * height * channels];
        var to = 0;
        foreach (var y in rows)
            foreach (var x in columns)
                for (var c = 0; c < channels; c++) result[to++] = picture.Pixels[(y * picture.Width + x) * channels + c];
        return new(width, height, channels, result);

        static int[] Places(int from, int to)
        {
            var step = (double)from / to;
            var at = step * 0.5;
            var places = new int[to];
            for (var i = 0; i < to; i++, at += step) places[i] = Math.Min((int)at, from - 1);
            return places;
        }
    }
}
