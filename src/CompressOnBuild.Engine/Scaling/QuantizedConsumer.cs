using CompressOnBuild.Calibration;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Scaling;

/// <summary>
/// A layer that sums over scaled channels, and what its quantization costs when they are scaled. Symbols: W its weight [rows, K], H = sum of x x^T over n observed inputs,
/// s the factor of each input, Q rounding as the layer's decision asks, delta the step of its quantized input.
/// Error = tr(D H D^T) + n delta^2 / 12 |Q(W diag s)|^2 with D = Q(W diag s) diag(1/s) - W, over tr(W H W^T): rounding of the weight, and uniform noise of the scaled input
/// through it. Of a large weight some rows stand for all.
/// </summary>
internal sealed class QuantizedConsumer
{
    private const int MostRows = 48;

    private readonly WeightDecision decision;
    private readonly float[] rows;
    private readonly int[] channels;
    private readonly long[] shape;
    private readonly int count;
    private readonly IReadOnlyList<ErrorFeedback.Feedback?> grams;
    private readonly double seen, power;
    private readonly bool safe;

    private QuantizedConsumer(ScaleSlot slot, Site site, WeightDecision decision, IReadOnlyList<double[]> grams, long seen)
    {
        this.decision = decision;
        this.seen = seen;
        this.grams = [.. grams.Select(g => new ErrorFeedback.Feedback(g, []))];
        var view = ChannelView.Of(site.Tensor.Shape, site.ChannelAxes);
        var weights = site.Tensor.ToFloats();
        var indices = new int[weights.Length];
        for (var e = 0; e < indices.Length; e++) indices[e] = slot.Channels[slot.Index.Of(e)];
        (rows, channels, count) = (view.ToRows<float>(weights), view.ToRows<int>(indices), view.Channels);
        var k = weights.Length / count;
        if (grams.Count == 1 && count > MostRows)
        {
            int[] chosen = [.. Enumerable.Range(0, MostRows).Select(i => (int)((long)i * count / MostRows))];
            rows = [.. chosen.SelectMany(r => rows[(r * k)..((r + 1) * k)])];
            channels = [.. chosen.SelectMany(r => channels[(r * k)..((r + 1) * k)])];
            count = MostRows;
        }
        // Only a convolution has a kernel behind its input channels, which the bound of saturation looks at.
        shape = site.ChannelAxes is [0] ? [count, .. site.Tensor.Shape[1..]] : [count, k];
        safe = decision.SaturationSafe && !site.IsDepthwise;
        power = ErrorFeedback.Error(rows, new float[rows.Length], count, this.grams);
    }

    /// <summary>Whether its input is quantized, too.</summary>
    public bool QuantizesInput => decision.Form is WeightForm.Static or WeightForm.Dynamic;

    /// <summary>The consumer; null where calibration shows too little of what it multiplies.</summary>
    public static QuantizedConsumer? Of(ScaleSlot slot, Site site, WeightDecision decision, Statistics statistics)
    {
        if (!statistics.Grams.TryGetValue(site.Name, out var grams)) return null;
        var consumer = new QuantizedConsumer(slot, site, decision, grams, statistics.GramRows[site.Name]);
        return consumer.power > 0 ? consumer : null;
    }

    /// <summary>The share of its output's power that quantization costs.</summary>
    /// <param name="factors">Of the channels of the place.</param>
    /// <param name="step">delta, of the scaled input.</param>
    public double Error(double[] factors, double step)
    {
        var scaled = new float[rows.Length];
        for (var i = 0; i < scaled.Length; i++) scaled[i] = (float)(rows[i] * Factor(i));
        CompressedWeight quantized = decision.Block > 0
            ? BlockRounding.Quantize(scaled, [count, rows.Length / count], outputsFirst: true, decision.Bits, decision.Block)
            : RoundToNearest.Quantize(scaled, shape, [0], decision.Bits, saturationSafe: safe);
        var restored = quantized.Decompress();
        double squares = 0;
        for (var i = 0; i < restored.Length; i++)
        {
            squares += (double)restored[i] * restored[i];
            restored[i] = (float)(restored[i] / Factor(i));
        }
        return (ErrorFeedback.Error(rows, restored, count, grams) + (QuantizesInput ? seen * step * step / 12 * squares : 0)) / power;

        double Factor(int i) => channels[i] >= 0 ? factors[channels[i]] : 1;
    }
}
