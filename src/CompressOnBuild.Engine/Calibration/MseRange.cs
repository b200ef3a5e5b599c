namespace CompressOnBuild.Calibration;

/// <summary>
/// The range with the smallest expected squared quantization error (the L_p error with p = 2).
/// <para>Sources: clipping by minimal L_p error as in LAPQ (Nahshan et al., "Loss aware post-training quantization", 2019, which finds
/// p between 2 and 4 about equal); the error as a sum of clipping and rounding as in OCTAV (Sakr et al., "Optimal clipping and
/// magnitude-aware differentiation for improved quantization-aware training", 2022).</para>
/// <para>Symbols: h_j count of bin j, its elements evenly spread from j to j + 1 (all lengths in widths of a bin, zero at 0); s scale,
/// z zero point, l = -z s and u = (255 - z) s the ends of the grid; Q(x) = s (clamp(round(x/s) + z, 0, 255) - z);
/// E(s, z) = sum_j h_j * integral over bin j of (x - Q(x))^2 dx.</para>
/// <para>Between the ends Q(x) = s round(x/s) for every z, because zero is on the grid; beyond them the error depends on the end alone.
/// So (1) prefix sums of h, h x and h x^2 give the error of clipping at any end; (2) for one s, prefix sums of the rounding error give
/// E(s, z) for all 256 zero points; (3) scales go down from that of [min, max] by the factor 2^(-1/8), 64 of them, then in finer steps
/// around the best.</para>
/// <para>Departures: asymmetric ranges; scales lie on the grid of <see cref="QuantizationParameters"/>. [min, max] is among the
/// candidates, so the result is never worse.</para>
/// </summary>
internal static class MseRange
{
    private const int Scales = 64;
    private const double Ratio = 1.0 / 8;
    private const int Finer = 4;

    public static ActivationRange Of(Histogram histogram, float min, float max)
    {
        var clipping = new Clipping(histogram);
        var widest = new ActivationRange(min, max).ToUInt8();
        var (best, least) = (widest, new Rounding(clipping, widest.Scale).Error(widest.ZeroPoint));
        var coarse = 0;
        for (var k = 0; k < Scales; k++)
            if (Try(k * Ratio)) coarse = k;
        for (var k = 1 - Finer; k < Finer; k++)
            if (k != 0 && coarse * Finer + k > 0) Try((coarse + (double)k / Finer) * Ratio);
        return new ActivationRange((float)best.Min, (float)best.Max); // exact: 12 bits of scale times 8 bits of zero point

        bool Try(double octaves)
        {
            var scale = octaves == 0 ? widest.Scale : QuantizationParameters.RoundScale(widest.Scale * Math.Pow(2, -octaves));
            var rounding = new Rounding(clipping, scale);
            var better = false;
            for (var z = 0; z <= 255; z++)
            {
                var error = rounding.Error(z);
                if (!(error < least)) continue;
                (best, least) = (new QuantizationParameters(scale, (byte)z), error);
                better = true;
            }
            return better;
        }
    }

    /// <summary>E(s, z) in units of the values, summed over the elements.</summary>
    internal static double Error(Histogram histogram, QuantizationParameters parameters) =>
        new Rounding(new Clipping(histogram), parameters.Scale).Error(parameters.ZeroPoint) * histogram.Width * histogram.Width;

    /// <summary>Step 1: what does not depend on the scale. Entry i of a prefix sum covers the bins before <c>First + i</c>.</summary>
    private sealed class Clipping
    {
        private readonly double[] count, sum, squares;

        public Clipping(Histogram histogram)
        {
            Width = histogram.Width;
            var all = histogram.Counts;
            var first = Math.Max(0, all.IndexOfAnyExcept(0L));
            var last = all.LastIndexOfAnyExcept(0L);
            First = first - Histogram.BinsPerSide;
            Counts = all[first..(last + 1)].ToArray();
            count = new double[Counts.Length + 1];
            sum = new double[Counts.Length + 1];
            squares = new double[Counts.Length + 1];
            for (var i = 0; i < Counts.Length; i++)
            {
                var middle = First + i + 0.5;
                count[i + 1] = count[i] + Counts[i];
                sum[i + 1] = sum[i] + Counts[i] * middle;
                squares[i + 1] = squares[i] + Counts[i] * (middle * middle + 1.0 / 12);
            }
        }

        public double Width { get; }
        /// <summary>Lower edge of the first bin that is not empty.</summary>
        public int First { get; }
        public long[] Counts { get; }

        /// <summary>Sum of (x - end)^2 over the bins from (included) to (excluded), as indices of <see cref="Counts"/>.</summary>
        public double Of(int from, int to, double end) =>
            squares[to] - squares[from] - 2 * end * (sum[to] - sum[from]) + end * end * (count[to] - count[from]);
    }

    /// <summary>Step 2: one scale.</summary>
    private sealed class Rounding
    {
        private readonly Clipping clipping;
        private readonly double s;
        private readonly double[] prefix;

        public Rounding(Clipping clipping, float scale)
        {
            this.clipping = clipping;
            s = scale / clipping.Width;
            var counts = clipping.Counts;
            prefix = new double[counts.Length + 1];
            var left = Integral(clipping.First);
            for (var i = 0; i < counts.Length; i++)
            {
                var right = Integral(clipping.First + i + 1);
                prefix[i + 1] = prefix[i] + counts[i] * (right - left);
                left = right;
            }
        }

        public double Error(int z)
        {
            double l = -z * s, u = (255 - z) * s, error = 0;
            var (counts, first) = (clipping.Counts, clipping.First);
            int from = 0, to = counts.Length; // bins wholly inside
            if (l > first)
            {
                var cut = (int)Math.Min(Math.Floor(l) - first, counts.Length); // the bin with the end in it
                error += clipping.Of(0, cut, l);
                from = cut;
                if (cut < counts.Length)
                {
                    var outside = l - (first + cut);
                    error += counts[cut] * (outside * outside * outside / 3 + Integral(first + cut + 1) - Integral(l));
                    from = cut + 1;
                }
            }
            if (u < first + counts.Length)
            {
                var cut = (int)Math.Max(Math.Floor(u) - first, -1);
                error += clipping.Of(cut + 1, counts.Length, u);
                to = cut + 1;
                if (cut >= from)
                {
                    var outside = first + cut + 1 - u;
                    error += counts[cut] * (outside * outside * outside / 3 + Integral(u) - Integral(first + cut));
                    to = cut;
                }
                else if (cut == from - 1 && cut >= 0 && l > first)
                {
                    // Both ends in one bin: what the lower end counted as rounded up to the edge is clipped from u on.
                    var outside = first + cut + 1 - u;
                    error += counts[cut] * (outside * outside * outside / 3 + Integral(u) - Integral(first + cut + 1));
                }
            }
            return to > from ? error + prefix[to] - prefix[from] : error;
        }

        /// <summary>Integral of (x - s round(x/s))^2 from 0 to x: s^3/12 for each whole step.</summary>
        private double Integral(double x)
        {
            var steps = x / s;
            var k = Math.Round(steps);
            var r = steps - k;
            return s * s * s * (k / 12 + r * r * r / 3);
        }
    }
}
