using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Worker;

[TestClass]
public sealed class BadRequestTests : BadInput
{
    [TestMethod]
    public void ValuesThatAreNone()
    {
        var model = Save(Layer());
        StringAssert.Contains(Refused("COB0032", model, "--max-accuracy-drop", "lots"), "'--max-accuracy-drop' is 'lots'. Valid values are numbers");
        StringAssert.Contains(Refused("COB0032", model, "--run-timeout", "0"), "seconds above 0");
        StringAssert.Contains(Refused("COB0032", model, "--time-budget", "none"), "seconds above 0");
        Refused("COB0031", model, "--goal", "smaller");
        StringAssert.EndsWith(Refused("COB0031", model, "--transport", "pack"), "Did you mean 'packed'? Valid values are none, packed.");
        Refused("COB0033", model, "--max-size", "4 parsecs");
        StringAssert.EndsWith(Refused("COB0034", model, "--require", "top1=1"), "Correct the condition; several are separated by semicolons.");
        StringAssert.Contains(Refused("COB1121", model, "--metric", "cosin"), "Did you mean 'cosine'?");
        StringAssert.Contains(Refused("COB2001", model, "--recipe", "int8-weight"), "Did you mean 'int8-weights'?");
        StringAssert.Contains(Refused("COB2001", model, "--recipe", "int4"), "Did you mean 'int4-weights'?");
        Assert.DoesNotContain("Did you mean", Refused("COB2001", model, "--recipe", "zebra"));
        Refused("COB0035", model, "--name", "../m");
    }

    [TestMethod]
    [DataRow("{\n  \"version\": 1,\n  \"rules\": [ { \"fom\": \"static\" } ]\n}", "COB2002", "r.json(3,16)", "'fom' is not a key of a rule. Did you mean 'form'?")]
    [DataRow("{\n  \"version\": 1,\n  \"rules\": [ { \"form\": \"static\", \"bits\": 5 } ]\n}", "COB2003", "r.json(3,42)", "'bits' is 5. Valid values are 8 (fewer for the form 'weights').")]
    [DataRow("{\n  \"version\": 1,\n  \"search\": \"yes\"\n}", "COB2004", "r.json(3,13)", "'search' is text")]
    [DataRow("{\n  \"version\": 1,,\n}", "COB2005", "r.json(2,16)", "not valid JSON")]
    [DataRow("{\n  \"version\": 1,\n  \"version\": 1\n}", "COB2007", "r.json(3,3)", "given twice")]
    [DataRow("{}", "COB2008", "r.json(1,1)", "'version' is missing")]
    public void RecipesWithATypingError(string recipe, string code, string place, string says)
    {
        var line = Refused(code, Save(Layer()), "--recipe", Folder.Write("r.json", recipe));
        StringAssert.Contains(line, place);
        StringAssert.Contains(line, says);
    }

    [TestMethod]
    public void ARecipeThatIsNotThere()
    {
        StringAssert.Contains(Refused("COB2001", Save(Layer()), "--recipe", "int9"), "there is no recipe 'int9'");
        StringAssert.Contains(Refused("COB2001", Save(Layer()), "--recipe", Folder.Path), "there is no recipe");
    }

    [TestMethod]
    public void ALimitWithoutData() => StringAssert.Contains(Refused("COB4005", Save(Layer()), "--max-accuracy-drop", "0.01"), "MaxAccuracyDrop is given but no data");

    [TestMethod]
    public void AnOutputThatIsTheInput()
    {
        var model = Save(Layer());
        var before = File.ReadAllBytes(model);
        StringAssert.Contains(Refused("COB5002", WorkerProcess.Compress(model, "--output", Folder.Path)), "would replace the original");
        CollectionAssert.AreEqual(before, File.ReadAllBytes(model));
    }

    [TestMethod]
    public void EveryBrokenLimitIsToldAndTheReportsSayWhy()
    {
        var (model, data) = (Save(Layer()), SaveData());
        Assert.AreEqual(0, WorkerProcess.Compress(model, "--evaluation-data", data, "--output", Output).ExitCode);
        var good = Hashes();
        var run = WorkerProcess.Compress(model, "--evaluation-data", data, "--output", Output, "--require", "top1>=0.99", "--max-size", "100");
        Assert.AreEqual(1, run.ExitCode, run.Output);
        var errors = run.Output.Split('\n').Where(l => l.Contains(": error ", StringComparison.Ordinal)).ToArray();
        Assert.HasCount(2, errors, run.Output);
        StringAssert.Contains(errors[0], ": error COB4002: top1 is ");
        StringAssert.Contains(errors[1], ": error COB4003: the compressed model has ");
        foreach (var error in errors) StringAssert.Contains(error, $"The reports of this attempt are in '{Path.Combine(Output, "failed")}'; the last good output was left in place.");
        CollectionAssert.AreEqual(good, Hashes());
        StringAssert.Contains(File.ReadAllText(Path.Combine(Output, "failed", "report.json")), "\"verdict\": \"fail\"");

        using var json = System.Text.Json.JsonDocument.Parse(WorkerProcess.Compress(model, "--evaluation-data", data, "--output", Output, "--max-size", "100", "--json").Output);
        Assert.AreEqual(1, json.RootElement.GetProperty("exitCode").GetInt32());
        Assert.AreEqual("fail", json.RootElement.GetProperty("report").GetProperty("verdict").GetString());

        Assert.AreEqual(0, WorkerProcess.Compress(model, "--evaluation-data", data, "--output", Output).ExitCode);
        Assert.IsFalse(Directory.Exists(Path.Combine(Output, "failed")), "reports of an attempt that is no longer the last one");
    }

    [TestMethod]
    public void WarningsAreToldOnce()
    {
        var run = WorkerProcess.Compress(Save(Layer()), "--output", Output);
        Assert.AreEqual(0, run.ExitCode, run.Output);
        Assert.HasCount(1, run.Output.Split('\n').Where(l => l.Contains("warning COB1101", StringComparison.Ordinal)).ToArray(), run.Output);
    }

    private string[] Hashes() => [.. Directory.GetFiles(Output).Order(StringComparer.Ordinal)
        .Select(f => $"{Path.GetFileName(f)} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f)))}")];
}
