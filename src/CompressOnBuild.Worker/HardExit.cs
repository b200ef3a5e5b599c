using System.Runtime.InteropServices;

namespace CompressOnBuild.Worker;

/// <summary>
/// Ends the process at once. An orderly exit runs the destructors of native libraries while their own threads still work on the call that
/// cannot be stopped, which crashes or hangs.
/// </summary>
internal static partial class HardExit
{
    public static void Now(int exitCode)
    {
        if (OperatingSystem.IsWindows()) TerminateProcess(-1, (uint)exitCode); // -1: this process
        else Exit(exitCode);
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Exit(int status);

    [LibraryImport("kernel32")]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool TerminateProcess(nint process, uint exitCode);
}
