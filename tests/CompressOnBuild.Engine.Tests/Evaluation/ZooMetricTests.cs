using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>Metrics of real models against what other tools measured on the same files.</summary>
[TestClass]
[ZooCondition]
public sealed class ZooMetricTests
{
    [TestMethod]
    public void DigitsAreRecognizedAsElsewhere() => Assert.AreEqual(0.983, Measure("mnist-8", "{}", 5000)["top1"], 0.0005);

    [TestMethod]
    public void WordsAreSpokenAsElsewhere()
    {
        var values = Measure("g2p-loop", """{ "decode": "argmax-sequence", "end": 3 }""", 1500);
        Assert.AreEqual(0.696, values["exact"], 0.0006);
        Assert.AreEqual(0.090, values["cer"], 0.0006);
    }

    [TestMethod]
    public void MasksAreComparedWithThemselves()
    {
        var values = Measure("dtln-1", "{}", 50);
        Assert.AreEqual(1, values["cosine"]);
        Assert.AreEqual(200, values["sqnr"]);
    }

    private static Dictionary<string, double> Measure(string model, string configuration, int count)
    {
        using var scratch = new ScratchFolder();
        scratch.Write("evaluation.json", configuration);
        using var session = new Session(File.ReadAllBytes(Zoo.File(model, "model.onnx")), new SessionSettings("original"));
        ModelValue[] inputs = [.. session.Inputs.Select(p => new ModelValue(p.Name, p.ElementType, [.. p.Shape.Select(d => d < 0 ? (long?)null : d)]))];
        using var data = Dataset.Open(Zoo.File(model, "eval.npz"), new DatasetContext(inputs, [], ModelFolder: scratch.Path));
        var metrics = Metric.Resolve([], data.LabelKind, data.Configuration.Decoding, session.Run(data.Read(0).Inputs)[0], data.Path);
        var series = metrics.Select(m => new MetricSeries(m)).ToArray();
        for (var i = 0; i < Math.Min(count, data.Count); i++)
        {
            var sample = data.Read(i);
            var output = session.Run(sample.Inputs)[0];
            foreach (var s in series) s.Add(new Outcome(sample.Id, sample.Label, output, output));
        }
        return series.ToDictionary(s => s.Metric.Name, s => s.Value());
    }
}
