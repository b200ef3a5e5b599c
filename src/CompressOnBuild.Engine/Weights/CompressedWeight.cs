namespace CompressOnBuild.Weights;

/// <summary>
/// A weight in a smaller form. Forms nest: what a form holds (the values that survived, the entries of a palette) is a weight itself, so
/// that every combination exists without being written.
/// </summary>
internal abstract class CompressedWeight
{
    /// <summary>Shape of the weight that <see cref="Decompress"/> restores, row-major.</summary>
    public required long[] Shape { get; init; }

    /// <summary>Elements of the restored weight.</summary>
    public int Count => Product(Shape);

    /// <summary>The weight as the runtime computes it, in 32-bit floats.</summary>
    public abstract float[] Decompress();

    /// <summary>Bytes of the stored data, packed, without names and nodes.</summary>
    public abstract long ByteCount { get; }

    private protected static int Product(ReadOnlySpan<long> shape)
    {
        long product = 1;
        foreach (var d in shape) product *= d;
        return checked((int)product);
    }

    /// <summary>Whole bytes of <paramref name="count"/> codes of <paramref name="bits"/> bits.</summary>
    private protected static long Packed(long count, int bits) => (count * bits + 7) / 8;
}
