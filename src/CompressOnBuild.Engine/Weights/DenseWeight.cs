namespace CompressOnBuild.Weights;

/// <summary>A weight as it was: 32-bit floats, inside a form that holds few of them.</summary>
internal sealed class DenseWeight : CompressedWeight
{
    public required float[] Values { get; init; }

    public override float[] Decompress() => [.. Values];

    public override long ByteCount => (long)Values.Length * sizeof(float);
}
