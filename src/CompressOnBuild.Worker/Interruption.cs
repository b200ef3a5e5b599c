using System.Diagnostics;
using System.Runtime.InteropServices;

namespace CompressOnBuild.Worker;

/// <summary>
/// Everything that ends a run early: Ctrl+C, a termination signal, the end of the process that started this one. The run is asked to stop,
/// so that it removes its temporary files; a second Ctrl+C, or <see cref="Grace"/> without an end, kills the process.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private const int Killed = 1;

    private readonly CancellationTokenSource source = new();
    private readonly CancellationTokenSource over = new();
    private readonly PosixSignalRegistration interrupt;
    private readonly PosixSignalRegistration terminate;

    public Interruption()
    {
        interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    }

    public CancellationToken Token => source.Token;

    /// <summary>Ends this process when the process <paramref name="parent"/> has ended: nobody waits for the result any more.</summary>
    public void Watch(int parent)
    {
        var watcher = new Thread(() =>
        {
            try
            {
                using var process = Process.GetProcessById(parent);
                process.WaitForExit();
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException) { } // it has gone already
            Stop();
        }) { IsBackground = true, Name = "parent watcher" };
        watcher.Start();
    }

    public void Dispose()
    {
        over.Cancel();
        interrupt.Dispose();
        terminate.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        if (source.IsCancellationRequested) return; // the second time the system ends us
        context.Cancel = true;
        Stop();
    }

    private void Stop()
    {
        source.Cancel();
        var killer = new Thread(() =>
        {
            if (!over.Token.WaitHandle.WaitOne(Grace)) Environment.Exit(Killed);
        }) { IsBackground = true, Name = "killer" };
        killer.Start();
    }
}
