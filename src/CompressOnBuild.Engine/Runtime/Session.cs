using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Tensor = CompressOnBuild.Onnx.Tensor;

namespace CompressOnBuild.Runtime;

/// <summary>An input or output of a session. Dynamic dimensions are -1.</summary>
internal sealed record Port(string Name, ElementType ElementType, IReadOnlyList<long> Shape);

/// <summary>
/// How a session runs. <paramref name="Role"/> names the model in messages ("original", "compressed"). <paramref name="OptimizedModel"/>: the
/// fused graph is written there. <paramref name="Readers"/>: threads that read the outputs which <see cref="Session.Run(IReadOnlyDictionary{string, Tensor}, IReadOnlyList{string}, OutputReader, CancellationToken)"/> shows.
/// </summary>
internal sealed record SessionSettings(string Role, string File = "", int Threads = 1, bool Optimize = true, Watchdog? Watchdog = null, string? OptimizedModel = null, int Readers = 1);

/// <summary>
/// Reads one output where the runtime left it. The spans die with the call. <paramref name="index"/> counts in the requested names;
/// an output that is no tensor of plain numbers (string, sequence, map) comes as <see cref="ElementType.String"/> or
/// <see cref="ElementType.Undefined"/> with no bytes.
/// </summary>
internal delegate void OutputReader(int index, ElementType elementType, ReadOnlySpan<long> shape, ReadOnlySpan<byte> bytes);

/// <summary>
/// ONNX Runtime, the way users run it: CPU provider, sequential. The runtime gets the verified bytes of a model, never a path that it would resolve again.
/// </summary>
internal sealed class Session : IDisposable
{
    /// <summary>A run of this length does not notice that it gets its memory afresh.</summary>
    private static readonly long LongRun = Stopwatch.Frequency / 5;
    /// <summary>Below it, what sessions hold between their runs does not matter.</summary>
    private const long LargeProcess = 2L << 30;

    private readonly InferenceSession session;
    private readonly SessionSettings settings;
    private readonly string[] outputNames;
    private static readonly Lock BusyGate = new();
    private static long ticksInAll, ticksBusy, busySince;
    private static int running;
    private long ticksInRuntime;
    /// <summary>Length of the run that ended last; before the first one, a long one.</summary>
    private long lastRun = long.MaxValue;

    static Session()
    {
        OrtEnv.DisableDllImportResolver = true; // an assembly takes one resolver, and this one knows LibraryPath
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
        if (settings.OptimizedModel is { } path)
        {
            options.GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_EXTENDED; // above it, layouts fit one processor
            options.OptimizedModelFilePath = path;
        }
        // Waiting threads sleep: a build shares the machine with other builds, and with our own reading of the outputs.
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        using var watch = settings.Watchdog?.Watch($"loading the {settings.Role} model", () => options.SetLoadCancellationFlag(true));
        try
        {
            session = new InferenceSession(model, options);
        }
        catch (OnnxRuntimeException e)
        {
            if (watch?.Breach is { } breach) throw breach;
            throw new CompressionException(Codes.RuntimeRefused, $"ONNX Runtime {RuntimeVersion} cannot load the {settings.Role} model: {e.Message}. Valid is a model that InferenceSession loads; check the file with the runtime of your app.", settings.File, inner: e);
        }
        Inputs = [.. session.InputMetadata.Select(p => ToPort(p.Key, p.Value))];
        Outputs = [.. session.OutputMetadata.Select(p => ToPort(p.Key, p.Value))];
        outputNames = [.. Outputs.Select(p => p.Name)];
    }

