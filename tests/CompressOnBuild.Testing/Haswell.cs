namespace CompressOnBuild.Testing;

/// <summary>
/// Runs this machine's own .NET programs on an emulated processor with AVX2 and without VNNI: QEMU's user mode, Debian's package
/// <c>qemu-user-static</c>. ONNX Runtime then takes the kernels it takes on such a processor.
/// </summary>
public static class Haswell
{
    private const string Emulator = "qemu-x86_64-static";

    /// <summary>Whether the emulator is installed, and programs of this machine are what it runs.</summary>
    public static bool IsAvailable { get; } = OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64
        && (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, Emulator)));

    /// <summary>What the emulator ends with when it broke down itself: it does so now and then under a program of many threads.</summary>
    public const int BrokeDown = 139;
    private const int Attempts = 3;

    /// <summary>Runs an assembly to its end; again when the emulator breaks down.</summary>
    public static ProcessResult Run(string assembly, IEnumerable<string> arguments, TimeSpan timeout)
    {
        // The emulator wants the program itself, not a script or a link to it: it lies above the framework that runs here.
        var host = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", "..", "dotnet"));
        ProcessResult result;
        var attempt = 0;
        do result = DotNet.Run(Emulator, ["-cpu", "Haswell", host, "exec", assembly, .. arguments], Path.GetTempPath(), Quiet, timeout);
        while (result.ExitCode == BrokeDown && ++attempt < Attempts);
        return result with { Output = string.Join('\n', result.Output.Split('\n').Where(l => !l.StartsWith(Emulator + ": warning", StringComparison.Ordinal))) };
    }

    // The fewer threads and signals of its own .NET has, the less the emulator has to get right.
    private static readonly Dictionary<string, string?> Quiet = new()
    {
        ["DOTNET_TieredCompilation"] = "0", ["DOTNET_gcConcurrent"] = "0", ["DOTNET_gcServer"] = "0", ["DOTNET_EnableWriteXorExecute"] = "0", ["DOTNET_EnableDiagnostics"] = "0", ["DOTNET_PROCESSOR_COUNT"] = "1",
    };
}
