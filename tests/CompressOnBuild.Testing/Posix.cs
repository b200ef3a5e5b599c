namespace CompressOnBuild.Testing;

/// <summary>Rights and limits of the system that tests make the worker feel. Where there are none (Windows) a test has nothing to show.</summary>
public static class Posix
{
    /// <summary>Sets a file's or folder's mode; false on Windows.</summary>
    public static bool SetMode(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows()) return false;
        File.SetUnixFileMode(path, mode);
        return true;
    }

    /// <summary>Runs the worker so that modes count: root keeps its name but loses the capability to pass over them.</summary>
    public static ProcessResult CompressWithoutPrivileges(params string[] arguments) => !Environment.IsPrivilegedProcess
        ? WorkerProcess.Compress(arguments)
        : WorkerProcess.CompressUnder("exec setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search --", null, arguments);
}
