using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Runtime;

/// <summary>
/// Bounds time and memory around the runtime. A hostile or broken model can loop for ever or ask for any amount of memory inside one
/// native call, which nothing can interrupt: when a bound is broken the owner of the process is told, and ends it.
/// </summary>
public sealed class Watchdog
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private readonly TimeSpan time;
    private readonly long bytes;
    private readonly string file;
    private readonly Action<CompressionException> breach;

    /// <param name="time">Longest single call into the runtime.</param>
    /// <param name="bytes">Largest memory of the process (resident set) during a call.</param>
    /// <param name="file">The model, for the message.</param>
    /// <param name="breach">Called on another thread when a bound is broken; expected to end the process.</param>
    public Watchdog(TimeSpan time, long bytes, string file, Action<CompressionException> breach)
    {
        this.time = time;
        this.bytes = bytes;
        this.file = file;
        this.breach = breach;
    }

    /// <summary>The bound on memory for a model of <paramref name="modelBytes"/>: generous for real models, far below what would bring the machine down.</summary>
    public static long MemoryFor(long modelBytes)
    {
        var installed = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return Math.Min(installed / 4 * 3, Math.Max(6L << 30, modelBytes * 20));
    }

    /// <summary>Watches until the result is disposed; <paramref name="doing"/> finishes the sentence "ONNX Runtime was …".</summary>
    public IDisposable Watch(string doing)
    {
        var started = Environment.TickCount64;
        var timer = new Timer(state =>
        {
            if (Environment.TickCount64 - started > time.TotalMilliseconds)
                breach(new CompressionException(Codes.RuntimeTimeout, $"ONNX Runtime was {doing} for more than {time.TotalSeconds:0} s and was stopped. The model loops without end or the data are far too large; --run-timeout sets another bound.", file));
            else if (Environment.WorkingSet > bytes)
                breach(new CompressionException(Codes.RuntimeMemory, $"ONNX Runtime was {doing} and took more than {bytes >> 20} MB of memory; it was stopped. The model asks for tensors of this size (ConstantOfShape, Expand, Tile, Loop) or the data are far too large.", file));
        }, null, Interval, Interval);
        return timer;
    }
}