    /// <summary>Time that threads spent in the runtime's runs, all together.</summary>
    public TimeSpan TimeInRuntime => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref ticksInRuntime));
    /// <summary>The same of all sessions of this process.</summary>
    public static TimeSpan TimeInAll => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref ticksInAll));
    /// <summary>Time of the clock in which at least one session of this process ran; read it while none does.</summary>
    public static TimeSpan TimeBusy { get { lock (BusyGate) return Stopwatch.GetElapsedTime(0, ticksBusy); } }
    public IReadOnlyList<Port> Inputs { get; }
    public IReadOnlyList<Port> Outputs { get; }

    /// <summary>Runs once. Inputs by name; the result holds every output in the model's order, an empty tensor of
    /// <see cref="ElementType.Undefined"/> for a sequence or map.</summary>
    /// <exception cref="CompressionException">COB1021 when the runtime fails on these inputs.</exception>
    public Tensor[] Run(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancel = default)
    {
        using var feed = Bind(inputs).Sparing();
        using var results = feed.RunOnce(outputNames, cancel);
        return [.. results.Select(FromOrt)];
    }

    /// <summary>
    /// Runs once and shows the outputs <paramref name="names"/> without copying them. With more than one reader in the settings
    /// different outputs are read at the same time; one output is never read by two threads.
    /// </summary>
    /// <exception cref="CompressionException">COB1021 when the runtime fails on these inputs.</exception>
    public void Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyList<string> names, OutputReader read, CancellationToken cancel = default)
    {
        using var feed = Bind(inputs).Sparing();
        using var results = feed.RunOnce(names, cancel);
        if (settings.Readers == 1 || results.Count == 1)
            for (var i = 0; i < results.Count; i++) Show(results[i], i);
        else try { Parallel.For(0, results.Count, new ParallelOptions { MaxDegreeOfParallelism = settings.Readers, CancellationToken = cancel }, i => Show(results[i], i)); }
            catch (AggregateException e) { ExceptionDispatchInfo.Throw(e.InnerExceptions[0]); }

        void Show(OrtValue value, int index)
        {
            if (!value.IsTensor) { read(index, ElementType.Undefined, [], []); return; }
            var info = value.GetTensorTypeAndShape();
            if (info.ElementDataType == TensorElementType.String) read(index, ElementType.String, info.Shape, []);
            else read(index, (ElementType)(int)info.ElementDataType, info.Shape, Bytes(value, info));
        }
    }

    /// <summary>Hands inputs to the runtime once, for many runs on them (<see cref="Feed.Run"/>).</summary>
    public Feed Bind(IReadOnlyDictionary<string, Tensor> inputs) => new(this, inputs);

    public void Dispose() => session.Dispose();

    /// <summary>Inputs that stand ready in the runtime's form, so that a timed run is the runtime's work and nothing else.</summary>
    public sealed class Feed : IDisposable
    {
        private readonly Session owner;
        private readonly List<IDisposable> handles = [];
        private readonly List<string> names = [];
        private readonly List<OrtValue> values = [];
        private readonly RunOptions options = new();

        internal Feed(Session owner, IReadOnlyDictionary<string, Tensor> inputs)
        {
            this.owner = owner;
            foreach (var port in owner.Inputs)
            {
                if (!inputs.TryGetValue(port.Name, out var tensor)) continue; // an input with a default
                names.Add(port.Name);
                var value = ToOrt(tensor, handles);
                handles.Add(value);
                values.Add(value);
            }
        }

        /// <summary>Runs and drops every output of the model uncopied.</summary>
        /// <exception cref="CompressionException">COB1021 when the runtime fails on these inputs.</exception>
        public void Run(CancellationToken cancel = default) => RunOnce(owner.outputNames, cancel).Dispose();

        /// <summary>
        /// Has the runtime give its memory back after each run, where that is worth it: a network on large pictures leaves gigabytes in each of
        /// the sessions that take turns.
        /// </summary>
        internal Feed Sparing()
        {
            if (Interlocked.Read(ref owner.lastRun) >= LongRun && ProcessMemory.WorkingSet() > LargeProcess) options.AddRunConfigEntry("memory.enable_memory_arena_shrinkage", "cpu:0");
            return this;
        }

        internal IDisposableReadOnlyCollection<OrtValue> RunOnce(IReadOnlyCollection<string> outputs, CancellationToken cancel)
        {
            cancel.ThrowIfCancellationRequested();
            var settings = owner.settings;
            using var stop = cancel.Register(() => options.Terminate = true);
            using var watch = settings.Watchdog?.Watch($"running the {settings.Role} model", () => options.Terminate = true);
            var start = Enter();
            try
            {
                return owner.session.Run(options, names, values, outputs);
            }
            catch (OnnxRuntimeException e)
            {
                cancel.ThrowIfCancellationRequested();
                if (watch?.Breach is { } breach) throw breach;
                throw new CompressionException(Codes.RuntimeFailed, $"ONNX Runtime {RuntimeVersion} cannot run the {settings.Role} model on the data: {e.Message}. Check that shapes and types of the data fit the model's inputs ({string.Join(", ", owner.Inputs.Select(i => $"{i.Name}: {i.ElementType}[{string.Join(",", i.Shape)}]"))}).", settings.File, inner: e);
            }
            finally
            {
                var ticks = Leave() - start;
                Interlocked.Add(ref owner.ticksInRuntime, ticks);
                Interlocked.Add(ref ticksInAll, ticks);
                Interlocked.Exchange(ref owner.lastRun, ticks);
            }
        }

        public void Dispose()
        {
            // Values before the memory they stand on.
            for (var i = handles.Count - 1; i >= 0; i--) handles[i].Dispose();
            handles.Clear();
            options.Dispose();
        }
    }

    private static long Enter()
    {
        lock (BusyGate)
        {
            var now = Stopwatch.GetTimestamp();
            if (running++ == 0) busySince = now;
            return now;
        }
    }

    private static long Leave()
    {
        lock (BusyGate)
        {
            var now = Stopwatch.GetTimestamp();
            if (--running == 0) ticksBusy += now - busySince;
            return now;
        }
    }

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
        if (!value.IsTensor) return new Tensor(ElementType.Undefined, [0], default); // only who scores it has to refuse it
        var info = value.GetTensorTypeAndShape();
        if (info.ElementDataType == TensorElementType.String) return Tensor.OfStrings(value.GetStringTensorAsArray(), info.Shape);
        return new Tensor((ElementType)(int)info.ElementDataType, info.Shape, Bytes(value, info).ToArray());
    }

    // An empty tensor may have no address; one above 2 GB does not fit a span.
    private ReadOnlySpan<byte> Bytes(OrtValue value, OrtTensorTypeAndShapeInfo info)
    {
        if (info.ElementCount == 0) return [];
        if (info.ElementCount * ((ElementType)(int)info.ElementDataType).Bits() / 8 > Array.MaxLength)
            throw new CompressionException(Codes.RuntimeFailed, $"the {settings.Role} model computes a tensor of shape [{string.Join(",", info.Shape)}]; tensors up to 2 GB can be observed. Give smaller data (fewer samples at once, smaller pictures).", settings.File);
        return value.GetTensorMutableRawData();
    }
}
