using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Runtime;

/// <summary>
/// Bounds time and memory around the runtime. A hostile or broken model can loop for ever or ask for any amount of memory inside one
/// native call. When a bound is broken the call is first asked to end, which works between two nodes and inside loops; if it goes on
/// (a single node, or loading, which cannot be asked) the owner of the process is told, and ends it.
/// </summary>
internal sealed class Watchdog
{
    /// <summary>At 4 GB/s, about the fastest a process takes fresh pages, 100 MB pass between two looks.</summary>
    private const int IntervalMs = 25;
    private static readonly TimeSpan GraceForTime = TimeSpan.FromSeconds(2);
    /// <summary>Memory keeps growing while we wait: only long enough for the next node to begin.</summary>
    private static readonly TimeSpan GraceForMemory = TimeSpan.FromMilliseconds(250);

    private readonly TimeSpan time;
    private readonly long bytes;
    private readonly string file;
    private readonly Action<CompressionException> breach;
    private readonly List<Entry> active = [];
    private Thread? thread;

    /// <param name="time">Longest single call into the runtime.</param>
    /// <param name="bytes">Largest memory of the process (resident set) during a call.</param>
    /// <param name="file">The model, for the message.</param>
    /// <param name="breach">Called on another thread when a bound is broken and the call does not end when asked; expected to end the process.</param>
    public Watchdog(TimeSpan time, long bytes, string file, Action<CompressionException> breach)
    {
        this.time = time;
        this.bytes = bytes;
        this.file = file;
        this.breach = breach;
    }

    /// <summary>The bound on memory for a model of <paramref name="modelBytes"/>: generous for real models (a network on pictures of 1024 x 1024 takes 6 GB and more), below what would bring the machine down: half of its memory, for large models up to three quarters.</summary>
    public static long MemoryFor(long modelBytes)
    {
        var installed = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return Math.Min(installed / 4 * 3, Math.Max(installed / 2, Math.Max(6L << 30, modelBytes * 20)));
    }

    /// <summary>
    /// Watches until the result is disposed. <paramref name="doing"/> finishes the sentence "ONNX Runtime was …";
    /// <paramref name="terminate"/> asks the call to end and is called at most once, never after the result was disposed.
    /// </summary>
    public IWatch Watch(string doing, Action? terminate = null)
    {
        var entry = new Entry(this, doing, terminate);
        lock (active)
        {
            active.Add(entry);
            // Own thread: the pool may be busy with the very work that is watched.
            if (thread is null) (thread = new Thread(Look) { IsBackground = true, Name = "watchdog", Priority = ThreadPriority.AboveNormal }).Start();
            else if (active.Count == 1) Monitor.Pulse(active);
        }
        return entry;
    }

    private void Look()
    {
        var due = new List<CompressionException>();
        while (true)
        {
            due.Clear();
            lock (active)
            {
                while (active.Count == 0)
                    if (!Monitor.Wait(active, TimeSpan.FromSeconds(10)) && active.Count == 0) { thread = null; return; }
                var memory = ProcessMemory.WorkingSet();
                foreach (var entry in active)
                    if (entry.Check(memory) is { } overdue) due.Add(overdue);
            }
            foreach (var overdue in due) breach(overdue); // outside the lock: the owner may take its time
            Thread.Sleep(IntervalMs);
        }
    }

    private CompressionException TooLong(string doing) => new(Codes.RuntimeTimeout, $"ONNX Runtime was {doing} for more than {time.TotalSeconds:0.##} s and was stopped. The model loops without end or the data are far too large; --run-timeout sets another bound.", file);

    private CompressionException TooLarge(string doing) => new(Codes.RuntimeMemory, $"ONNX Runtime was {doing} and took more than {bytes >> 20} MB of memory; it was stopped. The model asks for tensors of this size (ConstantOfShape, Expand, Tile, Loop) or the data are far too large.", file);

    private sealed class Entry(Watchdog owner, string doing, Action? terminate) : IWatch
    {
        private readonly long started = Environment.TickCount64;
        private long deadline = long.MaxValue;
        private bool told;

        public CompressionException? Breach { get; private set; }

        /// <summary>The error to tell the owner of the process now, or null. Called under the lock.</summary>
        public CompressionException? Check(long memory)
        {
            var now = Environment.TickCount64;
            if (Breach is null)
            {
                var slow = now - started > owner.time.TotalMilliseconds;
                if (!slow && memory <= owner.bytes) return null;
                Breach = slow ? owner.TooLong(doing) : owner.TooLarge(doing);
                deadline = terminate is null ? now : now + (long)(slow ? GraceForTime : GraceForMemory).TotalMilliseconds;
                terminate?.Invoke();
            }
            if (told || now < deadline) return null;
            told = true;
            return Breach;
        }

        public void Dispose()
        {
            lock (owner.active) owner.active.Remove(this);
        }
    }
}

/// <summary>One watched call into the runtime; disposing it ends the watch.</summary>
internal interface IWatch : IDisposable
{
    /// <summary>The bound that was broken, as the error to throw instead of the runtime's own; null while there is none.</summary>
    CompressionException? Breach { get; }
}
