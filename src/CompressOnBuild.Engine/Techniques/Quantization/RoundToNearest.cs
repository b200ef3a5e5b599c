using System.Numerics.Tensors;
using CompressOnBuild.Weights;

namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Symmetric per-channel rounding with a scale chosen by squared error.
/// Symbols: w weights of one channel, n = 2^(bits-1) - 1 largest code, s scale, Q(w) = s * clamp(round(w / s), -n, n).
/// 1. s0 = max|w| / n, the range of the channel (Jacob et al. 2018, "Quantization and Training of Neural Networks for
///    Efficient Integer-Arithmetic-Only Inference", section 2, symmetric case).
/// 2. Among s = s0 * f for a fixed grid of f in [0.7, 1], keep the one with the smallest sum (w - Q(w))^2 (clipping by squared
///    error; Banner et al. 2019, "Post training 4-bit quantization", section 3). At 8 bits f = 1 wins nearly always.
/// 3. Weights that lie on a grid of up to n steps already (they were quantized once, or trained that way) are found exactly: their
///    step is max|w| / m for some m in n/2..n, up to the last bit of the division, so the neighbouring floats are tried too.
/// 4. Where the product must be exact on processors that saturate, s is at least that of <see cref="SaturationSafety"/>.
/// Departure: rounding is half to even, as the processor rounds and as ONNX's QuantizeLinear demands.
/// </summary>
internal static class RoundToNearest
{
    private const int Steps = 30;

    /// <summary>Quantizes <paramref name="weights"/> of shape <paramref name="shape"/>, a scale for each index of <paramref name="channelAxes"/>.</summary>
    /// <param name="weights">Row-major values; all finite.</param>
    /// <param name="shape">Shape of the weights.</param>
    /// <param name="channelAxes">Neighbouring axes with scales of their own.</param>
    /// <param name="bits">2 to 8.</param>
    /// <param name="searchScale">Steps 2 and 3; false keeps s0.</param>
    /// <param name="saturationSafe">Step 4.</param>
    public static Quantized Quantize(ReadOnlySpan<float> weights, long[] shape, int[] channelAxes, int bits = 8, bool searchScale = true, bool saturationSafe = false)
    {
        // Only a convolution has a kernel behind its input channels; everything else is a matrix to the integer product.
        var kernel = channelAxes is [0] && shape.Length > 2 ? (int)(weights.Length / (shape[0] * shape[1])) : 1;
        var view = ChannelView.Of(shape, channelAxes);
        var limit = (1 << (bits - 1)) - 1;
        var codes = new sbyte[weights.Length];
        var scales = new float[view.Channels];
        var channel = new float[view.Outer * view.Inner];
        var quotient = new float[channel.Length];
        for (var c = 0; c < view.Channels; c++)
        {
            Collect(weights, view, c, channel);
            var least = saturationSafe ? SaturationSafety.LeastScale(channel, kernel) : 0; // step 4
            var scale = Scale(channel, quotient, limit, searchScale, least);
            scales[c] = scale;
            Divide(channel, scale, limit, quotient);
            for (var o = 0; o < view.Outer; o++)
            {
                var at = view.Offset(o, c);
                for (var i = 0; i < view.Inner; i++) codes[at + i] = (sbyte)quotient[o * view.Inner + i];
            }
        }
        return new Quantized { Codes = codes, Shape = shape, ChannelAxes = channelAxes, Scales = scales, Bits = bits };
    }

    private static void Collect(ReadOnlySpan<float> weights, ChannelView view, int c, Span<float> channel)
    {
        if (view.Inner == 1)
            for (var o = 0; o < view.Outer; o++) channel[o] = weights[view.Offset(o, c)];
        else
            for (var o = 0; o < view.Outer; o++) weights.Slice(view.Offset(o, c), view.Inner).CopyTo(channel[(o * view.Inner)..]);
    }

    private static float Scale(float[] channel, float[] quotient, int limit, bool search, float lowest)
    {
        var max = TensorPrimitives.MaxMagnitude(channel);
        var s0 = Math.Abs(max) / limit; // step 1
        // An empty channel needs some positive scale; a scale below the normal range would lose its own digits.
        if (!(s0 > 1e-30f)) return 1f;
        // Above 3.4e38 nothing is: the largest code must stay below.
        while (!float.IsFinite(s0 * limit)) s0 = MathF.BitDecrement(s0);
        s0 = Math.Max(s0, lowest);
        if (!search || channel.Length < 2) return s0;
        var best = s0;
        var least = Error(channel, s0, limit, quotient);
        if (FindGrid(channel, Math.Abs(max), quotient, limit, lowest, ref best, ref least)) return best; // step 3
        for (var step = 1; step <= Steps && least > 0; step++) // step 2
        {
            var s = s0 * (1f - 0.01f * step);
            if (s < lowest) break;
            var error = Error(channel, s, limit, quotient);
            if (error < least) (best, least) = (s, error);
        }
        return best;
    }

    // Step 3. Off-grid weights are told after a few elements, so the loop costs little.
    private static bool FindGrid(float[] channel, float max, float[] quotient, int limit, float lowest, ref float best, ref double least)
    {
        var found = false;
        for (var m = limit; m > limit / 2 && least > 0; m--)
        {
            var step = max / m;
            if (!float.IsFinite(step * m) || step < lowest || !IsOnGrid(channel, step)) continue;
            found = true;
            foreach (var s in (ReadOnlySpan<float>)[step, MathF.BitDecrement(step), MathF.BitIncrement(step)])
            {
                var error = Error(channel, s, limit, quotient);
                if (error < least) (best, least) = (s, error);
            }
        }
        return found;
    }

    private static bool IsOnGrid(float[] channel, float step)
    {
        foreach (var w in channel)
        {
            var q = w / step;
            if (MathF.Abs(q - MathF.Round(q)) > 1e-4f) return false;
        }
        return true;
    }

    private static double Error(float[] channel, float scale, int limit, float[] quotient)
    {
        Divide(channel, scale, limit, quotient);
        // Plain order of accumulation in double: the same choice on every machine.
        double sum = 0;
        for (var i = 0; i < channel.Length; i++)
        {
            double d = channel[i] - quotient[i] * scale;
            sum += d * d;
        }
        return sum;
    }

    private static void Divide(ReadOnlySpan<float> channel, float scale, int limit, Span<float> quotient)
    {
        TensorPrimitives.Divide(channel, scale, quotient);
        TensorPrimitives.Round(quotient, quotient);
        TensorPrimitives.Clamp(quotient, (float)-limit, limit, quotient);
    }
}
