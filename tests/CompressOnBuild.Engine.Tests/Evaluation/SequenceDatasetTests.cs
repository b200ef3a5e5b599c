using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>Recorded sequences for stateful models: here an accumulator, s' = leak * s + x, y = s'.</summary>
[TestClass]
public sealed class SequenceDatasetTests
{
    private const string States = """{ "states": { "s": "s_out" } }""";

    private static ModelBuilder Accumulator(float leak) => new ModelBuilder().Input("x", 1, 1).Input("s", 1, 1).Output("y", 1, 1).Output("s_out", 1, 1)
        .Initializer("leak", [leak], 1).Node("Mul", ["s", "leak"], ["kept"]).Node("Add", ["kept", "x"], ["s_out"]).Node("Identity", ["s_out"], ["y"]);

    private static DatasetContext Context => new([new("x", ElementType.Float, [1, 1]), new("s", ElementType.Float, [1, 1])], [new("y", ElementType.Float, [1, 1]), new("s_out", ElementType.Float, [1, 1])]);

    private static void Write(ScratchFolder scratch, string name, int steps, Func<NpzBuilder, NpzBuilder>? more = null) =>
        (more ?? (b => b))(new NpzBuilder().Floats("x", [.. Enumerable.Repeat(1f, steps)], steps, 1)).Save(scratch[name]);

    [TestMethod]
    [DataRow(States, "1,2,3", "1,2.1,3.31"), DataRow("""{ "states": { "s": { "output": "s_out", "initial": 10 } } }""", "11,12,13", "12,14.2,16.62")]
    public void EachModelCarriesItsOwnStates(string configuration, string expected, string leaky)
    {
        using var scratch = new ScratchFolder();
        Write(scratch, "a.npz", 3);
        Write(scratch, "b.npz", 3);
        scratch.Write("evaluation.json", configuration);
        using var data = Dataset.Open(scratch.Path, Context);
        using var original = new Session(Accumulator(1).Build(), new SessionSettings("original"));
        using var compressed = new Session(Accumulator(1.1f).Build(), new SessionSettings("compressed"));
        var metric = new Recording();
        var evaluator = new Evaluator(original, [metric], 0, judgesOthers: true, 1, 2);
        var split = new Split(data, [0, 1], "");
        var once = evaluator.CompareOnce(compressed, split, null, null, default);
        Assert.AreEqual(expected, metric.Text(0, 3));
        Assert.AreEqual(leaky, metric.Text(1, 3));
        Assert.AreEqual(2, once.Metrics[0].Samples, "a sequence is one sample");
        Assert.IsEmpty(once.OtherOutputs, "what happens to states shows in the outputs that follow");
        var kept = evaluator.Compare(compressed, evaluator.Measure(split, null, default), null, default);
        Assert.AreEqual(once.Metrics[0].Compressed, kept.Metrics[0].Compressed);
        Assert.AreEqual(once.Metrics[0].Original, kept.Metrics[0].Original);
    }

    [TestMethod]
    public void SingleRunsHaveTheStatesThatTheOriginalCameTo()
    {
        using var scratch = new ScratchFolder();
        Write(scratch, "a.npz", 10);
        Write(scratch, "b.npz", 2);
        scratch.Write("evaluation.json", States);
        using var data = Dataset.Open(scratch.Path, Context);
        using var original = new Session(Accumulator(1).Build(), new SessionSettings("original"));
        var runs = new SingleRuns(new Split(data, [0, 1], ""), original, 5);
        Assert.AreEqual(5, runs.Count);
        // 3 of the first at its steps 1, 5 and 8, 2 of the second.
        for (var pass = 0; pass < 2; pass++)
            Assert.AreEqual("1,5,8,0,1", string.Join(',', runs.Read(default).Select(i => i["s"].ToFloats()[0])));
        Assert.AreEqual("1,1", string.Join(',', new SingleRuns(new Split(data, [1, 0], ""), original, 2).Read(default).Select(i => i["x"].ToFloats()[0])));
    }

