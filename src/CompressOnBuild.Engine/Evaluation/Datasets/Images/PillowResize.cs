using CompressOnBuild.Kernels;

namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>Resampling filters with Pillow's numbers.</summary>
internal enum Resample { Nearest = 0, Lanczos = 1, Bilinear = 2, Bicubic = 3, Box = 4, Hamming = 5 }

/// <summary>An 8-bit picture, rows of interleaved channels.</summary>
internal sealed record Picture(int Width, int Height, int Channels, byte[] Pixels);

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
        if (picture.Width != width) picture = Horizontal(picture, Taps(picture.Width, width, resample), 0, picture.Height);
        if (picture.Height != height) picture = Vertical(picture, Taps(picture.Height, height, resample), 0);
        return picture;
    }

    /// <summary>
    /// What <see cref="Resize"/> gives in a part of the picture, computed alone; null where that is no shorter way (a pass is skipped, or there is no filter).
    /// </summary>
    public static Picture? ResizePart(Picture picture, int width, int height, Resample resample, int left, int top, int partWidth, int partHeight)
    {
        if (resample == Resample.Nearest || picture.Width == width || picture.Height == height || left < 0 || top < 0 || left + partWidth > width || top + partHeight > height) return null;
        var rows = Taps(picture.Height, height, resample).AsSpan(top, partHeight);
        var first = rows[0].First;
        var narrow = Horizontal(picture, Taps(picture.Width, width, resample).AsSpan(left, partWidth), first, rows[^1].First + rows[^1].Weights.Length - first);
        return Vertical(narrow, rows, first);
    }

    /// <summary>Rows <paramref name="firstRow"/> to firstRow + <paramref name="rows"/> - 1, at the columns of <paramref name="taps"/>.</summary>
    private static Picture Horizontal(Picture picture, ReadOnlySpan<(int First, int[] Weights)> taps, int firstRow, int rows)
    {
        int channels = picture.Channels, rowBytes = picture.Width * channels;
        var result = new byte[taps.Length * rows * channels];
        for (var y = 0; y < rows; y++)
        {
            var row = picture.Pixels.AsSpan((firstRow + y) * rowBytes, rowBytes);
            var to = result.AsSpan(y * taps.Length * channels, taps.Length * channels);
            if (channels == 3)
            {
                Colours(row, taps, to);
                continue;
            }
            foreach (var (first, weights) in taps)
                for (var c = 0; c < channels; c++)
                {
                    var sum = 1 << (Precision - 1);
                    for (var k = 0; k < weights.Length; k++) sum += row[(first + k) * channels + c] * weights[k];
                    to[0] = Clip(sum);
                    to = to[1..];
                }
        }
        return new(taps.Length, rows, channels, result);
    }

    // The same for three channels side by side.
    private static void Colours(ReadOnlySpan<byte> row, ReadOnlySpan<(int First, int[] Weights)> taps, Span<byte> to)
    {
        const int Half = 1 << (Precision - 1);
        foreach (var (first, weights) in taps)
        {
            int red = Half, green = Half, blue = Half;
            var from = row.Slice(first * 3, weights.Length * 3);
            foreach (var weight in weights)
            {
                red += from[0] * weight;
                green += from[1] * weight;
                blue += from[2] * weight;
                from = from[3..];
            }
            (to[0], to[1], to[2]) = (Clip(red), Clip(green), Clip(blue));
            to = to[3..];
        }
    }

    /// <summary>The rows of <paramref name="taps"/>; the picture's first row is number <paramref name="firstRow"/> of theirs.</summary>
    private static Picture Vertical(Picture picture, ReadOnlySpan<(int First, int[] Weights)> taps, int firstRow)
    {
        var rowBytes = picture.Width * picture.Channels;
        var result = new byte[rowBytes * taps.Length];
        var sums = new int[rowBytes];
        var to = 0;
        foreach (var (first, weights) in taps)
        {
            Array.Fill(sums, 1 << (Precision - 1));
            for (var k = 0; k < weights.Length; k++) WeightedRows.Add(picture.Pixels.AsSpan((first - firstRow + k) * rowBytes, rowBytes), weights[k], sums);
            foreach (var sum in sums) result[to++] = Clip(sum);
        }
        return new(picture.Width, taps.Length, picture.Channels, result);
    }

    /// <summary>For each output position its first input position and the fixed-point weights from there on.</summary>
    private static (int First, int[] Weights)[] Taps(int from, int to, Resample resample)
    {
        var scale = (double)from / to;
        var filterScale = Math.Max(scale, 1.0);
        var support = Support(resample) * filterScale;
        var step = 1.0 / filterScale;
        var taps = new (int, int[])[to];
        for (var x = 0; x < to; x++)
        {
            var center = (x + 0.5) * scale;
            var first = Math.Max((int)(center - support + 0.5), 0);
            var last = Math.Min((int)(center + support + 0.5), from);
            var weights = new double[last - first];
            var total = 0.0;
            for (var k = 0; k < weights.Length; k++) total += weights[k] = Filter(resample, (k + first - center + 0.5) * step);
            var rounded = new int[weights.Length];
            for (var k = 0; k < weights.Length; k++)
            {
                var weight = total != 0.0 ? weights[k] / total : weights[k];
                rounded[k] = (int)((weight < 0 ? -0.5 : 0.5) + weight * (1 << Precision));
            }
            taps[x] = (first, rounded);
        }
        return taps;
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

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> Precision, 0, 255);

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
