using System.Security.Cryptography;
using System.Text.Json;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Engine.Tests.Reporting;
using CompressOnBuild.Planning;
using CompressOnBuild.Reporting;
using CompressOnBuild.Worker;

namespace CompressOnBuild.Engine.Tests.Worker;

[TestClass]
public sealed class CommandLineTests
{
    private readonly string folder = Directory.CreateTempSubdirectory("cob worker é ").FullName;
    private readonly StringWriter output = new();
    private readonly StringWriter error = new();
    private CompressionRequest? asked;

    [TestCleanup]
    public void Clean() => Directory.Delete(folder, recursive: true);

    private int Run(params string[] args) => Run(Compress, args);

    private int Run(Func<CompressionRequest, ICompressionLog, CancellationToken, CompressionResult> compress, params string[] args)
    {
        using var interruption = new Interruption();
        return new CommandLine(output, error, compress, interruption).Run(args);
    }

    private CompressionResult Compress(CompressionRequest request, ICompressionLog log, CancellationToken cancel)
    {
        asked = request;
        log.Stage("calibrating\n##vso[x]");
        var result = SampleResult.Create(request.Output) with { Request = request, Folder = request.Output, OutputModel = Path.Combine(request.Output, request.Name + ".onnx") };
        log.Warning(result.Warnings[0]);
        ReportWriter.Write(result, request.Output);
        return result;
    }

    [TestMethod]
    public void DefaultsAreThoseOfTheItem()
    {
        Assert.AreEqual(0, Run("compress", "models/mobile net.onnx", "--output", folder), error.ToString());
        Assert.AreEqual(new CompressionRequest { Model = Path.GetFullPath("models/mobile net.onnx"), Output = folder, Name = "mobile net" } with { Metrics = asked!.Metrics, Require = asked.Require }, asked);
        Assert.HasCount(0, asked.Metrics);
    }

    [TestMethod]
    public void CompareTakesTwoModelsAndTheOptionsOfMeasuring()
    {
        Assert.AreEqual(0, Run("compare", "a.onnx", "b.onnx", "--data", "val", "--metric", "top1", "--max-accuracy-drop", "0.02", "--require", "top1>=0.8", "--output", folder, "--json"), error.ToString());
        Assert.AreEqual((Path.GetFullPath("a.onnx"), Path.GetFullPath("b.onnx"), Path.GetFullPath("val"), 0.02, "b"), (asked!.Model, asked.Candidate, asked.EvaluationData, asked.MaxAccuracyDrop, asked.Name));
        using var json = System.Text.Json.JsonDocument.Parse(output.ToString());
        StringAssert.Contains(json.RootElement.GetProperty("summary").GetString(), "a.onnx 14.0 MB -> b.onnx 3.7 MB");
        Assert.AreEqual(Target.Cpu, asked.Target);
        Assert.AreEqual(0, Run("compare", "a.onnx", "b.onnx", "--target", "cpu-vnni", "--output", folder), error.ToString());
        Assert.AreEqual(Target.CpuVnni, asked!.Target);
        Assert.AreEqual(1, Run("compare", "a.onnx", "b.onnx", "--target", "gpu"), "no target");
        Assert.AreEqual(2, Run("compare", "a.onnx"), "one model is none to compare");
        Assert.AreEqual(2, Run("compare", "a.onnx", "b.onnx", "--recipe", "int8"), "nothing is compressed");
    }

    [TestMethod]
    public void ModelsOfOneFileNameAreToldApartByTheirFolders()
    {
        Assert.AreEqual(0, Run("compare", "runs/v1/out/m.onnx", "runs/v2/out/m.onnx", "--output", folder), error.ToString());
        Assert.AreEqual("v1/out/m.onnx → v2/out/m.onnx", asked!.Title);
        StringAssert.Contains(output.ToString(), "CompressOnBuild: v1/out/m.onnx 14.0 MB -> v2/out/m.onnx 3.7 MB");
        Run("compare", "v1/a.onnx", "v2/b.onnx", "--output", folder);
        Assert.AreEqual("a.onnx → b.onnx", asked.Title);
        Run("compare", "v1/a.onnx", "v1/a.onnx", "--output", folder);
        Assert.AreEqual("a.onnx → a.onnx", asked.Title, "the same file");
    }