    [TestMethod]
    public void LabelsBelongToStepsOrToTheWhole()
    {
        using var scratch = new ScratchFolder();
        Write(scratch, "a.npz", 3, b => b.Longs("labels", [0, 1, 1], 3));
        Write(scratch, "b.npz", 2, b => b.Longs("labels", [7], 1));
        scratch.Write("evaluation.json", States);
        using (var data = Dataset.Open(scratch.Path, Context))
        {
            Assert.AreEqual("0,1,1", Labels(data, 0));
            Assert.AreEqual("-,7", Labels(data, 1));
            Assert.AreEqual("b.npz, step 1", data.Runs(1).Last().Id);
            Assert.AreEqual(2, data.RunCount(1));
        }
        scratch.Write("labels.csv", "file,label\nb.npz,3\na.npz,4\n");
        using var listed = Dataset.Open(scratch.Path, Context);
        Assert.AreEqual("-,3", Labels(listed, 0));
        Assert.AreEqual("-,-,4", Labels(listed, 1));

        static string Labels(IDataset data, int index) => string.Join(',', data.Runs(index).Select(r => r.Label is ClassLabel l ? $"{l.Id}" : "-"));
    }

    [TestMethod]
    public void RecordingsAreCutIntoFrames()
    {
        using var scratch = new ScratchFolder();
        SoundDatasetTests.Pcm(scratch, "a.wav", 8000, 1, 2, 3, 4, 5, 6);
        scratch.Write("labels.csv", "file,label\na.wav,1\n");
        scratch.Write("evaluation.json", """{ "states": { "s": "s_out" }, "audio": { "frame": 3, "hop": 2, "lead": 4 } }""");
        using var data = Dataset.Open(scratch.Path, new([new("x", ElementType.Float, [1, 3]), Context.Inputs[1]], Context.Outputs));
        Assert.AreEqual("0 0 0|0 0 1|1 2 3|3 4 5", string.Join('|', data.Runs(0).Select(r => string.Join(' ', r.Inputs["x"].ToFloats().Select(v => v * 32768)))));
        Assert.AreEqual(4, data.RunCount(0));
        Assert.AreEqual(new ClassLabel(1), data.Runs(0).Last().Label);
        scratch.Write("evaluation.json", """{ "states": { "s": "s_out" }, "audio": { "frame": 7 } }""");
        using var longer = Dataset.Open(scratch.Path, new([new("x", ElementType.Float, [1, null]), Context.Inputs[1]], Context.Outputs));
        Assert.AreEqual(Codes.SoundMismatch, Assert.ThrowsExactly<CompressionException>(() => longer.Runs(0).First()).Diagnostic.Code);
    }

