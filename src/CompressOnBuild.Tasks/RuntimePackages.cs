using System;
using System.Globalization;
using Microsoft.Build.Framework;

namespace CompressOnBuild.Tasks;

/// <summary>The version of ONNX Runtime that a project resolved, from the metadata that the SDK gives to the files of packages.</summary>
internal static class RuntimePackages
{
    // Those that carry the runtime itself, in its own version. Extensions and plug-in providers count their versions by themselves.
    private static readonly string[] s_ids =
    [
        "Microsoft.ML.OnnxRuntime", "Microsoft.ML.OnnxRuntime.Managed", "Microsoft.ML.OnnxRuntime.Gpu", "Microsoft.ML.OnnxRuntime.Gpu.Windows", "Microsoft.ML.OnnxRuntime.Gpu.Linux",
        "Microsoft.ML.OnnxRuntime.DirectML", "Microsoft.ML.OnnxRuntime.QNN",
    ];

    /// <summary>The lowest version where several packages are resolved; null where there is none.</summary>
    internal static string? Lowest(ITaskItem[] assets)
    {
        string? lowest = null;
        foreach (ITaskItem asset in assets)
        {
            string id = asset.GetMetadata("NuGetPackageId");
            if (id.Length < s_ids[0].Length || Array.FindIndex(s_ids, known => known.Equals(id, StringComparison.OrdinalIgnoreCase)) < 0)
                continue;
            string version = asset.GetMetadata("NuGetPackageVersion");
            if (version.Length > 0 && (lowest is null || Compare(version, lowest) < 0))
                lowest = version;
        }
        return lowest;
    }

    // By numbers; what is equal in them is a release or older than one.
    private static int Compare(string first, string second)
    {
        if (first == second)
            return 0;
        string[] a = first.Split('+')[0].Split(['-'], 2), b = second.Split('+')[0].Split(['-'], 2);
        string[] left = a[0].Split('.'), right = b[0].Split('.');
        for (int i = 0; i < Math.Max(left.Length, right.Length); i++)
        {
            int order = Part(left, i).CompareTo(Part(right, i));
            if (order != 0)
                return order;
        }
        return a.Length != b.Length ? b.Length - a.Length : string.CompareOrdinal(a[a.Length - 1], b[b.Length - 1]);
    }

    private static int Part(string[] parts, int index) =>
        index < parts.Length && int.TryParse(parts[index], NumberStyles.None, CultureInfo.InvariantCulture, out int part) ? part : 0;
}
