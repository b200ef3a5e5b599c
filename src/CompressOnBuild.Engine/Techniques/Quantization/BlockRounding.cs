using CompressOnBuild.Weights;

namespace CompressOnBuild.Techniques.Quantization;

/// <summary>
/// Rounding with a scale for every block of inputs of an output (Dettmers and Zettlemoyer 2023, "The case for 4-bit precision: k-bit Inference Scaling
/// Laws", section 2.2: blocks confine what an outlier does to the scale).
/// 1. Each block is a channel of <see cref="RoundToNearest"/>; the last one is filled up with zeros, whose code is 0.
/// 2. Where calibration shows the inputs, <see cref="ErrorFeedback"/> rounds again with these scales.
/// </summary>
internal static class BlockRounding
{
    /// <summary>Rounds a matrix.</summary>
    /// <param name="rows">[outputs, inputs], row-major; all finite.</param>
    /// <param name="shape">Of the weight as stored.</param>
    /// <param name="outputsFirst">Whether it is stored as <paramref name="rows"/> is.</param>
    /// <param name="bits">2 to 8.</param>
    /// <param name="blockSize">Inputs that share a scale.</param>
    /// <param name="seen">As in <see cref="ErrorFeedback"/>, of one group; null: step 1 alone.</param>
    /// <param name="parallel">Threads to use, and what stops them.</param>
    public static Blockwise Quantize(float[] rows, long[] shape, bool outputsFirst, int bits, int blockSize, IReadOnlyList<ErrorFeedback.Feedback?>? seen = null, ParallelOptions? parallel = null)
    {
        var (outputs, inputs) = outputsFirst ? ((int)shape[0], (int)shape[1]) : ((int)shape[1], (int)shape[0]);
        var blocks = (inputs + blockSize - 1) / blockSize;
        var whole = new float[outputs * blocks * blockSize];
        for (var n = 0; n < outputs; n++) rows.AsSpan(n * inputs, inputs).CopyTo(whole.AsSpan(n * blocks * blockSize));
        var plain = RoundToNearest.Quantize(whole, [outputs, blocks, blockSize], [0, 1], bits); // step 1
        var (codes, scales) = (plain.Codes, plain.Scales);
        if (seen is not null)
        {
            var values = new double[outputs * inputs];
            for (var n = 0; n < outputs; n++)
                for (var k = 0; k < inputs; k++) values[n * inputs + k] = codes[n * blocks * blockSize + k];
            ErrorFeedback.Round(rows, values, scales, RoundingGrid.Integers((1 << (bits - 1)) - 1), seen, parallel: parallel, blockSize: blockSize); // step 2
            for (var n = 0; n < outputs; n++)
                for (var k = 0; k < inputs; k++) codes[n * blocks * blockSize + k] = (sbyte)values[n * inputs + k];
        }
        return new Blockwise { Shape = shape, OutputsFirst = outputsFirst, Codes = codes, Scales = scales, Bits = bits, BlockSize = blockSize };
    }
}
