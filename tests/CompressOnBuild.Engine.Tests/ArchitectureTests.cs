using System.Text.RegularExpressions;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>Who may know whom: references between the engine's rooms point one way.</summary>
[TestClass]
public sealed partial class ArchitectureTests
{
    // Rooms in the order of knowledge: a room may use those of its own line only, and each of them stands above it.
    private static readonly (string Room, string[] MayUse)[] Rooms =
    [
        ("Kernels", []),
        ("Numerics", ["Kernels"]),
        ("Diagnostics", ["Numerics"]),
        ("Weights", ["Kernels"]),
        ("Techniques", ["Weights", "Kernels", "Numerics"]),
        ("Onnx", ["Diagnostics"]),
        ("Operators", ["Onnx", "Kernels"]),
        ("Rewrites", ["Onnx", "Diagnostics"]),
        ("Encodings", ["Onnx", "Operators", "Weights"]),
        ("Runtime", ["Onnx", "Diagnostics"]),
        ("Calibration", ["Onnx", "Runtime", "Kernels", "Numerics", "Diagnostics"]),
        ("Emulation", ["Onnx", "Runtime", "Kernels"]),
        ("Placement", ["Onnx", "Operators", "Calibration"]),
        ("Evaluation", ["Onnx", "Runtime", "Numerics", "Kernels", "Diagnostics"]),
        ("Planning", ["Onnx", "Operators", "Weights", "Techniques", "Encodings", "Placement", "Calibration", "Diagnostics", "Numerics"]),
        ("Restructuring", ["Onnx", "Operators", "Techniques", "Calibration", "Planning", "Numerics", "Rewrites"]),
        ("Scaling", ["Onnx", "Operators", "Weights", "Techniques", "Calibration", "Planning", "Rewrites", "Restructuring"]),
        ("Transport", ["Onnx"]),
        ("Caching", ["Diagnostics"]),
        ("Reporting", ["Diagnostics", "Onnx"]),
    ];

    private static string Source() => Path.Combine(DotNet.RepositoryRoot, "src", "CompressOnBuild.Engine");

    [TestMethod]
    public void ReferencesPointOneWay()
    {
        for (var i = 0; i < Rooms.Length; i++) Assert.IsEmpty(Rooms[i].MayUse.Except(Rooms[..i].Select(r => r.Room)), $"{Rooms[i].Room} uses a room below it");
        var offences = new List<string>();
        foreach (var (room, file, line) in Lines())
        {
            var allowed = Rooms.SingleOrDefault(r => r.Room == room).MayUse;
            if (allowed is null) { offences.Add($"{file}: the room {room} is not in the table"); continue; }
            if (Using().Match(line) is { Success: true } used && used.Groups[1].Value != room && !allowed.Contains(used.Groups[1].Value))
                offences.Add($"{file}: {room} uses {used.Groups[1].Value}");
        }
        Assert.IsEmpty(offences.Distinct(), string.Join("\n", offences.Distinct()));
    }

    [TestMethod]
    public void OnlyTheRoomRuntimeTouchesOnnxRuntime() =>
        Assert.IsEmpty(Lines().Where(l => l.Room != "Runtime" && l.Line.Contains("Microsoft.ML.OnnxRuntime", StringComparison.Ordinal)).Select(l => l.File).Distinct().ToArray());

    [TestMethod]
    public void TechniquesNeverSeeOnnx() => Assert.IsEmpty(Lines().Where(l => l.Room == "Techniques" && OnnxName().IsMatch(l.Line)).Select(l => $"{l.File}: {l.Line}").ToArray());

    private static IEnumerable<(string Room, string File, string Line)> Lines()
    {
        var source = Source();
        foreach (var path in Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var relative = Path.GetRelativePath(source, path).Replace('\\', '/');
            var slash = relative.IndexOf('/');
            if (slash < 0 || relative.StartsWith("obj/", StringComparison.Ordinal) || relative.StartsWith("bin/", StringComparison.Ordinal)) continue;
            foreach (var line in File.ReadLines(path))
                if (!line.TrimStart().StartsWith("//", StringComparison.Ordinal)) yield return (relative[..slash], relative, line);
        }
    }

    // "using CompressOnBuild.Onnx.Proto;" as well as "CompressOnBuild.Onnx.Tensor" in the middle of a line.
    [GeneratedRegex(@"\bCompressOnBuild\.(?!Engine\b)(\w+)")]
    private static partial Regex Using();

    [GeneratedRegex(@"\b(Onnx|Operators)\.\w")]
    private static partial Regex OnnxName();
}
