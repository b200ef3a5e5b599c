using System.Diagnostics;
using System.Reflection;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks;

/// <summary>What one worker process printed and cost, start and end of the process included.</summary>
internal sealed record WorkerRun(int ExitCode, string Output, string Error, double Seconds, long PeakBytes);

/// <summary>Runs the worker as a user would: a process of its own, so that time and memory are the whole process's.</summary>
internal static class Worker
{
    /// <summary>The worker that was built with this program.</summary>
    public static string Built { get; } = Path.Combine(DotNet.RepositoryRoot, "src", "CompressOnBuild.Worker", "bin",
        typeof(Worker).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration, "net10.0", "compressonbuild.dll");

    /// <summary>Starts <paramref name="worker"/> (a .dll) and waits for its end.</summary>
    public static WorkerRun Run(string worker, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(DotNet.Host, ["exec", worker, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        long peak = 0;
        // The system forgets a process's peak when it ends: asked again and again while it runs.
        do
        {
            try
            {
                process.Refresh();
                peak = Math.Max(peak, process.PeakWorkingSet64);
            }
            catch (InvalidOperationException) { break; }
        }
        while (!process.WaitForExit(20));
        process.WaitForExit();
        return new WorkerRun(process.ExitCode, output.Result, error.Result, watch.Elapsed.TotalSeconds, peak);
    }
}
