using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public class EvaluatorTests
{
    [TestMethod]
    [DataRow(1), DataRow(3)]
    public void ContributionsAreInTheOrderOfTheSamples(int threads)
    {
        using var session = new Session(new ModelBuilder().Input("x").Output("y").Node("Neg", ["x"], ["y"]).Build(), new SessionSettings("original"));
        var data = new Counting(50);
        var metric = new Watching();
        var evaluator = new Evaluator(session, [metric], 0, judgesOthers: true, 1, threads);
        var split = new Split(data, [.. Enumerable.Range(0, 50)], "");
        var expected = Enumerable.Range(0, 50).Select(i => -(double)i).ToArray();
        var reference = evaluator.Measure(split, null, default);
        evaluator.Compare(session, reference, null, default);
        CollectionAssert.AreEqual(expected, metric.Longest);
        Assert.AreEqual(50, data.Reads, "what was read once is kept");
        metric.Longest = [];
        evaluator.CompareOnce(session, split, null, null, default);
        CollectionAssert.AreEqual(expected, metric.Longest);
    }

    private sealed class Watching : IMetric
    {
        // The bootstrap's resamples come after the value over all samples.
        public double[] Longest { get; set; } = [];
        public string Name => "watching";
        public bool HigherIsBetter => true;
        public bool NeedsLabels => false;
        public bool IsShare => false;

        public double[] Contribute(in Outcome outcome) => [outcome.Output.ToFloats()[0]];

        public WeightedValue Over(IReadOnlyList<double[]> contributions)
        {
            if (Longest.Length == 0) Longest = [.. contributions.Select(c => c[0])];
            return _ => contributions[0][0];
        }
    }

    private sealed class Counting(int count) : IDataset
    {
        private int reads;

        public int Reads { get => Volatile.Read(ref reads); set => reads = value; }
        public string Path => "counting";
        public int Count => count;
        public string Id(int index) => index.ToString(System.Globalization.CultureInfo.InvariantCulture);
        public Label? Label(int index) => null;
        public LabelKind LabelKind => LabelKind.None;

        public Sample Read(int index)
        {
            Interlocked.Increment(ref reads);
            return new Sample(Id(index), new Dictionary<string, Tensor> { ["x"] = Tensor.Scalar((float)index) }, null);
        }

        public byte[] ContentHash(int index) => BitConverter.GetBytes(index);
        public byte[] ConfigurationHash => new byte[32];
        public IReadOnlyList<string> Files => [];
        public IReadOnlyList<string> Folders => [];
        public EvaluationConfiguration Configuration { get; } = new();
        public IReadOnlyList<Diagnostic> Warnings => [];
        public void Dispose() { }
    }
}