    [TestMethod]
    [DataRow("""{ "states": { "z": "s_out" } }""", "'z' is no input"), DataRow("""{ "states": { "s": "z" } }""", "'z' is no output"), DataRow("""{ "states": { "s": "wide" } }""", "'wide' is Float[1,2]"),
     DataRow("""{ "states": { "s": "s_out" }, "fixed": { "s": 1 } }""", "a fixed value too"), DataRow("""{ "states": { "s": "s_out", "u": "s_out" } }""", "which cannot begin with zeros")]
    public void StatesThatDoNotFitAreRefused(string configuration, string message)
    {
        using var scratch = new ScratchFolder();
        Write(scratch, "a.npz", 2);
        scratch.Write("evaluation.json", configuration);
        var context = new DatasetContext([.. Context.Inputs, new("u", ElementType.Float, null)], [.. Context.Outputs, new("wide", ElementType.Float, [1, 2])]);
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(scratch.Path, context));
        Assert.AreEqual(Codes.StatesInvalid, e.Diagnostic.Code, e.Message);
        StringAssert.Contains(e.Message, message);
    }

    [TestMethod]
    public void WithoutStatesAFolderOfArraysSaysWhatIsMissing()
    {
        using var scratch = new ScratchFolder();
        Write(scratch, "a.npz", 2);
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(scratch.Path, Context));
        Assert.AreEqual(Codes.DataFormatUnknown, e.Diagnostic.Code);
        StringAssert.Contains(e.Message, "\"states\"");
    }

    [TestMethod]
    public void ResamplesHoldWholeSequences()
    {
        // 40 sequences of 50 equal steps; in 4 of them every step became wrong. 2000 steps are no 2000 independent samples.
        var (before, after) = (new MetricSeries(new Top1(new Decoding())), new MetricSeries(new Top1(new Decoding())));
        for (var i = 0; i < 40; i++)
        {
            before.Add([.. Enumerable.Repeat<double[]>([1], 50)]);
            after.Add([.. Enumerable.Repeat<double[]>([i % 10 == 0 ? 0 : 1], 50)]);
        }
        var compared = PairedComparison.Compare(before, after, 1);
        Assert.AreEqual(0.1, compared.Drop, 1e-12);
        Assert.AreEqual(40, compared.Samples);
        Assert.IsNull(compared.Worse);
        // 4 of 40 lie between 1 and 8 or 9 of 40; 200 of 2000 would lie between 174 and 227.
        Assert.IsTrue(compared.Confidence!.Low is > 0 and <= 0.05 && compared.Confidence.High is >= 0.175 and < 0.3, $"{compared.Confidence}");
    }

    [TestMethod, ZooCondition]
    [DataRow("vad", "input", "state", "auc"), DataRow("dtln-1", "input_2", "input_3", "cosine")]
    public void ModelsOfTheZooAreMeasuredAlongTheirSequences(string name, string input, string state, string metric)
    {
        const int Steps = 25; // the zoo's frames do not follow each other in one recording: they only serve as steps
        using var scratch = new ScratchFolder();
        var model = scratch[name + ".onnx"];
        File.Copy(ZooModels.PathOf(name), model);
        string stateOutput;
        using (var session = new Session(ZooModels.Load(name), new SessionSettings("original"))) stateOutput = session.Outputs[1].Name;
        var folder = Directory.CreateDirectory(scratch["sequences"]).FullName;
        using (var npz = new NpzFile(Zoo.File(name, "eval.npz")))
        {
            var rows = npz.Open(input);
            var labels = npz.Contains("labels") ? npz.Open("labels") : null;
            for (var at = 0; at + Steps <= Math.Min(rows.Rows, 750); at += Steps)
            {
                var file = new NpzBuilder().Floats(input, [.. Enumerable.Range(at, Steps).SelectMany(r => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(rows.Row(r).Span).ToArray())], [Steps, .. rows.Shape[1..]]);
                if (labels is not null) file.Longs("labels", [.. Enumerable.Range(at, Steps).Select(r => BitConverter.ToInt64(labels.Row(r).Span))], Steps);
                file.Save(Path.Combine(folder, $"{at:0000}.npz"));
            }
        }
        File.WriteAllText(Path.Combine(folder, "evaluation.json"), $$"""{ "states": { "{{state}}": "{{stateOutput}}" }{{(name == "vad" ? """, "fixed": { "sr": 16000 }""" : "")}} }""");
        var request = new CompressionRequest { Model = model, Output = scratch["out"], Name = name, Recipe = "int8", EvaluationData = folder, Metrics = [metric], MaxAccuracyDrop = 0.05 };
        var result = Compressor.Run(request, NullCompressionLog.Instance, default);
        var measured = result.Measurements.Metrics[0];
        Assert.AreEqual(metric, measured.Name);
        Assert.IsGreaterThanOrEqualTo(10, measured.Samples);
        Assert.IsLessThan(750 / Steps, measured.Samples, "samples are sequences, and some of them calibrate");
        Assert.IsNotNull(measured.Confidence);
        Assert.IsLessThan(0.05, measured.Drop);
        Assert.IsLessThan(0.4, (double)result.Compressed.Bytes / result.Original.Bytes);
    }

    /// <summary>The sum of all outputs; keeps the outputs of one original sequence and one compressed one, by their first values.</summary>
    private sealed class Recording : IMetric
    {
        public string Name => "recording";
        public bool HigherIsBetter => true;
        public bool NeedsLabels => false;
        public bool IsShare => false;
        private readonly List<double> original = [], compressed = [];

        public double[] Contribute(in Outcome outcome)
        {
            lock (original)
                if (outcome.SampleId.StartsWith("a.npz", StringComparison.Ordinal)) (ReferenceEquals(outcome.Output, outcome.Original) ? original : compressed).Add(outcome.Output.ToFloats()[0]);
            return [outcome.Output.ToFloats()[0]];
        }

        public WeightedValue Over(IReadOnlyList<double[]> contributions) => weights =>
        {
            double sum = 0;
            for (var i = 0; i < contributions.Count; i++) sum += weights[i] * contributions[i][0];
            return sum;
        };

        public string Text(int model, int count) => string.Join(',', (model == 0 ? original : compressed).Take(count).Select(v => Math.Round(v, 4)));
    }
}
