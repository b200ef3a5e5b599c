using System.Reflection;

namespace CompressOnBuild.Worker;

/// <summary>The version of this tool, which is that of the package.</summary>
internal static class ToolVersion
{
    public static string Text { get; } = typeof(ToolVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
}
