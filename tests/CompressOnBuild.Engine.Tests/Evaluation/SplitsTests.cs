using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class SplitsTests
{
    [TestMethod]
    public void AreDisjointAndComplete()
    {
        using var data = new Numbers(Enumerable.Range(0, 1000));
        var splits = Splits.Create(null, data, seed: 1);
        Assert.AreEqual(100, splits.Calibration.Count);
        Assert.AreEqual(250, splits.Selection.Count);
        Assert.AreEqual(650, splits.Gate.Count);
        CollectionAssert.AreEqual(Enumerable.Range(0, 1000).ToList(), splits.Calibration.Indices.Concat(splits.Selection.Indices).Concat(splits.Gate.Indices).Order().ToList());
        Assert.IsEmpty(splits.Warnings);
    }

    [TestMethod]
    public void DoNotDependOnTheOrderOfTheSamples()
    {
        using var forward = new Numbers(Enumerable.Range(0, 300), i => i % 7);
        using var backward = new Numbers(Enumerable.Range(0, 300).Reverse(), i => i % 7);
        Splits a = Splits.Create(null, forward, 1), b = Splits.Create(null, backward, 1);
        CollectionAssert.AreEqual(forward.At(a.Gate), backward.At(b.Gate));
        CollectionAssert.AreEqual(forward.At(a.Selection), backward.At(b.Selection));
        Assert.AreEqual(a.Gate.Sha256, b.Gate.Sha256);
        Assert.AreEqual(a.Calibration.Sha256, b.Calibration.Sha256);
        Assert.AreEqual(a.Selection.Sha256, b.Selection.Sha256);
    }

    [TestMethod]
    public void DependOnTheSeed()
    {
        using var data = new Numbers(Enumerable.Range(0, 300));
        CollectionAssert.AreNotEqual(data.At(Splits.Create(null, data, 1).Gate), data.At(Splits.Create(null, data, 2).Gate));
    }

    [TestMethod]
    public void HashTheLabelsToo()
    {
        using var a = new Numbers(Enumerable.Range(0, 50), _ => 0);
        using var b = new Numbers(Enumerable.Range(0, 50), i => i == 17 ? 1 : 0);
        Splits x = Splits.Create(null, a, 1), y = Splits.Create(null, b, 1);
        Assert.AreNotEqual($"{x.Calibration.Sha256}{x.Selection.Sha256}{x.Gate.Sha256}", $"{y.Calibration.Sha256}{y.Selection.Sha256}{y.Gate.Sha256}");
    }

    [TestMethod]
    public void KeepTheProportionOfEachClass()
    {
        using var data = new Numbers(Enumerable.Range(0, 1000), i => i < 100 ? 1 : 0);
        var splits = Splits.Create(null, data, 1);
        foreach (var split in new[] { splits.Calibration, splits.Selection, splits.Gate })
            Assert.AreEqual(split.Count / 10.0, split.Indices.Count(i => i < 100), 2);
    }

    [TestMethod]
    public void KeepEqualSamplesTogether()
    {
        using var data = new Numbers(Enumerable.Range(0, 200).Select(i => i / 2));
        var splits = Splits.Create(null, data, 1);
        Assert.IsEmpty(data.At(splits.Gate).Intersect(data.At(splits.Calibration)));
        Assert.IsEmpty(data.At(splits.Gate).Intersect(data.At(splits.Selection)));
        Assert.IsEmpty(data.At(splits.Selection).Intersect(data.At(splits.Calibration)));
    }

    [TestMethod]
    public void UseAllCalibrationDataThatIsGiven()
    {
        using var evaluation = new Numbers(Enumerable.Range(0, 400));
        using var calibration = new Numbers(Enumerable.Range(1000, 300));
        var splits = Splits.Create(calibration, evaluation, 1);
        Assert.AreEqual(300, splits.Calibration.Count);
        Assert.AreSame(calibration, splits.Calibration.Dataset);
        Assert.AreEqual(100, splits.Selection.Count);
        Assert.AreEqual(300, splits.Gate.Count);
    }

    [TestMethod]
    public void LeaveOutCalibrationSamplesThatAreMeasured()
    {
        using var evaluation = new Numbers(Enumerable.Range(0, 100));
        using var calibration = new Numbers(Enumerable.Range(90, 20));
        var splits = Splits.Create(calibration, evaluation, 1);
        CollectionAssert.AreEqual(Enumerable.Range(100, 10).ToList(), calibration.At(splits.Calibration));
        Assert.AreEqual(Codes.SplitsOverlap, splits.Warnings.Single().Code);
    }

    [TestMethod]
    public void SplitOffCalibrationWhenAllOfItIsMeasured()
    {
        using var evaluation = new Numbers(Enumerable.Range(0, 100));
        using var calibration = new Numbers(Enumerable.Range(0, 100));
        var splits = Splits.Create(calibration, evaluation, 1);
        Assert.AreEqual(20, splits.Calibration.Count);
        Assert.IsEmpty(evaluation.At(splits.Gate).Intersect(evaluation.At(splits.Calibration)));
        Assert.AreEqual(Codes.SplitsOverlap, splits.Warnings.Single().Code);
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(9)]
    public void OfFewSamplesKeepTheGateApartAndWarn(int count)
    {
        using var data = new Numbers(Enumerable.Range(0, count));
        var splits = Splits.Create(null, data, 1);
        Assert.AreEqual(1, splits.Calibration.Count);
        CollectionAssert.AreEqual(splits.Calibration.Indices.ToList(), splits.Selection.Indices.ToList());
        Assert.AreEqual(count - 1, splits.Gate.Count);
        Assert.IsEmpty(splits.Gate.Indices.Intersect(splits.Calibration.Indices));
        Assert.AreEqual(Codes.FewSamples, splits.Warnings.Single().Code);
        Assert.IsTrue(splits.Independent);
    }

    [TestMethod]
    public void OfOneSampleSayThatTheGateIsNotIndependent()
    {
        using var data = new Numbers([5]);
        var splits = Splits.Create(data, null, 1);
        Assert.AreEqual(1, splits.Gate.Count);
        Assert.IsFalse(splits.Independent);
        Assert.AreEqual(Codes.FewSamples, splits.Warnings.Single().Code);
    }

    /// <summary>One number a sample.</summary>
    private sealed class Numbers(IEnumerable<int> numbers, Func<int, int>? label = null) : IDataset
    {
        private readonly int[] values = [.. numbers];
        public List<int> At(Split split) => [.. split.Indices.Select(i => values[i]).Order()];
        public string Path => "numbers";
        public int Count => values.Length;
        public string Id(int index) => values[index].ToString();
        public Label? Label(int index) => label is null ? null : new ClassLabel(label(values[index]));
        public LabelKind LabelKind => label is null ? LabelKind.None : LabelKind.Class;
        public Sample Read(int index) => new(Id(index), new Dictionary<string, Tensor> { ["x"] = Tensor.Scalar((float)values[index]) }, Label(index));
        public byte[] ContentHash(int index) => System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(values[index]));
        public byte[] ConfigurationHash => new byte[32];
        public IReadOnlyList<string> Files => [];
        public IReadOnlyList<string> Folders => [];
        public EvaluationConfiguration Configuration { get; } = new();
        public IReadOnlyList<Diagnostic> Warnings => [];
        public void Dispose() { }
    }
}
