using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public class RuntimePackagesTests
{
    private static ITaskItem Asset(string package, string version)
    {
        var item = new TaskItem(package + ".dll");
        item.SetMetadata("NuGetPackageId", package);
        item.SetMetadata("NuGetPackageVersion", version);
        return item;
    }

    [TestMethod]
    [DataRow("1.20.1", "Microsoft.ML.OnnxRuntime 1.20.1", "Microsoft.ML.OnnxRuntime.Managed 1.20.1")]
    [DataRow("1.9.0", "Microsoft.ML.OnnxRuntime.Managed 1.31.1", "Microsoft.ML.OnnxRuntime.Gpu.Linux 1.9.0")]
    [DataRow("1.20.0-rc1", "Microsoft.ML.OnnxRuntime 1.20.0", "microsoft.ml.onnxruntime.managed 1.20.0-rc1")]
    [DataRow("1.24.0", "Microsoft.ML.OnnxRuntime.DirectML 1.24.0", "Newtonsoft.Json 13.0.3")]
    [DataRow(null, "Microsoft.ML.OnnxRuntime.Extensions 0.14.0", "Microsoft.ML.OnnxRuntimeGenAI 0.18.0")]
    public void TheLowestVersionOfTheRuntimeCounts(string? expected, string first, string second)
    {
        ITaskItem Parse(string text) => Asset(text.Split(' ')[0], text.Split(' ')[1]);
        Assert.AreEqual(expected, RuntimePackages.Lowest([new TaskItem("no package"), Parse(first), Parse(second)]));
        Assert.AreEqual(expected, RuntimePackages.Lowest([Parse(second), Parse(first)]));
    }
}
