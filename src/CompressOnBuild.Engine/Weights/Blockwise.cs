namespace CompressOnBuild.Weights;

/// <summary>
/// A matrix of a product as symmetric integers whose scales belong to blocks of inputs: w = scale[output, block] * code. Each output's codes stand
/// together, the last block filled up with zeros.
/// </summary>
internal sealed class Blockwise : CompressedWeight
{
    /// <summary>[outputs, blocks, block size].</summary>
    public required sbyte[] Codes { get; init; }
    /// <summary>[outputs, blocks], positive.</summary>
    public required float[] Scales { get; init; }
    public required int Bits { get; init; }
    /// <summary>Inputs that share a scale.</summary>
    public required int BlockSize { get; init; }
    /// <summary>True for a shape of [outputs, inputs], false for [inputs, outputs].</summary>
    public required bool OutputsFirst { get; init; }

    public int Outputs => (int)Shape[OutputsFirst ? 0 : 1];
    public int Inputs => (int)Shape[OutputsFirst ? 1 : 0];
    public int Blocks => (Inputs + BlockSize - 1) / BlockSize;

    public override float[] Decompress()
    {
        var (outputs, inputs, blocks) = (Outputs, Inputs, Blocks);
        var result = new float[outputs * inputs];
        for (var n = 0; n < outputs; n++)
            for (var k = 0; k < inputs; k++)
                result[OutputsFirst ? n * inputs + k : k * outputs + n] = Codes[n * blocks * BlockSize + k] * Scales[n * blocks + k / BlockSize];
        return result;
    }

    public override long ByteCount => Packed(Codes.Length, Bits) + (long)Scales.Length * sizeof(float);
}
