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
    public void FewSamplesWaitAtOnceAndTheirOrderStays(int threads)
    {
        using var session = new Session(new ModelBuilder().Input("x").Output("y").Node("Neg", ["x"], ["y"]).Build(), new SessionSettings("original"));
        var data = new Counting(50);
        var metric = new Watching(data);
        var evaluator = new Evaluator(session, [metric], 0, judgesOthers: true, 1, threads);
        var split = new Split(data, [.. Enumerable.Range(0, 50)], "");
        evaluator.Compare(session, evaluator.Measure(split, null, default), null, default);
        metric.MostWaiting = 0;
        (data.Reads, metric.Seen) = (0, []);
        evaluator.CompareOnce(session, split, null, null, default);
        // Both models' series take each sample; what is read and not yet in both is held.
        Assert.IsLessThanOrEqualTo(2 * threads, metric.MostWaiting);
        Assert.IsGreaterThanOrEqualTo(1, metric.MostWaiting);
        CollectionAssert.AreEqual(Enumerable.Range(0, 50).SelectMany(i => new[] { i, i }).ToArray(), metric.Seen.ToArray());
    }

    private sealed class Watching(Counting data) : IMetric
    {
        public int MostWaiting { get; set; }
        public List<int> Seen { get; set; } = [];
        public string Name => "watching";
        public bool HigherIsBetter => true;
        public bool NeedsLabels => false;
        public bool IsShare => false;

        public double[] Contribute(in Outcome outcome)
        {
            MostWaiting = Math.Max(MostWaiting, data.Reads - Seen.Count / 2);
            Seen.Add(int.Parse(outcome.SampleId, System.Globalization.CultureInfo.InvariantCulture));
            return [outcome.Output.ToFloats()[0]];
        }

        public WeightedValue Over(IReadOnlyList<double[]> contributions) => _ => contributions[0][0];
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
