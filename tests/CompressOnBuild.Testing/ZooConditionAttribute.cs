using Microsoft.VisualStudio.TestTools.UnitTesting;

namespace CompressOnBuild.Testing;

/// <summary>
/// Runs a test only where the zoo (real models with labelled data, never part of the repository) is there; elsewhere it is reported
/// as skipped, with the reason. The folder is <c>COMPRESSONBUILD_ZOO</c>, else <c>shared/zoo</c> beside the repository or above it.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = false)]
public sealed class ZooConditionAttribute : ConditionBaseAttribute
{
    public ZooConditionAttribute() : base(ConditionMode.Include) =>
        IgnoreMessage = "the zoo is not here: set COMPRESSONBUILD_ZOO to its folder";

    public override bool IsConditionMet => Zoo.Folder is not null;
    public override string GroupName => nameof(ZooConditionAttribute);
}

/// <summary>Where the zoo is.</summary>
public static class Zoo
{
    public static string? Folder { get; } = Find();

    /// <summary>A file of the zoo; only for tests under <see cref="ZooConditionAttribute"/>.</summary>
    public static string File(params string[] parts) => Path.Combine([Folder!, .. parts]);

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("COMPRESSONBUILD_ZOO") is { Length: > 0 } folder) return Directory.Exists(folder) ? folder : null;
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            var candidate = Path.Combine(at.FullName, "shared", "zoo");
            if (Directory.Exists(candidate)) return candidate;
        }
        return null;
    }
}
