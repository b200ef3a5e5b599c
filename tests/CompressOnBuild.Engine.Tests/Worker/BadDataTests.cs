using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Worker;

[TestClass]
public sealed class BadDataTests : BadInput
{
    [TestMethod]
    public void MissingOrOfNoKnownFormat()
    {
        var model = Save(Layer());
        StringAssert.Contains(Refused("COB1102", model, "--evaluation-data", Folder["none.npz"]), "does not exist");
        StringAssert.Contains(Refused("COB1103", model, "--evaluation-data", Folder.Write("data.txt", "1 2 3")), "no known data format");
        Directory.CreateDirectory(Folder["empty"]);
        StringAssert.Contains(Refused("COB1103", model, "--evaluation-data", Folder["empty"]), "no data of a known format");
    }

    [TestMethod]
    public void DamagedAndPickledNpz()
    {
        var model = Save(Layer());
        var bytes = File.ReadAllBytes(SaveData());
        File.WriteAllBytes(Folder["cut.npz"], bytes[..^30]);
        Refused("COB1110", model, "--evaluation-data", Folder["cut.npz"]);
        new NpzBuilder().Raw("x", NpzBuilder.Npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", new byte[24])).Save(Folder["pickled.npz"]);
        StringAssert.Contains(Refused("COB1111", model, "--evaluation-data", Folder["pickled.npz"]), "x");
        new NpzBuilder().Raw("x", NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 64), }", new byte[256])).Save(Folder["huge.npz"]);
        Refused("COB1110", model, "--evaluation-data", Folder["huge.npz"]);
    }

    [TestMethod]
    public void ArraysThatDoNotFitTheModel()
    {
        var model = Save(Layer());
        StringAssert.Contains(Refused("COB1107", model, "--evaluation-data", SaveData(name: "named.npz", input: "pixels")), "'x'");
        new NpzBuilder().Floats("x", new float[60 * 63], 60, 63).Save(Folder["narrow.npz"]);
        Refused("COB1108", model, "--evaluation-data", Folder["narrow.npz"]);
        new NpzBuilder().Floats("x", new float[60 * 64], 60, 64).Longs("labels", [1, 2], 2).Save(Folder["few.npz"]);
        Refused("COB1109", model, "--evaluation-data", Folder["few.npz"]);
    }

    [TestMethod]
    public void LabelsThatTheModelDoesNotHave()
    {
        new NpzBuilder().Floats("x", new float[60 * 64], 60, 64).Longs("labels", [.. Enumerable.Repeat(32L, 60)], 60).Save(Folder["wrong.npz"]);
        Refused("COB1124", Save(Layer()), "--evaluation-data", Folder["wrong.npz"]);
    }

