namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>
/// Memory for the forms a picture takes on its way from its file to the model, used again for the next picture on the same thread: touching fresh pages
/// costs more than the arithmetic on them.
/// </summary>
internal sealed class PixelBuffers
{
    /// <summary>Larger pictures get memory of their own, so that a single one does not stay for the rest of the run.</summary>
    private const int LargestKept = 8 << 20;

    [ThreadStatic]
    private static PixelBuffers? ofThread;

    private readonly byte[]?[] kept = new byte[]?[Enum.GetValues<Form>().Length];

    public enum Form { Stored, Coloured, Decoded, Narrow, Resized, Input }

    /// <summary>Those of this thread; what they hold is valid until the thread's next picture.</summary>
    public static PixelBuffers OfThread => ofThread ??= new();

    /// <summary>At least <paramref name="length"/> bytes with any content; from <paramref name="buffers"/>, or fresh without them.</summary>
    public static byte[] Take(PixelBuffers? buffers, Form form, int length)
    {
        if (buffers is null || length > LargestKept) return GC.AllocateUninitializedArray<byte>(length);
        ref var place = ref buffers.kept[(int)form];
        if (place is null || place.Length < length) place = GC.AllocateUninitializedArray<byte>(length);
        return place;
    }
}