    [TestMethod]
    public void EveryOptionReachesTheRequest()
    {
        Assert.AreEqual(0, Run("compress", "m.onnx", "--recipe=int8", "--goal", "Size", "--target", "cpu-vnni", "--calibration-data", "c", "--evaluation-data", "e", "--preprocessing", "p.json",
            "--metric", "top1;cer", "--max-accuracy-drop", "0.02", "--require=top1>=0.80; cer<=0.03", "--max-size", "4MB", "--max-latency", "80%", "--seed", "7", "--threads", "2", "--strict", "--report-images",
            "--output", folder, "--name", "other", "--package-version", "9.9"), error.ToString());
        var request = asked!;
        Assert.AreEqual(("int8", Goal.Size, Target.CpuVnni), (request.Recipe, request.Goal, request.Target));
        Assert.AreEqual((Path.GetFullPath("c"), Path.GetFullPath("e"), Path.GetFullPath("p.json")), (request.CalibrationData, request.EvaluationData, request.Preprocessing));
        CollectionAssert.AreEqual(new[] { "top1", "cer" }, request.Metrics.ToArray());
        CollectionAssert.AreEqual(new[] { new Requirement("top1", true, 0.8), new Requirement("cer", false, 0.03) }, request.Require.ToArray());
        Assert.AreEqual((0.02, new SizeLimit(4_000_000, null), 0.8), (request.MaxAccuracyDrop, request.MaxSize, request.MaxLatency));
        Assert.AreEqual((7, 2, true, true, "other"), (request.Seed, request.Threads, request.Strict, request.ReportImages, request.Name));
    }

    [TestMethod]
    [DataRow("--max-accuracy-drop", "lots", "COB0032", "'--max-accuracy-drop' is 'lots'. Valid values are numbers of at least 0")]
    [DataRow("--max-accuracy-drop", "-0.1", "COB0032", "at least 0")]
    [DataRow("--max-accuracy-drop", "1%", "COB0032", "Of a share, 1 % are 0.01.")]
    [DataRow("--max-accuracy-drop", "NaN", "COB0032", "at least 0")]
    [DataRow("--max-accuracy-drop", "0,01", "COB0032", "at least 0")]
    [DataRow("--goal", "sise", "COB0031", "Did you mean 'size'? Valid values are size, speed, balanced.")]
    [DataRow("--target", "gpu", "COB0031", "Valid values are cpu, cpu-vnni")]
    [DataRow("--max-size", "4 parsecs", "COB0033", "4MB")]
    [DataRow("--max-size", "0", "COB0033", "4MB")]
    [DataRow("--max-size", "-5%", "COB0033", "25%")]
    [DataRow("--max-latency", "fast", "COB0032", "80%")]
    [DataRow("--require", "top1=0.8", "COB0034", "'top1=0.8'")]
    [DataRow("--require", "top1>=80%", "COB0034", "Of a share, 80 % are 0.8.")]
    [DataRow("--require", "top1>=0.8;top1>=0.9", "COB0034", "two conditions")]
    [DataRow("--require", "to1>=0.8", "COB1121", "'to1' is unknown")]
    [DataRow("--metric", "accuracy", "COB1121", "'accuracy' is unknown. Here it is called 'top1'. Valid are")]
    [DataRow("--seed", "-1", "COB0032", "whole numbers")]
    [DataRow("--threads", "many", "COB0032", "0 to 1024")]
    [DataRow("--name", "a/b", "COB0035", "'a/b'")]
    [DataRow("--name", "NUL.x", "COB0035", "file name")]
    public void EachBadValueIsOneCodedError(string option, string value, string code, string says)
    {
        Assert.AreEqual(1, Run("compress", "m.onnx", $"{option}={value}"));
        var lines = error.ToString().TrimEnd().Split('\n');
        Assert.HasCount(1, lines);
        StringAssert.StartsWith(lines[0], $"CompressOnBuild: error {code}: ");
        StringAssert.Contains(lines[0], says);
        Assert.IsNull(asked);
    }

