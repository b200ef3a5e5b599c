using CompressOnBuild.Testing;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public sealed class ResolveCompressModelsTests : IDisposable
{
    private readonly ScratchFolder _folder = new();
    private readonly FakeBuildEngine _engine = new();

    public void Dispose() => _folder.Dispose();

    private ResolveCompressModels Task(params ITaskItem[] models) => new()
    {
        BuildEngine = _engine,
        Models = models,
        ProjectPath = _folder["app.csproj"],
        OutputRoot = _folder["obj/compressed"],
    };

    private TaskItem Model(string name = "m.onnx", params (string Name, string Value)[] metadata)
    {
        _folder.Write(name, "model");
        return new TaskItem(name, metadata.ToDictionary(m => m.Name, m => m.Value));
    }

    private string Request(string name = "m") => File.ReadAllText(_folder[$"obj/compressed/{name}/request.rsp"]);

    [TestMethod]
    public void TheRequestHoldsWhatCanChangeTheResult()
    {
        _folder.Write("d @ta/x.png", "x");
        var task = Task(Model("m.onnx", ("EvaluationData", "d @ta/"), ("Metric", "top1;\n   cer"), ("MaxAccuracyDrop", "0.02"), ("Goal", "Size"), ("TargetDevice", "cpu-vnni"),
            ("Deployment", "content"), ("LogicalName", "x/y.onnx"), ("AccessorName", "Z"), ("Recipe", "int8"), ("MaxRegression", "0.003")));
        task.TimeBudget = "90";
        task.Strict = task.ReportImages = task.UseLock = task.LockedMode = task.ForceEvaluate = true;
        var runtime = new TaskItem("OnnxRuntime.dll");
        runtime.SetMetadata("NuGetPackageId", "Microsoft.ML.OnnxRuntime.Managed");
        runtime.SetMetadata("NuGetPackageVersion", "1.20.1");
        task.PackageAssets = [runtime];
        Assert.IsTrue(task.Execute());
        Assert.AreEqual($"""
            {_folder["m.onnx"]}
            --package-version={PackageVersion.Value}
            --name=m
            --recipe=int8
            --goal=size
            --target=cpu-vnni
            --evaluation-data={_folder["d @ta"]}
            --metric=top1;cer
            --max-accuracy-drop=0.02
            --max-regression=0.003
            --seed=1
            --onnx-runtime-version=1.20.1
            --time-budget=90
            --report-images
            --strict
            --lock
            --locked-mode

            """.ReplaceLineEndings("\n"), Request());
        Assert.AreNotEqual(0xEF, File.ReadAllBytes(_folder["obj/compressed/m/request.rsp"])[0], "no byte order mark");
    }

    [TestMethod]
    [DataRow("Goal", "tiny", "one of balanced, size, speed")]
    [DataRow("TargetDevice", "gpu", "one of cpu, cpu-vnni, cuda")]
    [DataRow("Deployment", "copy", "one of embed, content, none")]
    [DataRow("Transport", "zip", "one of none, packed")]
    [DataRow("MaxAccuracyDrop", "lots", "a number from 0")]
    [DataRow("MaxAccuracyDrop", "0,01", "with a point as the decimal separator")]
    [DataRow("MaxAccuracyDrop", "-1", "a number from 0")]
    [DataRow("MaxAccuracyDrop", "NaN", "a number from 0")]
    [DataRow("Seed", "1.5", "a whole number")]
    [DataRow("Evaluator", "a.dll", "such as bin/Metrics.dll#MyApp.MyMetric")]
    [DataRow("Evaluator", "#B", "such as bin/Metrics.dll#MyApp.MyMetric")]
    [DataRow("AccessorName", "a b", "such as AB")]
    [DataRow("MaxSize", "4\nMB", "without a line break")]
    public void WrongValuesSayWhatIsValid(string metadata, string value, string valid)
    {
        Assert.IsFalse(Task(Model("m.onnx", (metadata, value))).Execute());
        var error = _engine.Errors.Single();
        Assert.AreEqual("COB0001", error.Code);
        Assert.AreEqual("COB0001", error.HelpKeyword);
        Assert.Contains(metadata + " of 'm.onnx' is '", error.Message!);
        Assert.Contains(valid, error.Message!);
        Assert.DoesNotContain("\n", error.Message!);
    }

    [TestMethod]
    public void APackedModelShipsInPlaceOfTheModel()
    {
        var task = Task(Model("m.onnx", ("Transport", "Packed")), Model("n.onnx", ("Transport", "packed"), ("Deployment", "content")));
        Assert.IsTrue(task.Execute());
        Assert.Contains("\n--transport=packed\n", Request());
        Assert.AreEqual(_folder["obj/compressed/m/m.onnx.packed"], task.Embedded[0].ItemSpec);
        Assert.AreEqual("models/m.onnx", task.Embedded[0].GetMetadata("LogicalName"));
        var copied = task.Copied.Single(c => c.ItemSpec == _folder["obj/compressed/n/n.onnx.packed"]);
        Assert.AreEqual("models/n.onnx.packed", copied.GetMetadata("TargetPath"), "nobody takes it for a model");
        CollectionAssert.AreEqual((string[])["true true", "models/m.onnx models/n.onnx.packed"],
            (string[])[string.Join(' ', task.Accessors.Select(a => a.GetMetadata("Packed"))), string.Join(' ', task.Accessors.Select(a => a.GetMetadata("LogicalName")))]);

        var off = Task(Model("m.onnx", ("Transport", "packed")));
        off.Enabled = false;
        Assert.IsTrue(off.Execute());
        Assert.AreEqual(_folder["m.onnx"], off.Embedded[0].ItemSpec, "the original ships as it is");
        Assert.AreEqual("false", off.Accessors[0].GetMetadata("Packed"));
    }

    [TestMethod]
    public void AllErrorsOfAllModelsAreSaid()
    {
        var task = Task(new TaskItem("none.onnx"), Model("m.onnx", ("Deployment", "x"), ("Goal", "x"), ("EvaluationData", "nowhere")), Model("good.onnx"));
        Assert.IsFalse(task.Execute());
        CollectionAssert.AreEquivalent((string[])["COB1001", "COB0001", "COB0001", "COB0004"], _engine.Errors.Select(e => e.Code).ToList());
        Assert.HasCount(1, task.Stale, "the valid one is compressed all the same");
    }

    [TestMethod]
    public void ATypingErrorInANameIsAWarning()
    {
        Assert.IsTrue(Task(Model("m.onnx", ("MaxAcuracyDrop", "0.01"), ("Link", "x"), ("Owner", "me"))).Execute());
        Assert.AreEqual("COB0008", _engine.Warnings.Single().Code);
        Assert.Contains("Did you mean MaxAccuracyDrop?", _engine.Warnings.Single().Message!);
    }

    [TestMethod]
    [DataRow("Recipie", "Recipe")]
    [DataRow("Evaluation", "EvaluationData")]
    [DataRow("Metrics", "Metric")]
    [DataRow("AccuracyDrop", "MaxAccuracyDrop")]
    [DataRow("MaxDrop", "MaxAccuracyDrop")]
    [DataRow("MaxAccuracyLoss", "MaxAccuracyDrop")]
    [DataRow("MaximumSize", "MaxSize")]
    [DataRow("CalibrationSet", "CalibrationData")]
    [DataRow("Calibration", "CalibrationData")]
    [DataRow("EvalData", "EvaluationData")]
    [DataRow("EvaluationFolder", "EvaluationData")]
    [DataRow("Latency", "MaxLatency")]
    [DataRow("recipe", null)]
    [DataRow("Owner", null)]
    [DataRow("Name", null)]
    [DataRow("Size", null)]
    [DataRow("Dataset", null)]
    [DataRow("DataSource", null)]
    [DataRow("ModelName", null)]
    [DataRow("Tool", null)]
    [DataRow("CopyToOutputDirectory", null)]
    [DataRow("EvaluationNotes", null)]
    [DataRow("TargetPath", null)]
    [DataRow("TargetFramework", null)]
    [DataRow("LicenseFile", null)]
    public void NamesThatLackWordsAreOursAndOthersTheUsers(string name, string? meant)
    {
        Assert.IsTrue(Task(Model("m.onnx", (name, "x"))).Execute() || meant is null);
        var said = _engine.Warnings.Where(w => w.Code == "COB0008").Select(w => w.Message!).SingleOrDefault();
        Assert.AreEqual(meant is null ? null : $"Did you mean {meant}?", said?[said.IndexOf("Did you", StringComparison.Ordinal)..]);
    }

    [TestMethod]
    public void ErrorsOfAnItemNameItsModel()
    {
        var task = Task(Model("m.onnx", ("Goal", "x")), Model("good.onnx"));
        task.UnavailableProperties = "CompressOnBuildRemoteCache";
        Assert.IsFalse(task.Execute());
        CollectionAssert.AreEqual((string[])["", _folder["m.onnx"]], task.Diagnostics.Select(d => d.GetMetadata("Model")).ToArray());
    }

    [TestMethod]
    public void ModelsThatShareAFileNameGetFoldersOfTheirOwn()
    {
        var task = Task(Model("a/m.onnx"), Model("b/m.onnx", ("LogicalName", "b.onnx"), ("AccessorName", "B")));
        Assert.IsTrue(task.Execute());
        Assert.Contains("--name=M\n", Request("M"));
        Assert.Contains("--name=B\n", Request("B"));
        Assert.IsFalse(Task(Model("a/m.onnx"), Model("b/m.onnx", ("LogicalName", "b.onnx"))).Execute());
        Assert.AreEqual("COB0005", _engine.Errors.Single().Code);
    }

    [TestMethod]
    public void WhatShipsSurvivesMSBuildsEscaping()
    {
        var task = Task(Model("a;b %41@(x).onnx"));
        task.Models = [new TaskItem("a%3bb %2541%40%28x%29.onnx")];
        Assert.IsTrue(task.Execute());
        Assert.AreEqual("models/a;b %41@(x).onnx", task.Embedded[0].GetMetadata("LogicalName"));
        Assert.AreEqual(_folder["obj/compressed/a;b %41@(x)/a;b %41@(x).onnx"], task.Embedded[0].ItemSpec);
        Assert.AreEqual("_CobRequest=" + _folder["obj/compressed/a;b %41@(x)/request.rsp"], task.Stale[0].GetMetadata("AdditionalProperties"));
    }

    [TestMethod]
    public void AChangedRequestWaitsForTheOtherFrameworks()
    {
        var task = Task(Model());
        task.TargetFrameworks = "net10.0; net8.0";
        Assert.IsTrue(task.Execute());
        Assert.IsTrue(task.NeedsWanted);
        Assert.IsEmpty(task.Embedded);
        Assert.IsFalse(Directory.Exists(_folder["obj"]));
    }
}
