using CompressOnBuild.Kernels;

namespace CompressOnBuild.Calibration;

/// <summary>
/// Counts of values between -2^<see cref="Exponent"/> and 2^<see cref="Exponent"/> in bins of equal width, <see cref="BinsPerSide"/> on
/// each side of zero; exact zeros, which quantization always keeps, are counted apart. The range grows by powers of two, which merges
/// bins two by two exactly: the counts do not depend on how the data were cut into samples, and the memory not on their number.
/// </summary>
internal sealed class Histogram
{
    /// <summary>The width of a bin is at most 1/1024 of the largest magnitude, a quarter of a step of 8 bits.</summary>
    public const int BinsPerSide = 2048;
    private const int SideBits = 11;
    private const int LowestExponent = -100;

    private readonly long[] counts = new long[2 * BinsPerSide];

    /// <summary>Binary exponent of the range.</summary>
    public int Exponent { get; private set; } = LowestExponent;

    /// <summary>Elements that are zero; they are in no bin.</summary>
    public long Zeros { get; private set; }

    /// <summary>Elements counted, zeros included.</summary>
    public long Total { get; private set; }

    /// <summary>Counts from the most negative bin to the most positive; bin i covers [<see cref="Edge"/>(i), Edge(i + 1)).</summary>
    public ReadOnlySpan<long> Counts => counts;

    /// <summary>Width of a bin.</summary>
    public double Width => Math.ScaleB(1, Exponent - SideBits);

    /// <summary>Lower edge of bin <paramref name="bin"/>.</summary>
    public double Edge(int bin) => (bin - BinsPerSide) * Width;

    /// <summary>Adds the elements, all within [min, max] but for NaN and infinities, which are left out.</summary>
    internal void Add(ReadOnlySpan<float> values, float min, float max, long nonFinite)
    {
        Cover(Math.Max(-min, max));
        Zeros += HistogramCount.Add(values, MathF.ScaleB(1, SideBits - Exponent), counts, nonFinite == 0);
        Total += values.Length - nonFinite;
    }

    /// <summary>Widens the range until it holds ±<paramref name="magnitude"/>, strictly.</summary>
    private void Cover(float magnitude)
    {
        if (!(magnitude > 0)) return;
        var needed = Math.ILogB(magnitude) + 1;
        if (needed <= Exponent) return;
        if (Total == Zeros) { Exponent = needed; return; }
        for (; Exponent < needed; Exponent++)
        {
            // From the middle outwards on both sides, in place: what is read has not been written yet.
            for (var i = 0; i < BinsPerSide / 2; i++)
            {
                counts[BinsPerSide + i] = counts[BinsPerSide + 2 * i] + counts[BinsPerSide + 2 * i + 1];
                counts[BinsPerSide - 1 - i] = counts[BinsPerSide - 1 - 2 * i] + counts[BinsPerSide - 2 - 2 * i];
            }
            counts.AsSpan(0, BinsPerSide / 2).Clear();
            counts.AsSpan(BinsPerSide + BinsPerSide / 2).Clear();
        }
    }
}
