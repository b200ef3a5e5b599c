using CompressOnBuild.Encodings;
using CompressOnBuild.Operators;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Engine.Tests.Encodings;

/// <summary>Weights of every kind and nesting, made of a site's own values by the simplest means there are: what is tested is how they are written.</summary>
internal static class NestedWeights
{
    /// <summary>The simplest weight of an encoding.</summary>
    public static Func<Site, CompressedWeight> Simplest(string encoding, int bits) =>
        encoding == EncodingTable.HalfCast.Id ? s => HalfWeight.Round(s.Tensor.ToFloats(), [.. s.Tensor.Shape])!
        : encoding == EncodingTable.CastMul.Id ? s => Integers(s, 8)
        : encoding == EncodingTable.PackedMul.Id ? s => Integers(s, bits)
        : encoding == EncodingTable.Palette.Id ? s => ScaledPalette(s, 4)
        : s => Sparse(s, 0.5, v => Dense(v, [v.Length]));

    /// <summary>By name, the outermost kind first.</summary>
    public static IReadOnlyDictionary<string, Func<Site, CompressedWeight>> All { get; } = new Dictionary<string, Func<Site, CompressedWeight>>(
        Enumerable.Range(1, 8).Select(b => Pair($"palette of {b} bits", s => Palette(s, b)))
            .Concat(
            [
                Pair("palette of integers", s => Palette(s, 3, entries: v => RoundToNearest.Quantize(v, [1, v.Length], []))),
                Pair("palette of halves", s => Palette(s, 3, entries: v => HalfWeight.Round(v, [1, v.Length])!)),
                Pair("palette for each channel", GroupedPalettes),
                Pair("scaled palette", s => ScaledPalette(s, 4)),
                Pair("sparse floats", s => Sparse(s, 0.7, v => Dense(v, [v.Length]))),
                Pair("sparse halves", s => Sparse(s, 0.5, v => HalfWeight.Round(v, [v.Length])!)),
                Pair("sparse integers of 8 bits", s => Sparse(s, 0.6, v => RoundToNearest.Quantize(v, [v.Length], [], 8))),
                Pair("sparse integers of 5 bits", s => Sparse(s, 0.6, v => RoundToNearest.Quantize(v, [v.Length], [], 5))),
                Pair("sparse palette", s => Sparse(s, 0.4, v => Indexed(v, [v.Length], 3, e => Dense(e, [1, e.Length])))),
                Pair("sparse palette of integers", s => Sparse(s, 0.4, v => Indexed(v, [v.Length], 6, e => RoundToNearest.Quantize(e, [1, e.Length], [])))),
                Pair("sparse integers with scales of channels", s => Scale(s, Sparse(s, 0.5, v => RoundToNearest.Quantize(v, [v.Length], [], 4)))),
                Pair("sparse, all zero", s => Sparse(s, 1, v => Dense(v, [v.Length]))),
                Pair("sparse in sparse", s => Sparse(s, 0.5, v => Zeros(v, 0.5, [v.Length], u => Dense(u, [u.Length])))),
            ]), StringComparer.Ordinal);

    private static KeyValuePair<string, Func<Site, CompressedWeight>> Pair(string name, Func<Site, CompressedWeight> make) => new(name, make);

    private static Quantized Integers(Site site, int bits) => RoundToNearest.Quantize(site.Tensor.ToFloats(), [.. site.Tensor.Shape], [.. site.ChannelAxes], bits);

    private static DenseWeight Dense(float[] values, long[] shape) => new() { Values = values, Shape = shape };

    private static CompressedWeight Palette(Site site, int bits, Func<float[], CompressedWeight>? entries = null) =>
        Indexed(site.Tensor.ToFloats(), [.. site.Tensor.Shape], bits, entries ?? (e => Dense(e, [1, e.Length])));

    private static CompressedWeight ScaledPalette(Site site, int bits) => Scale(site, Palette(site, bits));

    private static Scaled Scale(Site site, CompressedWeight inner) => new()
    {
        Inner = inner,
        Shape = inner.Shape,
        ChannelAxes = [.. site.ChannelAxes],
        Scales = [.. Enumerable.Range(0, Channels(site)).Select(c => 0.5f + 0.01f * c)],
    };

    private static int Channels(Site site) => ChannelView.Of(site.Tensor.Shape, site.ChannelAxes).Channels;

    // Evenly spread entries, the nearest for each value.
    private static Codebook Indexed(float[] values, long[] shape, int bits, Func<float[], CompressedWeight> entries)
    {
        float low = values.Length > 0 ? values.Min() : 0, high = values.Length > 0 ? values.Max() : 0;
        var last = (1 << bits) - 1;
        float[] palette = [.. Enumerable.Range(0, last + 1).Select(i => low + (high - low) * i / Math.Max(last, 1))];
        return new Codebook { Indices = [.. values.Select(v => (byte)Math.Round((v - low) / Math.Max(high - low, 1e-9f) * last))], Bits = bits, Entries = entries(palette), Shape = shape };
    }

    // The indices of one palette, read by each channel in a palette of its own.
    private static CompressedWeight GroupedPalettes(Site site)
    {
        var one = Indexed(site.Tensor.ToFloats(), [.. site.Tensor.Shape], 2, e => Dense(e, [1, e.Length]));
        var channels = Channels(site);
        float[] entries = [.. Enumerable.Range(0, channels * 4).Select(i => one.Entries.Decompress()[i % 4] + 0.001f * i)];
        return new Codebook { Indices = one.Indices, Bits = 2, Shape = one.Shape, ChannelAxes = [.. site.ChannelAxes], Entries = Dense(entries, [channels, 4]) };
    }

    private static CompressedWeight Sparse(Site site, double share, Func<float[], CompressedWeight> survivors) => Zeros(site.Tensor.ToFloats(), share, [.. site.Tensor.Shape], survivors);

    private static CompressedWeight Zeros(float[] values, double share, long[] shape, Func<float[], CompressedWeight> survivors)
    {
        var least = values.Select(Math.Abs).Order().ElementAtOrDefault((int)(share * values.Length));
        bool[] mask = [.. values.Select(v => share < 1 && Math.Abs(v) >= least)];
        return new Sparse { Mask = mask, Shape = shape, Values = survivors(CompressOnBuild.Weights.Sparse.Survivors<float>(values, mask)) };
    }
}