    [TestMethod]
    public void AllBadValuesAreToldAtOnce()
    {
        Assert.AreEqual(1, Run("compress", "m.onnx", "--goal", "x", "--seed", "x", "--max-size", "x"));
        Assert.HasCount(3, error.ToString().TrimEnd().Split('\n'));
    }

    [TestMethod]
    [DataRow("4MB", 4_000_000L)]
    [DataRow("900 kB", 900_000L)]
    [DataRow("1.5gb", 1_500_000_000L)]
    [DataRow("4MiB", 4_194_304L)]
    [DataRow("123456", 123_456L)]
    public void SizesHaveUnits(string text, long bytes)
    {
        Assert.AreEqual(0, Run("compress", "m.onnx", "--output", folder, "--max-size", text));
        Assert.AreEqual(new SizeLimit(bytes, null), asked!.MaxSize);
    }

    [TestMethod]
    [DataRow("compress")]
    [DataRow("compress", "m.onnx", "--max-acuracy-drop", "0.01")]
    [DataRow("compress", "m.onnx", "extra.onnx")]
    [DataRow("squeeze", "m.onnx")]
    [DataRow()]
    public void WrongUsageIsExitCodeTwo(params string[] args)
    {
        Assert.AreEqual(2, Run(args));
        StringAssert.StartsWith(error.ToString(), "CompressOnBuild: error COB0030: ");
    }

    [TestMethod]
    public void HelpListsTheVerbsAndHidesTheBuildsOptions()
    {
        Assert.AreEqual(0, Run("--help"));
        foreach (var verb in new[] { "compress", "inspect", "recipe", "explain" }) StringAssert.Contains(output.ToString(), verb);
        Assert.AreEqual(0, Run("compress", "--help"));
        StringAssert.Contains(output.ToString(), "--max-accuracy-drop");
        Assert.DoesNotContain("--parent-pid", output.ToString());
    }

