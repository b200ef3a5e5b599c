namespace CompressOnBuild.Testing;

/// <summary>Rights and limits of the system that tests make the worker feel. Where there are none (Windows) a test has nothing to show, and is skipped.</summary>
public static class Posix
{
    /// <summary>Sets a file's or folder's mode; on Windows the test is skipped and says so.</summary>
    public static void SetMode(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("Windows has no modes of files.");
        else File.SetUnixFileMode(path, mode);
    }

    /// <summary>Runs the worker so that modes count: root keeps its name but loses the capability to pass over them.</summary>
    public static ProcessResult CompressWithoutPrivileges(params string[] arguments) => !Environment.IsPrivilegedProcess
        ? WorkerProcess.Compress(arguments)
        : WorkerProcess.CompressUnder("exec setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search --", null, arguments);
}
