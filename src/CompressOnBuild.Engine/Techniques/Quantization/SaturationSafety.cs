namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Scales with which an integer product is exact on every processor.
/// Processors without VNNI multiply unsigned 8-bit activations a by signed 8-bit weights q and add two neighbouring products in 16 bits
/// that saturate (VPMADDUBSW, Intel SDM): a_k q_k + a_(k+1) q_(k+1) with a up to 255 stays within 32767 when the positive codes of each pair
/// of neighbours add to at most 128, and so the negative ones.
/// Symbols: w weights of one output channel in the order of the product, s scale.
/// 1. P = the largest sum of the parts of equal sign over all neighbours (k, k+1), of either parity: which of them share a register depends on the kernel.
/// 2. s &gt;= P / 127: rounding adds at most 1 to a sum, so that it ends at 128.
/// 3. A convolution is multiplied channels last or kernel last, depending on the layout: the neighbours of both orders count.
/// Halving all codes (7-bit weights, the usual remedy) is the worst case of this bound; most channels keep nearly all of their 8 bits.
/// A depthwise convolution (one input and one output channel a group) has a kernel of its own, which does not saturate: it needs no bound,
/// and its caller asks for none. One input channel alone, as of a grey picture, is an ordinary product.
/// </summary>
internal static class SaturationSafety
{
    private const float LargestPair = 127;
    /// <summary>What the codes of equal sign of two neighbours may add to: 255 * 128 stays below 2^15.</summary>
    private const int LargestSum = 128;

    /// <summary>For each of a channel's <paramref name="count"/> weights, those before it that it may be added to (step 3).</summary>
    /// <param name="count">Weights of one output channel, [inputs, kernel] row-major.</param>
    /// <param name="kernel">Elements of the kernel of a convolution; 1 for a matrix.</param>
    public static int[][] EarlierNeighbours(int count, int kernel)
    {
        var inputs = count / kernel;
        var neighbours = new SortedSet<int>[count];
        for (var i = 0; i < count; i++) neighbours[i] = [];
        void Add(int a, int b) => neighbours[Math.Max(a, b)].Add(Math.Min(a, b));
        for (var i = 0; i + 1 < count; i++) Add(i, i + 1);
        if (kernel > 1)
            for (var k = 0; k < kernel; k++)
            {
                for (var c = 0; c + 1 < inputs; c++) Add(c * kernel + k, (c + 1) * kernel + k);
                if (k + 1 < kernel) Add((inputs - 1) * kernel + k, k + 1);
            }
        return [.. neighbours.Select(n => n.ToArray())];
    }

    /// <summary>The same with those behind it, for codes that are all known.</summary>
    public static int[][] Neighbours(int count, int kernel)
    {
        var earlier = EarlierNeighbours(count, kernel);
        List<int>[] all = [.. earlier.Select(n => n.ToList())];
        for (var i = 0; i < count; i++)
            foreach (var j in earlier[i]) all[j].Add(i);
        return [.. all.Select(n => n.ToArray())];
    }

    /// <summary>The least and the largest code that <paramref name="neighbours"/>, whose codes are known, leave.</summary>
    public static (int Least, int Most) Room(ReadOnlySpan<double> codes, int[] neighbours, int limit)
    {
        var (least, most) = (-limit, limit);
        foreach (var n in neighbours)
        {
            if (codes[n] > 0) most = Math.Min(most, LargestSum - (int)codes[n]);
            else least = Math.Max(least, -LargestSum - (int)codes[n]);
        }
        return (least, most);
    }

    /// <summary>The smallest safe scale of one channel.</summary>
    /// <param name="channel">Weights of one output channel, [inputs, kernel] row-major.</param>
    /// <param name="kernel">Elements of the kernel of a convolution; 1 for a matrix.</param>
    public static float LeastScale(ReadOnlySpan<float> channel, int kernel)
    {
        var inputs = channel.Length / kernel;
        float pair = 0;
        for (var i = 0; i + 1 < channel.Length; i++) Add(channel[i], channel[i + 1]);
        if (kernel > 1)
            for (var k = 0; k < kernel; k++)
            {
                for (var c = 0; c + 1 < inputs; c++) Add(channel[c * kernel + k], channel[(c + 1) * kernel + k]);
                if (k + 1 < kernel) Add(channel[(inputs - 1) * kernel + k], channel[k + 1]);
            }
        return pair / LargestPair;

        void Add(float a, float b)
        {
            pair = Math.Max(pair, Math.Max(a, 0) + Math.Max(b, 0));
            pair = Math.Max(pair, Math.Max(-a, 0) + Math.Max(-b, 0));
        }
    }
}