    [TestMethod]
    public void ALabelThatTheModelDoesNotHaveIsFoundInItsLine()
    {
        Folder.Write("table.csv", $"x,label\n{string.Concat(Enumerable.Range(0, 40).Select(i => $"{i},{(i % 2 == 1 ? 9 : 0)}\n"))}");
        var line = Refused("COB1124", Save(new ModelBuilder().Input("x", 1, 1).Output("y", 1, 3).Weight("w", 1, 0.5f, 1, 3).Node("MatMul", ["x", "w"], ["y"])), "--evaluation-data", Folder["table.csv"]);
        // Which of the wrong ones is met first is open; line 2 is the first sample.
        var place = System.Text.RegularExpressions.Regex.Match(line, @"table\.csv\((\d+)\): error COB1124: sample '(\d+)'");
        Assert.AreEqual(1, int.Parse(place.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture) % 2, line);
        Assert.AreEqual(place.Groups[1].Value, (int.Parse(place.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture) + 2).ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    [TestMethod]
    [DataRow("name,class\na.png,1\n", "labels.csv(1,1)", "the header is 'name,class'")]
    [DataRow("file,label\na.png,cat\n", "labels.csv(2,7)", "the label 'cat' is no class")]
    [DataRow("file,label\nb.png,1\n", "labels.csv(2,1)", "'b.png' does not exist")]
    [DataRow("file,label\na.png,1\na.png,2\n", "labels.csv(3,1)", "there twice, first in line 2")]
    [DataRow("file,label\n../secret.png,1\n", "labels.csv(2,1)", "lies outside the folder")]
    [DataRow("file,label\na.png\n", "labels.csv(2,1)", "the line has 1 fields")]
    public void WrongLabelsCsv(string csv, string place, string says)
    {
        Folder.Write("pictures/a.png", "");
        Folder.Write("pictures/labels.csv", csv);
        var line = Refused("COB1113", Save(Pictures()), "--evaluation-data", Folder["pictures"]);
        StringAssert.Contains(line, place);
        StringAssert.Contains(line, says);
    }

    [TestMethod]
    public void AnImageThatIsNone()
    {
        Folder.Write("pictures/a.png", "<html>not found</html>");
        Folder.Write("pictures/labels.csv", "file,label\na.png,1\n");
        Folder.Write("pictures/preprocessor_config.json", """{ "size": { "height": 8, "width": 8 } }""");
        StringAssert.Contains(Refused("COB1114", Save(Pictures()), "--evaluation-data", Folder["pictures"]), "a.png");
    }

    [TestMethod]
    public void PicturesWithoutOrWithWrongPreprocessing()
    {
        Folder.Write("pictures/a.png", "x");
        Folder.Write("pictures/labels.csv", "file,label\na.png,1\n");
        var model = Save(Pictures());
        Refused("COB1116", model, "--evaluation-data", Folder["pictures"]);
        StringAssert.Contains(Refused("COB1117", model, "--evaluation-data", Folder["pictures"], "--preprocessing", Folder.Write("p.json", "{\n \"size\": { \"height\": 0, \"width\": 8 }\n}")), "p.json(2,22)");
    }

    [TestMethod]
    public void WrongEvaluationJson()
    {
        var (model, data) = (Save(Layer()), SaveData());
        Folder.Write("evaluation.json", "{\n  \"decode\": \"beam\"\n}");
        StringAssert.Contains(Refused("COB1118", model, "--evaluation-data", data), "evaluation.json(2,13)");
        Folder.Write("evaluation.json", """{ "alphabet": "../../etc/passwd" }""");
        Refused("COB1118", model, "--evaluation-data", data);
        Folder.Write("evaluation.json", """{ "output": "nope" }""");
        StringAssert.Contains(Refused("COB1118", model, "--evaluation-data", data), "Its outputs are 'y'");
    }

    [TestMethod]
    public void MetricsThatDoNotFit()
    {
        var (model, data) = (Save(Layer()), SaveData());
        StringAssert.Contains(Refused("COB1121", model, "--evaluation-data", data, "--metric", "accuracy"), "'accuracy' is unknown. Here it is called 'top1'. Valid are");
        Refused("COB1123", model, "--evaluation-data", data, "--metric", "cer");
        new NpzBuilder().Floats("x", new float[60 * 64], 60, 64).Save(Folder["bare.npz"]);
        Refused("COB1122", model, "--evaluation-data", Folder["bare.npz"], "--metric", "top1");
    }

    [TestMethod]
    public void NoSamples() => Refused("COB1105", Save(Layer()), "--evaluation-data", SaveData(samples: 0));

    [TestMethod]
    public void WrongTestDataSets()
    {
        Folder.Write("sets/test_data_set_0/input_0.pb", "not a tensor");
        Refused("COB1119", Save(Layer()), "--evaluation-data", Folder["sets"]);
    }

    private static ModelBuilder Pictures() => new ModelBuilder().Input("x", -1, 3, 8, 8).Output("y", -1, 4)
        .Weight("w", 1, 0.1f, 192, 4).Node("Flatten", ["x"], ["f"]).Node("MatMul", ["f", "w"], ["y"]);
}
