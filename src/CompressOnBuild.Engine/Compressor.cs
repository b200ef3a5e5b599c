namespace CompressOnBuild;

/// <summary>One request from model to report.</summary>
public static class Compressor
{
    /// <summary>Compresses, measures and judges one model, and writes the output folder.</summary>
    public static CompressionResult Run(CompressionRequest request, ICompressionLog log, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(request);
        throw new InvalidOperationException("This build of the engine cannot compress.");
    }
}
