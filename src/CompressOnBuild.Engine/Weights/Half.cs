using System.Numerics.Tensors;

namespace CompressOnBuild.Weights;

/// <summary>A weight rounded to 16-bit floating point (IEEE 754 binary16).</summary>
internal sealed class HalfWeight : CompressedWeight
{
    public required Half[] Values { get; init; }

    /// <summary>Whether a weight whose largest magnitude is <paramref name="largest"/> can be rounded; false for NaN and infinity too.</summary>
    public static bool Fits(float largest) => Half.IsFinite((Half)largest);

    /// <summary>Rounds to nearest even. Null when a value is too large for the format (65504).</summary>
    public static HalfWeight? Round(ReadOnlySpan<float> weights, long[] shape)
    {
        var values = new Half[weights.Length];
        TensorPrimitives.ConvertToHalf(weights, values);
        foreach (var v in values) if (!Half.IsFinite(v)) return null;
        return new HalfWeight { Values = values, Shape = shape };
    }

    public override float[] Decompress()
    {
        var result = new float[Values.Length];
        TensorPrimitives.ConvertToSingle(Values, result);
        return result;
    }

    public override long ByteCount => (long)Values.Length * 2;
}
