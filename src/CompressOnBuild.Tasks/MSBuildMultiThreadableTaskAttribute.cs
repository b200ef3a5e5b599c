// MSBuild looks for this attribute by its full name, so that a task built against an older version can carry its own copy.
namespace Microsoft.Build.Framework;

/// <summary>Says that a task uses neither the current directory nor the environment, so it may run beside others in one process.</summary>
[System.AttributeUsage(System.AttributeTargets.Class, Inherited = false)]
internal sealed class MSBuildMultiThreadableTaskAttribute : System.Attribute;
