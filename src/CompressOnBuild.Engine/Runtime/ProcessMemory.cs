using System.Buffers.Text;
using System.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace CompressOnBuild.Runtime;

/// <summary>Memory of this process, as the system counts it (managed heap, ONNX Runtime and mapped files together).</summary>
internal static class ProcessMemory
{
    // Linux: the open file gives fresh figures at every read from its start, in microseconds; other ways open and parse several files.
    private static readonly SafeFileHandle? Statm = OperatingSystem.IsLinux() ? Open("/proc/self/statm") : null;

    /// <summary>Resident bytes now.</summary>
    public static long WorkingSet()
    {
        if (Statm is null) return Environment.WorkingSet;
        Span<byte> text = stackalloc byte[128];
        try { text = text[..RandomAccess.Read(Statm, text, 0)]; }
        catch (IOException) { return Environment.WorkingSet; }
        var start = text.IndexOf((byte)' ') + 1; // "size resident shared …", in pages
        return Utf8Parser.TryParse(text[start..], out long pages, out _) ? pages * Environment.SystemPageSize : Environment.WorkingSet;
    }

    /// <summary>Largest number of resident bytes since the process began.</summary>
    public static long PeakWorkingSet()
    {
        if (OperatingSystem.IsLinux())
        {
            try
            {
                foreach (var line in File.ReadLines("/proc/self/status"))
                    if (line.StartsWith("VmHWM:", StringComparison.Ordinal) &&
                        long.TryParse(line.AsSpan(6).Trim().TrimEnd("kB").Trim(), out var kilobytes)) return kilobytes << 10;
            }
            catch (IOException) { }
        }
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }

    private static SafeFileHandle? Open(string path)
    {
        try { return File.OpenHandle(path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return null; }
    }
}
