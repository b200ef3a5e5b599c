using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace CompressOnBuild.Runtime;

/// <summary>The graph that ONNX Runtime makes of a model before it runs it: quantized nodes are fused to its integer operators, whoever wrote them.</summary>
internal static class OptimizedGraph
{
    /// <summary>
    /// The graph at the extended level: all fusions, no layouts of this processor. The runtime writes it into a folder that only this user
    /// can read and that is gone when this returns. Null when it cannot be written (a full disk, models over 2 GB).
    /// </summary>
    /// <param name="model">A model that the runtime loads.</param>
    /// <param name="settings">How.</param>
    public static Model? Of(byte[] model, SessionSettings settings)
    {
        try
        {
            var folder = Directory.CreateTempSubdirectory("compressonbuild-");
            try
            {
                var path = Path.Combine(folder.FullName, "optimized.onnx");
                using (new Session(model, settings with { OptimizedModel = path })) { }
                return File.Exists(path) ? OnnxReader.Read(File.ReadAllBytes(path), settings.File) : null;
            }
            finally { folder.Delete(recursive: true); }
        }
        // The model loads, so it is the writing that failed.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException || e is CompressionException { InnerException: OnnxRuntimeException }) { return null; }
    }
}
