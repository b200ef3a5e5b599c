using Microsoft.VisualStudio.TestTools.UnitTesting;

namespace CompressOnBuild.Testing;

/// <summary>
/// Runs a test only where a browser of the Chromium family is there; elsewhere it is reported as skipped, with the reason. It is
/// <c>COMPRESSONBUILD_CHROMIUM</c>, else the first on the <c>PATH</c>. <c>.ci/run</c> installs one.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = false)]
public sealed class ChromiumConditionAttribute : ConditionBaseAttribute
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome", "chrome", "msedge"];

    public ChromiumConditionAttribute() : base(ConditionMode.Include) =>
        IgnoreMessage = "no Chromium is here: install one, or set COMPRESSONBUILD_CHROMIUM to its path";

    /// <summary>The browser's program; null where there is none.</summary>
    public static string? Program { get; } = Environment.GetEnvironmentVariable("COMPRESSONBUILD_CHROMIUM") is { Length: > 0 } own ? (File.Exists(own) ? own : null)
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).SelectMany(folder => Names.Select(name => Path.Combine(folder, name + (OperatingSystem.IsWindows() ? ".exe" : "")))).FirstOrDefault(File.Exists);

    public override bool IsConditionMet => Program is not null;
    public override string GroupName => nameof(ChromiumConditionAttribute);
}
