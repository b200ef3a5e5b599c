using System.Diagnostics;
using System.Text;

namespace CompressOnBuild.Testing;

/// <summary>How a process ended and what it wrote, standard output and error in the order of arrival.</summary>
public sealed record ProcessResult(int ExitCode, string Output);

/// <summary>Runs processes as a user would, above all the <c>dotnet</c> that runs the tests.</summary>
public static class DotNet
{
    /// <summary>The root of the repository, found from the test's own folder.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>Full path of the host that runs this process.</summary>
    public static string Host { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host ? host
        : Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    /// <summary>Runs to the end. A process that takes longer than <paramref name="timeout"/> (ten minutes) is ended and fails the test.</summary>
    public static ProcessResult Run(string file, IEnumerable<string> arguments, string workingDirectory,
        IReadOnlyDictionary<string, string?>? environment = null, TimeSpan? timeout = null)
    {
        var output = new StringBuilder();
        using var process = Start(file, arguments, workingDirectory, environment, line =>
        {
            lock (output) output.Append(line).Append('\n');
        });
        if (!process.WaitForExit(timeout ?? TimeSpan.FromMinutes(10)))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{file} {string.Join(' ', arguments)} did not end. It wrote:\n{output}");
        }
        process.WaitForExit();
        lock (output) return new ProcessResult(process.ExitCode, output.ToString());
    }

    /// <summary>Starts a process whose lines go to <paramref name="onLine"/>; a null value in <paramref name="environment"/> removes a variable.</summary>
    public static Process Start(string file, IEnumerable<string> arguments, string workingDirectory,
        IReadOnlyDictionary<string, string?>? environment, Action<string> onLine)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        // What the outer build or test host set must not steer the inner one.
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || k.StartsWith("TESTINGPLATFORM_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>()) start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, e) => { if (e.Data is not null) onLine(e.Data); };
        process.ErrorDataReceived += (_, e) => { if (e.Data is not null) onLine(e.Data); };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.StandardInput.Close();
        return process;
    }

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "CompressOnBuild.sln"))) return at.FullName;
        }
        throw new InvalidOperationException("The tests run outside the repository.");
    }
}
