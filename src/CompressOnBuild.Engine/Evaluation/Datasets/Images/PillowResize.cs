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
        if (picture.Width != width) picture = Horizontal(picture, width, resample);
        if (picture.Height != height) picture = Vertical(picture, height, resample);
        return picture;
    }

    private static Picture Horizontal(Picture picture, int width, Resample resample)
    {
        var taps = Taps(picture.Width, width, resample);
        int channels = picture.Channels, rowBytes = picture.Width * channels;
        var result = new byte[width * picture.Height * channels];
        for (var y = 0; y < picture.Height; y++)
        {
            var row = picture.Pixels.AsSpan(y * rowBytes, rowBytes);
            var to = y * width * channels;
            foreach (var (first, weights) in taps)
                for (var c = 0; c < channels; c++)
                {
                    var sum = 1 << (Precision - 1);
                    for (var k = 0; k < weights.Length; k++) sum += row[(first + k) * channels + c] * weights[k];
                    result[to++] = Clip(sum);
                }
        }
        return new(width, picture.Height, channels, result);
    }

    private static Picture Vertical(Picture picture, int height, Resample resample)
    {
        var rowBytes = picture.Width * picture.Channels;
        var result = new byte[rowBytes * height];
        var sums = new int[rowBytes];
        var to = 0;
        foreach (var (first, weights) in Taps(picture.Height, height, resample))
        {
            Array.Fill(sums, 1 << (Precision - 1));
            for (var k = 0; k < weights.Length; k++)
            {
                var row = picture.Pixels.AsSpan((first + k) * rowBytes, rowBytes);
                var weight = weights[k];
                for (var x = 0; x < rowBytes; x++) sums[x] += row[x] * weight;
            }
            foreach (var sum in sums) result[to++] = Clip(sum);
        }
        return new(picture.Width, height, picture.Channels, result);
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
