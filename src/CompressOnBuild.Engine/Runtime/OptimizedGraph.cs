using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace CompressOnBuild.Runtime;

/// <summary>The graph that ONNX Runtime makes of a model before it runs it: quantized nodes are fused to its integer operators, whoever wrote them.</summary>
internal static class OptimizedGraph
{
    /// <summary>
    /// The graph at the extended level: all fusions, no layouts of this processor. The runtime writes it into a folder that only this user
    /// can read and that is gone when this returns. Null when the runtime cannot write it (models over 2 GB).
    /// </summary>
    /// <exception cref="CompressionException">COB1020 when the runtime refuses the model.</exception>
    public static Model? Of(byte[] model, SessionSettings settings)
    {
        var folder = Directory.CreateTempSubdirectory("compressonbuild-");
        try
        {
            var path = Path.Combine(folder.FullName, "optimized.onnx");
            try { using var session = new Session(model, settings with { OptimizedModel = path }); }
            catch (CompressionException e) when (e.InnerException is OnnxRuntimeException && !File.Exists(path)) { return null; }
            return File.Exists(path) ? OnnxReader.Read(File.ReadAllBytes(path), settings.File) : null;
        }
        finally { folder.Delete(recursive: true); }
    }
}
