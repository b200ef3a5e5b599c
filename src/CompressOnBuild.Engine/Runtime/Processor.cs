using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Microsoft.Win32;

namespace CompressOnBuild.Runtime;

/// <summary>The processor that measured: for measurements.json, which says where its figures come from.</summary>
internal static class Processor
{
    /// <summary>The maker's name of the processor; the architecture where the system does not tell.</summary>
    public static string Name { get; } = FindName();

    /// <summary>Instruction sets that matter to integer kernels, of avx2, avx_vnni, avx512f, avx512_vnni, neon, dotprod.</summary>
    public static IReadOnlyList<string> InstructionSets { get; } = [.. FindInstructionSets()];

    /// <summary>System, architecture and instruction sets: what the last bits of ONNX Runtime's floats depend on.</summary>
    public static string Kind { get; } = string.Join(' ', [OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux",
        RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant(), .. InstructionSets]);

    /// <summary>Whether ONNX Runtime adds products of unsigned and signed bytes in 16 bits here: x64 without VNNI.</summary>
    public static bool SaturatesIntegerProducts => X86Base.IsSupported && !InstructionSets.Any(s => s is "avx_vnni" or "avx512_vnni");

    private static IEnumerable<string> FindInstructionSets()
    {
        if (Avx2.IsSupported) yield return "avx2";
        if (X86Base.IsSupported)
        {
            // Asked from the processor itself: the switches that turn intrinsics off in .NET do not reach ONNX Runtime.
            var most = X86Base.CpuId(0, 0).Eax;
            var (_, _, ecx, _) = most >= 7 ? X86Base.CpuId(7, 0) : default;
            var (eax, _, _, _) = most >= 7 ? X86Base.CpuId(7, 1) : default;
            if (Avx2.IsSupported && (eax & 1 << 4) != 0) yield return "avx_vnni";
            if (Vector512.IsHardwareAccelerated || Avx512F.IsSupported) yield return "avx512f";
            if (Avx512F.IsSupported && (ecx & 1 << 11) != 0) yield return "avx512_vnni";
        }
        if (AdvSimd.IsSupported) yield return "neon";
        if (Dp.IsSupported) yield return "dotprod";
    }

    private static string FindName()
    {
        try
        {
            var name = OperatingSystem.IsLinux() ? FromLinux() : OperatingSystem.IsWindows() ? FromWindows() : OperatingSystem.IsMacOS() ? FromMac() : null;
            if (!string.IsNullOrWhiteSpace(name)) return string.Join(' ', name.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception or System.Security.SecurityException or EntryPointNotFoundException)
        {
            // Only a label: the architecture below says enough.
        }
        return RuntimeInformation.ProcessArchitecture.ToString();
    }

    // x64 kernels write "model name"; Arm64 kernels only the numbers of maker and part.
    private static string? FromLinux()
    {
        string? maker = null, part = null;
        foreach (var line in File.ReadLines("/proc/cpuinfo"))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0) continue;
            var value = line[(colon + 1)..].Trim();
            switch (line[..colon].Trim())
            {
                case "model name": return value;
                case "CPU implementer": maker ??= value; break;
                case "CPU part": part ??= value; break;
            }
        }
        return part is null ? null : $"Arm64 implementer {maker} part {part}";
    }

    [System.Runtime.Versioning.SupportedOSPlatform("windows")]
    private static string? FromWindows()
    {
        using var key = Registry.LocalMachine.OpenSubKey(@"HARDWARE\DESCRIPTION\System\CentralProcessor\0");
        return key?.GetValue("ProcessorNameString") as string;
    }

    private static string? FromMac()
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/sbin/sysctl", "-n machdep.cpu.brand_string") { RedirectStandardOutput = true });
        var text = process?.StandardOutput.ReadToEnd();
        process?.WaitForExit();
        return text;
    }
}
