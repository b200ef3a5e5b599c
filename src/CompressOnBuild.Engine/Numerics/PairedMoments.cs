namespace CompressOnBuild.Numerics;

/// <summary>
/// First and second moments of two tensors [outer, channels, inner] that belong together, channel by channel over all samples and positions,
/// and how the mean of their difference varies between samples. Accumulated in double, position by position: the same bits everywhere.
/// </summary>
internal sealed class PairedMoments(int channels)
{
    /// <summary>Sums over all positions.</summary>
    public double[] Y { get; } = new double[channels];
    public double[] Z { get; } = new double[channels];
    public double[] YY { get; } = new double[channels];
    public double[] ZZ { get; } = new double[channels];
    public double[] YZ { get; } = new double[channels];
    /// <summary>Sums over the samples of the squared mean of y - z in each.</summary>
    public double[] SquaredMeans { get; } = new double[channels];
    /// <summary>Sums over the samples of the mean of y - z in each.</summary>
    public double[] Means { get; } = new double[channels];

    public int Channels => channels;
    public int Samples { get; private set; }
    /// <summary>Positions of one channel in all samples.</summary>
    public long Positions { get; private set; }

    /// <summary>One sample: y and z of equal length, their channels <paramref name="inner"/> neighbours each.</summary>
    public static PairedMoments Of(ReadOnlySpan<float> y, ReadOnlySpan<float> z, int channels, int inner)
    {
        var result = new PairedMoments(channels) { Samples = 1, Positions = y.Length / channels };
        for (int start = 0, c = 0; start + inner <= y.Length; start += inner, c = c + 1 == channels ? 0 : c + 1)
        {
            double sumY = 0, sumZ = 0, sumYY = 0, sumZZ = 0, sumYZ = 0;
            for (var i = start; i < start + inner; i++)
            {
                double a = y[i], b = z[i];
                sumY += a;
                sumZ += b;
                sumYY += a * a;
                sumZZ += b * b;
                sumYZ += a * b;
            }
            result.Y[c] += sumY;
            result.Z[c] += sumZ;
            result.YY[c] += sumYY;
            result.ZZ[c] += sumZZ;
            result.YZ[c] += sumYZ;
        }
        for (var c = 0; c < channels && result.Positions > 0; c++)
        {
            result.Means[c] = (result.Y[c] - result.Z[c]) / result.Positions;
            result.SquaredMeans[c] = result.Means[c] * result.Means[c];
        }
        return result;
    }

    /// <summary>Adds more samples of the same channels.</summary>
    public void Add(PairedMoments more)
    {
        Samples += more.Samples;
        Positions += more.Positions;
        foreach (var (sum, part) in new[] { (Y, more.Y), (Z, more.Z), (YY, more.YY), (ZZ, more.ZZ), (YZ, more.YZ), (SquaredMeans, more.SquaredMeans), (Means, more.Means) })
            for (var c = 0; c < channels; c++) sum[c] += part[c];
    }
}
