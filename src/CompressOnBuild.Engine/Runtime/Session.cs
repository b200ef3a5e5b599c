using System.Buffers;
using System.Runtime.InteropServices;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Tensor = CompressOnBuild.Onnx.Tensor;

namespace CompressOnBuild.Runtime;

/// <summary>An input or output of a session. Dynamic dimensions are -1.</summary>
public sealed record Port(string Name, ElementType ElementType, IReadOnlyList<long> Shape);

/// <summary>How a session runs. <paramref name="Role"/> names the model in messages ("original", "compressed").</summary>
public sealed record SessionSettings(string Role, string File = "", int Threads = 1, bool Optimize = true, Watchdog? Watchdog = null);

/// <summary>
/// ONNX Runtime, the way users run it: CPU provider, sequential. The runtime gets the verified bytes of a model, never a path that it would resolve again.
/// </summary>
public sealed class Session : IDisposable
{
    private readonly InferenceSession session;
    private readonly SessionSettings settings;
    private readonly string[] outputNames;

    static Session()
    {
        NativeLibrary.SetDllImportResolver(typeof(InferenceSession).Assembly, (name, assembly, path) =>
            // The name differs between platforms and versions ("onnxruntime", "onnxruntime.dll"): match by prefix.
            LibraryPath is not null && name.StartsWith("onnxruntime", StringComparison.Ordinal) ? NativeLibrary.Load(LibraryPath) : 0);
    }

    /// <summary>Another ONNX Runtime library than the bundled one; set before the first session.</summary>
    public static string? LibraryPath { get; set; }

    /// <summary>Version of the runtime that runs, e.g. 1.31.1.</summary>
    public static string RuntimeVersion => OrtEnv.Instance().GetVersionString();

    public Session(Model model, SessionSettings settings) : this(OnnxWriter.ToBytes(model), settings) { }

    /// <exception cref="CompressionException">COB1020 when the runtime refuses the model.</exception>
    public Session(byte[] model, SessionSettings settings)
    {
        this.settings = settings;
        using var options = new SessionOptions
        {
            IntraOpNumThreads = settings.Threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = settings.Optimize ? GraphOptimizationLevel.ORT_ENABLE_ALL : GraphOptimizationLevel.ORT_DISABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };
        try
        {
            using var _ = settings.Watchdog?.Watch($"loading the {settings.Role} model");
            session = new InferenceSession(model, options);
        }
        catch (OnnxRuntimeException e)
        {
            throw new CompressionException(Codes.RuntimeRefused, $"ONNX Runtime {RuntimeVersion} cannot load the {settings.Role} model: {e.Message}. Valid is a model that InferenceSession loads; check the file with the runtime of your app.", settings.File, inner: e);
        }
        Inputs = [.. session.InputMetadata.Select(p => ToPort(p.Key, p.Value))];
        Outputs = [.. session.OutputMetadata.Select(p => ToPort(p.Key, p.Value))];
        outputNames = [.. Outputs.Select(p => p.Name)];
    }

    public IReadOnlyList<Port> Inputs { get; }
    public IReadOnlyList<Port> Outputs { get; }

    /// <summary>Runs once. Inputs by name; the result holds every output in the model's order.</summary>
    /// <exception cref="CompressionException">COB1021 when the runtime fails on these inputs.</exception>
    public Tensor[] Run(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var handles = new List<IDisposable>();
        try
        {
            using var options = new RunOptions();
            using var stop = cancel.Register(() => options.Terminate = true);
            var names = new List<string>();
            var values = new List<OrtValue>();
            foreach (var port in Inputs)
            {
                if (!inputs.TryGetValue(port.Name, out var tensor)) continue; // an input with a default
                names.Add(port.Name);
                var value = ToOrt(tensor, handles);
                handles.Add(value);
                values.Add(value);
            }
            using var watch = settings.Watchdog?.Watch($"running the {settings.Role} model");
            using var results = session.Run(options, names, values, outputNames);
            return [.. results.Select(FromOrt)];
        }
        catch (OnnxRuntimeException e)
        {
            cancel.ThrowIfCancellationRequested();
            throw new CompressionException(Codes.RuntimeFailed, $"ONNX Runtime {RuntimeVersion} cannot run the {settings.Role} model on the data: {e.Message}. Check that shapes and types of the data fit the model's inputs ({string.Join(", ", Inputs.Select(i => $"{i.Name}: {i.ElementType}[{string.Join(",", i.Shape)}]"))}).", settings.File, inner: e);
        }
        finally
        {
            // Values before the memory they stand on.
            for (var i = handles.Count - 1; i >= 0; i--) handles[i].Dispose();
        }
    }

    public void Dispose() => session.Dispose();

    private static Port ToPort(string name, NodeMetadata metadata) => new(name,
        metadata.IsTensor ? (ElementType)(int)metadata.ElementDataType : ElementType.Undefined,
        metadata.IsTensor ? [.. metadata.Dimensions.Select(d => (long)d)] : []);

    private static OrtValue ToOrt(Tensor tensor, List<IDisposable> handles)
    {
        var shape = tensor.Shape.ToArray();
        if (tensor.Strings is { } strings)
        {
            var value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
            for (var i = 0; i < strings.Count; i++) value.StringTensorSetElementAt(strings[i].AsSpan(), i);
            return value;
        }
        if (tensor.ByteCount == 0) // the runtime wants an address even for nothing
            return OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, (TensorElementType)tensor.ElementType, shape);
        var pin = tensor.Data.Pin();
        handles.Add(pin);
        unsafe
        {
            return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, (TensorElementType)tensor.ElementType, shape, (nint)pin.Pointer, tensor.ByteCount);
        }
    }

    private Tensor FromOrt(OrtValue value)
    {
        if (!value.IsTensor)
            throw new CompressionException(Codes.RuntimeFailed, $"the {settings.Role} model returns {value.OnnxType}; only tensors can be compared. Export the model with tensor outputs.", settings.File);
        var info = value.GetTensorTypeAndShape();
        if (info.ElementDataType == TensorElementType.String) return Tensor.OfStrings(value.GetStringTensorAsArray(), info.Shape);
        return new Tensor((ElementType)(int)info.ElementDataType, info.Shape, value.GetTensorMutableRawData().ToArray());
    }
}
