using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;
using Microsoft.ML.OnnxRuntime;

namespace CompressOnBuild.Engine.Tests.Encodings;

/// <summary>What ONNX Runtime makes of a model: its own optimized graph, read back.</summary>
internal static class OptimizedForm
{
    public static Model Of(Model model)
    {
        using var folder = new ScratchFolder();
        _ = Session.RuntimeVersion; // loads the library the product uses
        using var options = new SessionOptions
        {
            IntraOpNumThreads = 1,
            OptimizedModelFilePath = folder["optimized.onnx"],
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };
        using var session = new InferenceSession(OnnxWriter.ToBytes(model), options);
        return OnnxReader.Read(File.ReadAllBytes(folder["optimized.onnx"]));
    }

    /// <summary>Types of all nodes of all graphs in their order, those that only change the layout left out.</summary>
    public static string[] Operators(Model model) => [.. Of(model).AllNodes().Select(n => n.OpType).Where(t => t is not ("Transpose" or "ReorderInput" or "ReorderOutput" or "Constant"))];
}