    [TestMethod]
    public void ResponseFileLinesAreTakenVerbatim()
    {
        var data = Path.Combine(folder, "@d#ä \"x\" -y");
        var file = Path.Combine(folder, "request é.rsp");
        File.WriteAllText(file, $"@models/m #1.onnx\n--evaluation-data={data}\r\n--name=a b#c@d\n--output={folder}\n--require=top1>=0.5;cer<=0.1\n");
        Assert.AreEqual(0, Run("compress", "@" + file, "--log", "msbuild"), output.ToString());
        Assert.AreEqual((Path.GetFullPath("@models/m #1.onnx"), data, "a b#c@d"), (asked!.Model, asked.EvaluationData, asked.Name));
        Assert.HasCount(2, asked.Require);
        var hash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));
        StringAssert.StartsWith(File.ReadAllText(Path.Combine(folder, DependencyFile.Inputs)), $"cob-inputs 1 {hash}\n");
    }

    [TestMethod]
    public void AMissingResponseFileIsACodedError()
    {
        Assert.AreEqual(2, Run("compress", "@" + Path.Combine(folder, "none.rsp")));
        StringAssert.Contains(error.ToString(), "error COB0036: ");
    }

    [TestMethod]
    public void TheBuildGetsOneEscapedLineForEachThing()
    {
        Assert.AreEqual(0, Run("compress", @"C:\m.onnx", "--name", "m", "--output", folder, "--log", "msbuild"));
        var lines = output.ToString().TrimEnd('\n').Split('\n');
        Assert.HasCount(3, lines, output.ToString());
        foreach (var line in lines)
        {
            Assert.HasCount(7, line.Split('\t'), line);
            Assert.DoesNotContain("##vso[", line);
        }
        Assert.AreEqual("@cob\tprogress\t\t\t0\t0\tcalibrating\\\\n# #vso[x]", lines[0]);
        StringAssert.StartsWith(lines[1], "@cob\twarning\tCOB1101\t/home/someone/app/data/val/labels.csv\t3\t0\t");
        StringAssert.StartsWith(lines[2], "@cob\tsummary\t\t\t0\t0\tCompressOnBuild: ");
    }

    [TestMethod]
    public void AWarningThatWasLoggedAndReturnedIsToldOnce()
    {
        Run("compress", "m.onnx", "--output", folder);
        Assert.HasCount(1, error.ToString().Split("COB1101")[1..]);
        StringAssert.Contains(output.ToString(), "top1 82.8 % -> 82.5 %");
    }

    [TestMethod]
    public void FailuresHaveTheirExitCodes()
    {
        Assert.AreEqual(1, Run((_, _, _) => throw new CompressionException("COB4001", "top1 dropped by 2 pt, limit 1 pt."), "compress", "m.onnx", "--output", folder));
        StringAssert.Contains(error.ToString(), "error COB4001: top1 dropped");
        Assert.IsFalse(File.Exists(Path.Combine(folder, DependencyFile.Inputs)), "a failed result must not count as current");
        Assert.AreEqual(1, Run((_, _, _) => throw new AggregateException(new OperationCanceledException(), new CompressionException("COB1001", "gone")), "compress", "m.onnx"));
        StringAssert.Contains(error.ToString(), "error COB1001: gone");
        Assert.AreEqual(1, Run((_, _, _) => throw new OperationCanceledException(), "compress", "m.onnx"));
        StringAssert.Contains(error.ToString(), "error COB0038: cancelled");
        Assert.AreEqual(3, Run((_, _, _) => throw new InvalidDataException("odd\nthing"), "compress", "m.onnx"));
        StringAssert.Contains(error.ToString(), "error COB9001: unexpected InvalidDataException: odd\\nthing This is a bug");
        Assert.DoesNotContain("   at ", error.ToString());
    }

    [TestMethod]
    public void JsonIsOneObjectAndNothingElse()
    {
        Assert.AreEqual(0, Run("compress", "m.onnx", "--output", folder, "--json"));
        using var ok = JsonDocument.Parse(output.ToString());
        Assert.AreEqual(0, ok.RootElement.GetProperty("exitCode").GetInt32());
        Assert.AreEqual("pass", ok.RootElement.GetProperty("report").GetProperty("verdict").GetString());
        Assert.AreEqual("top1", ok.RootElement.GetProperty("measurements").GetProperty("metrics")[0].GetProperty("name").GetString());
        output.GetStringBuilder().Clear();
        Assert.AreEqual(1, Run("compress", "m.onnx", "--goal", "x", "--json"));
        using var bad = JsonDocument.Parse(output.ToString());
        Assert.AreEqual("COB0031", bad.RootElement.GetProperty("diagnostics")[0].GetProperty("code").GetString());
        Assert.AreEqual("", error.ToString());
    }

    [TestMethod]
    public void RecipePrintsPresetsAndSchema()
    {
        Assert.AreEqual(0, Run("recipe", "int8"));
        Assert.AreEqual(Recipe.PresetText("int8"), output.ToString());
        output.GetStringBuilder().Clear();
        Assert.AreEqual(0, Run("recipe", "--schema"));
        Assert.AreEqual(Recipe.Schema, output.ToString());
        Assert.AreEqual(1, Run("recipe", "int9"));
        StringAssert.Contains(error.ToString(), "COB2001");
    }

    [TestMethod]
    public void ExplainPrintsThePage()
    {
        Assert.AreEqual(0, Run("explain", "cob2003"));
        StringAssert.StartsWith(output.ToString(), "# COB2003: ");
        Assert.AreEqual(1, Run("explain", "COB200"));
        StringAssert.Contains(error.ToString(), "error COB0037: there is no code 'COB200'. Did you mean COB20");
    }
}
