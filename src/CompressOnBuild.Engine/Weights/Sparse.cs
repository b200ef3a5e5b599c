namespace CompressOnBuild.Weights;

/// <summary>A weight of which most elements are zero: one bit an element says which are not, and those are stored one after the other.</summary>
internal sealed class Sparse : CompressedWeight
{
    /// <summary>One flag an element, row-major.</summary>
    public required bool[] Mask { get; init; }
    /// <summary>[n], the n elements whose flag is set, in their order.</summary>
    public required CompressedWeight Values { get; init; }

    /// <summary>The elements of <paramref name="from"/> whose flag is set, in order.</summary>
    public static T[] Survivors<T>(ReadOnlySpan<T> from, ReadOnlySpan<bool> mask)
    {
        var result = new T[mask.Count(true)];
        var n = 0;
        for (var i = 0; i < mask.Length; i++) if (mask[i]) result[n++] = from[i];
        return result;
    }

    public override float[] Decompress()
    {
        var values = Values.Decompress();
        var result = new float[Mask.Length];
        var n = 0;
        for (var i = 0; i < result.Length; i++) if (Mask[i]) result[i] = values[n++];
        return result;
    }

    public override long ByteCount => Packed(Mask.Length, 1) + Values.ByteCount;
}
